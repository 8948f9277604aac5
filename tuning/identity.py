"""What the record says of a training beside its numbers: the identities as tags, and the params."""

import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lt_core import __version__
from lt_core.config import TrainConfig, canonical
from lt_core.data import load_parts
from lt_core.identity import core_id

GIT_SECONDS = 5


@dataclass(frozen=True)
class Identity:
    """Computes the tags of configs; `root` is the data folder."""

    root: Path

    def tags(self, config: TrainConfig) -> dict[str, str]:
        """The identities of a training; its numerics are known once it runs."""
        return {
            "lt.config_id": config.id,
            "lt.recipe_id": config.recipe_id,
            "lt.data_id": load_parts(config.data, self.root).id,
            "lt.core_id": core_id(),
            "lt.numerics": "none",
            "lt.seed": str(config.seed),
            "lt.version": __version__,
            **_git_commit(),
        }


def method_params(config: TrainConfig) -> dict[str, object]:
    """T1 and the hyperparameters of the last phase's loss and weights, of a run without a space to name them."""
    last = canonical(config).phases[-1]
    fields = {**last.weights.plain(), **last.loss.plain()}
    own = {name: value for name, value in fields.items() if name not in ("kind", "reduction")}
    return {"T1": last.start, "weights": last.weights.kind, "lr": config.optimizer.lr, **own}


def params(config: TrainConfig) -> dict[str, object]:
    """The params that every run has after the space's symbols."""
    return {
        "method": config.method,
        "dataset": config.data.name,
        "imbalance": config.data.imbalance,
        "epochs": config.epochs,
        "seed": config.seed,
    }


@cache
def _git_commit() -> dict[str, str]:
    """The commit of the folder that the command runs in, where there is one."""
    command = ["git", "rev-parse", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=GIT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return {"mlflow.source.git.commit": found.stdout.strip()} if found.returncode == 0 else {}
