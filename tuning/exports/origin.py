"""Where an exported config file comes from: one line in its head, by which a training of it is judged."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lt_core.value import InputError, Value
from tuning.log.events import TrialRecord

if TYPE_CHECKING:  # imports MLflow
    from tuning.reports.winners import Winner

MARK = "# recorded: "


class Origin(Value):
    """The recorded run that a config file describes, and the score that it had at its best epoch."""

    study: str
    trial: int
    run_id: str
    config_id: str
    data_id: str
    core_id: str
    numerics: str
    score: float
    best_epoch: int

    @classmethod
    def of(cls, winner: "Winner", study: str) -> "Origin":
        """That of one of a study's best configs."""
        return cls(
            study=study,
            trial=winner.trial,
            run_id=winner.run.run_id,
            config_id=winner.identity("config_id"),
            data_id=winner.identity("data_id"),
            core_id=winner.identity("core_id"),
            numerics=winner.identity("numerics"),
            score=winner.score,
            best_epoch=winner.best_epoch,
        )

    @classmethod
    def of_file(cls, path: Path) -> "Origin | None":
        """What a config file's head says; None where it says nothing, or it is no file."""
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
            said = next((line.removeprefix(MARK) for line in lines if line.startswith(MARK)), None)
            return cls.parse(json.loads(said)) if said else None
        except (OSError, UnicodeDecodeError, json.JSONDecodeError, InputError):
            return None

    def line(self) -> str:
        """As a line of a YAML file's head."""
        return MARK + self.model_dump_json()


@dataclass(frozen=True)
class Reproduction:
    """A training of an exported config beside the recorded one. `causes` are what differs beside the number."""

    origin: Origin
    score: float
    best_epoch: int
    causes: tuple[str, ...]

    @property
    def exact(self) -> bool:
        """Whether it came to the recorded number, bit for bit, at the recorded epoch."""
        return (self.score, self.best_epoch) == (self.origin.score, self.origin.best_epoch)

    def sentence(self) -> str:
        """In words."""
        if self.exact:
            return f"as recorded, bit for bit: score {self.score} at epoch {self.best_epoch}"
        said = "; ".join(self.causes) or "nothing that is recorded explains it"
        return (
            f"recorded: score {self.origin.score} at epoch {self.origin.best_epoch}; here it differs by "
            f"{self.score - self.origin.score:+.6f} ({said})"
        )

    def document(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "score": self.origin.score,
            "best_epoch": self.origin.best_epoch,
            "difference": self.score - self.origin.score,
            "exact": self.exact,
            "causes": list(self.causes),
        }


def reproduction(origin: Origin | None, trial: TrialRecord) -> Reproduction | None:
    """A finished training beside its origin; None where it has none, or trained another config."""
    if origin is None or trial.config.id != origin.config_id or trial.last["score"] is None:
        return None
    tags, numerics = trial.asked.tags, trial.epochs[-1].numerics
    pairs = {
        "machine": (origin.numerics, numerics),
        "data": (origin.data_id, tags["lt.data_id"]),
        "code": (origin.core_id, tags["lt.core_id"]),
    }
    causes = tuple(f"another {what}: {here}, then {then}" for what, (then, here) in pairs.items() if then != here)
    return Reproduction(origin, trial.last["score"], trial.last["best_epoch"], causes)
