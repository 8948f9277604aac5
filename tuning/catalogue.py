"""What ships: configs, spaces, datasets, losses, listed or resolved. Trains nothing."""

import json
import typing
from typing import Any

from rich.console import Console

from lt_core.losses import Loss
from lt_core.models import Model
from lt_core.sources import SOURCES
from lt_core.value import unknown
from lt_core.weights import Weights
from search_spaces import CONFIGS, SPACES, Study
from search_spaces.study import last_switch


def show(name: str | None, as_json: bool) -> int:
    """Print the catalogue, or one of its entries resolved."""
    console = Console()
    if name is None:
        found: dict[str, Any] = _catalogue()
    elif name in SPACES:
        found = _space(name)
    elif name in CONFIGS:
        found = {
            "id": CONFIGS[name].id,
            "recipe_id": CONFIGS[name].recipe_id,
            "config": CONFIGS[name].plain(),
        }
    else:
        raise unknown("config or space", name, dict.fromkeys([*SPACES, *CONFIGS]))
    if as_json:
        console.file.write(json.dumps(found, indent=2) + "\n")
    else:
        console.print(_text(found), highlight=False, markup=False, soft_wrap=True)
    return 0


def _catalogue() -> dict[str, Any]:
    return {
        "spaces": {name: space.about for name, space in SPACES.items()},
        "configs": {name: f"{c.method} on {c.data.name}, {c.epochs} epochs" for name, c in CONFIGS.items()},
        "datasets": {name: source.about for name, source in SOURCES.items()},
        "losses": _kinds(Loss),
        "weights": _kinds(Weights),
        "models": _kinds(Model),
    }


def _space(name: str) -> dict[str, Any]:
    study = Study(space=SPACES[name])
    return {
        "about": study.space.about,
        "trials": study.trials,
        "confirming runs": 3 * study.confirm,
        "epochs of a trial": study.space.base.epochs,
        "last possible phase switch": last_switch(study.space),
        "rungs": list(study.effective_rungs.epochs),
        "paper's setting": study.space.paper,
        "domains": {symbol: domain.plain() for symbol, domain in study.space.domains.items()},
        "id of the base config": study.space.base.id,
        "base": study.space.base.plain(),
    }


def _kinds(union: Any) -> dict[str, str]:
    """Kind and first docstring line of each member of an annotated union."""
    members = typing.get_args(typing.get_args(union)[0])
    return {m.model_fields["kind"].default: (m.__doc__ or "").splitlines()[0] for m in members}


def _text(found: dict[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(found, sort_keys=False, width=160).rstrip()
