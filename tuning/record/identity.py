"""What the record says of a training beside its numbers: the identities as tags, and the params."""

import subprocess
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from lt_core import __version__
from lt_core.config import TrainConfig, canonical
from lt_core.data import Data, load_parts
from lt_core.identity import core_id
from lt_core.value import Value, override
from lt_core.weights import ClassDifficulty

GIT_SECONDS = 5
ANY_SPLIT = "lt.any_split_id"  # the tag of what runs have in common whose seeds draw their own images, too


@dataclass(frozen=True)
class Identity:
    """Computes the tags of configs; `root` is the data folder."""

    root: Path

    def tags(self, config: TrainConfig) -> dict[str, str]:
        """The identities of a training; its numerics are known once it runs."""
        return {
            "lt.config_id": config.id,
            "lt.recipe_id": config.recipe_id,
            ANY_SPLIT: any_split_id(config),
            "lt.data_id": _data_id(config.data, self.root),
            "lt.core_id": core_id(),
            "lt.numerics": "none",
            "lt.seed": str(config.seed),
            "lt.epochs": str(config.epochs),
            "lt.version": __version__,
            **_git_commit(),
        }


def any_split_id(config: TrainConfig) -> str:
    """The recipe, whichever images are drawn: `recipe_id` changes with `data.subset_seed`."""
    return override(config, {"data.subset_seed": 0}).recipe_id


# A hyperparameter is recorded by its symbol; where several papers use one letter, IB's alpha and epsilon, CB's beta,
# focal's gamma and CDB's tau have it alone, and the others a prefix.
_SYMBOLS = {
    "ldam": {"max_m": "ldam_m", "s": "ldam_s"},
    "logit_adjusted": {"tau": "la_tau"},
    "vector_scaling": {"gamma": "vs_gamma", "tau": "vs_tau"},
    "equalization": {"lambda": "eql_lambda", "gamma": "eql_gamma"},
    "sigmoid_equalization": {"lambda": "eql_lambda", "gamma": "eql_gamma"},
    "logit_adjustment": {"tau": "la_tau"},
    "tau_normalization": {"tau": "norm_tau"},
}


def method_params(config: TrainConfig) -> dict[str, object]:
    """The model, how it is trained, and its last phase's hyperparameters: of a run without a space to name them."""
    phases = canonical(config).phases
    last = phases[-1]
    deferred = len(phases) > 1 and phases[-2].loss == last.loss
    return {
        "drw_epoch" if deferred else "T1": last.start,
        "weights": last.weights.kind,
        "model": config.model.kind,
        "batch_size": config.batch_size,
        "lr": config.optimizer.lr,
        **_hyperparameters(config.evaluation.post_hoc),
        **_hyperparameters(last.reweighting),
        **_hyperparameters(last.weights),
        **_hyperparameters(last.loss),
    }


def _hyperparameters(part: Value) -> dict[str, object]:
    """The fields of a loss, of weights or of another part, by their symbols."""
    fields = {name: value for name, value in part.plain().items() if name not in ("kind", "reduction")}
    if isinstance(part, ClassDifficulty):
        tau = fields.pop("tau")
        return {"tau_rule": tau["kind"], "tau": tau.get("value", "none"), **fields}
    return {_SYMBOLS.get(part.plain()["kind"], {}).get(name, name): value for name, value in fields.items()}


def params(config: TrainConfig) -> dict[str, object]:
    """The params that every run has after the space's symbols."""
    ratio = config.data.majority_ratio
    imbalance = {"imbalance": config.data.imbalance} if ratio is None else {"majority_ratio": round(ratio, 6)}
    return {
        "method": config.method,
        "dataset": config.data.name,
        **imbalance,
        "epochs": config.epochs,
        "seed": config.seed,
    }


def _data_id(data: Data, root: Path) -> str:
    if data.path is not None:  # the user's own, which may change
        return load_parts(data, root).id
    return _known_data_id(data.model_dump_json(), root)


@lru_cache(maxsize=1024)
def _known_data_id(data: str, root: Path) -> str:
    return load_parts(Data.model_validate_json(data), root).id


@cache
def _git_commit() -> dict[str, str]:
    """The commit of the folder that the command runs in, where there is one."""
    command = ["git", "rev-parse", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=GIT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return {"mlflow.source.git.commit": found.stdout.strip()} if found.returncode == 0 else {}
