"""What ships: configs, spaces, tables, datasets, losses, listed or resolved. Trains nothing."""

import json
import typing
from pathlib import Path
from typing import Any

from rich.console import Console

from lt_core.config import TrainConfig
from lt_core.losses import Loss
from lt_core.meta import Reweighting
from lt_core.models import Model
from lt_core.posthoc import PostHoc
from lt_core.sources import SOURCES
from lt_core.value import unknown
from lt_core.weights import Weights
from search_spaces import CONFIGS, SPACES, TABLES, Study, baselines
from search_spaces.cb2019 import class_balanced
from search_spaces.cdb2020 import class_difficulty
from search_spaces.ib2021 import influence_balanced
from search_spaces.space import Space
from search_spaces.study import last_switch
from tuning.shell.home import load_file
from tuning.verbs.asked import as_study, kind_of_file
from tuning.verbs.table_catalogue import resolved

RECIPES = (  # methods that are more than a loss and its weights: what they make of a config of plain CE
    influence_balanced,
    class_balanced,
    class_difficulty,
    baselines.ldam_drw,
    baselines.ce_drw,
    baselines.ce_drs,
    baselines.crt,
    baselines.tau_normalised,
    baselines.post_hoc_adjusted,
    baselines.l2rw,
    baselines.meta_weight_net,
)


def show(name: str | None, as_json: bool) -> int:
    """Print the catalogue, or one of its entries resolved."""
    console = Console()
    if name is None:
        found: dict[str, Any] = _catalogue()
    else:
        found = _entry(name)
    if as_json:
        console.file.write(json.dumps(found, indent=2) + "\n")
    else:
        shown = {key: part for key, part in found.items() if key != "configs" or name is None}  # a table's are many
        console.print(_text(shown), highlight=False, markup=False, soft_wrap=True)
    return 0


def _entry(name: str) -> dict[str, Any]:
    """A space, a config, a table or a file of one's own resolved; of anything else that ships, what it is."""
    if name in SPACES:
        return _study(Study(space=SPACES[name]))
    if name in CONFIGS:
        return _config(CONFIGS[name])
    if name in TABLES:
        return resolved(TABLES[name])
    if found := {group: {name: entries[name]} for group, entries in _catalogue().items() if name in entries}:
        return found
    if Path(name).is_file():
        return _of_file(Path(name))
    raise unknown("file, config, space or table", name, dict.fromkeys([*SPACES, *CONFIGS, *TABLES]))


def _of_file(path: Path) -> dict[str, Any]:
    value = load_file(path, _kind)
    return _config(value) if isinstance(value, TrainConfig) else _study(as_study(value))


def _kind(plain: object) -> type[Study] | type[Space] | type[TrainConfig]:
    """What a file describes, by a field that no config has."""
    searched = isinstance(plain, dict) and {"space", "base", "domains"} & plain.keys()
    return kind_of_file(plain) if searched else TrainConfig


def _catalogue() -> dict[str, Any]:
    return {
        "spaces": {name: space.about for name, space in SPACES.items()},
        "configs": {name: f"{c.method} on {c.data.name}, {c.epochs} epochs" for name, c in CONFIGS.items()},
        "tables": {name: table.title for name, table in TABLES.items()},
        "datasets": {name: source.about for name, source in SOURCES.items()},
        **methods(),
        "models": _kinds(Model),
    }


def methods() -> dict[str, dict[str, str]]:
    """What a method is made of, by the field of a config that names it: each kind with its paper."""
    return {
        "losses": _kinds(Loss),
        "weights": _kinds(Weights),
        "reweighting": _kinds(Reweighting),
        "post_hoc": _kinds(PostHoc),
        "recipes": {function.__name__: _first_line(function) for function in RECIPES},
    }


def methods_table() -> str:
    """The table of methods in the README, as Markdown."""
    entries = [(group, *entry) for group, found in methods().items() for entry in found.items()]
    rows = [(group, name, text.replace("|", "\\|")) for group, name, text in entries]
    lines = [f"| {group} | `{name}` | {text} |" for group, name, text in rows]
    return "\n".join(["| field | name | what it is |", "| --- | --- | --- |", *lines])


def _config(config: TrainConfig) -> dict[str, Any]:
    return {"id": config.id, "recipe_id": config.recipe_id, "config": config.plain()}


def _study(study: Study) -> dict[str, Any]:
    return {
        "about": study.space.about,
        "trials": study.wanted,
        "confirming runs": study.confirming,
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
    return {member.model_fields["kind"].default: _first_line(member) for member in members}


def _first_line(documented: object) -> str:
    return (documented.__doc__ or "").splitlines()[0]


def _text(found: dict[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(found, sort_keys=False, width=160, allow_unicode=True).rstrip()


if __name__ == "__main__":
    print(methods_table())
