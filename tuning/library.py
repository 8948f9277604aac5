"""What this home has trained already: finished runs by what they trained, and what their epochs took.

A finished run of equal config, data and core is not trained again: a study, a table, a single training alike take its
epochs. Not here: duplicates within one study, which the driver sees itself.
"""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lt_core.config import TrainConfig
from lt_core.identity import core_id
from tuning.events import Asked, Kind, Told, TrialRecord, fold, read_events

KEYS = ("lt.config_id", "lt.data_id", "lt.core_id")
COSTLY = ("data", "model", "batch_size", "precision", "channels_last")  # the fields that decide what an epoch takes


@dataclass(frozen=True)
class Found:
    """A finished training of another log, and where it is: STUDY_ID/NUMBER."""

    trial: TrialRecord
    origin: str


class Library:
    """The event logs of a home but for one; read when first asked."""

    def __init__(self, home: Path, own: Path | None = None) -> None:
        """own: the log of the study that asks, which is left out."""
        self._home, self._own = home, own

    def find(self, trial: TrialRecord) -> Found | None:
        """A finished training that equals a trial, with test values where its kind needs them."""
        for path, number in self._finished.get(_key(trial.asked), ()):
            history = fold(path)
            found = history.trials[number]
            if found.told is not None and (trial.asked.kind == "trial" or found.told.test):
                assert history.started is not None
                return Found(found, f"{history.started.study_id}/{number}")
        return None

    def has(self, tags: dict[str, str], kind: Kind) -> bool:
        """Whether a training of these identities need not be trained."""
        return self.find(TrialRecord(Asked(0, kind, "", {}, {}, {}, tags))) is not None

    def seconds(self, config: TrainConfig) -> float | None:
        """The median time of an epoch of like data, network, batch and precision; None where none was recorded."""
        wanted = _cost(config.plain())
        found = [
            epoch.result["seconds"]
            for path in self._logs()
            for trial in fold(path).trials.values()
            if _cost(trial.asked.config) == wanted
            for epoch in trial.epochs
            if epoch.result["seconds"]
        ]
        return statistics.median(found) if found else None

    @cached_property
    def _finished(self) -> dict[tuple[str, ...], list[tuple[Path, int]]]:
        """Log and number of each finished training of this core, by its identities."""
        found: dict[tuple[str, ...], list[tuple[Path, int]]] = {}
        for path in self._logs():
            for number, key in _finished_keys(path):
                found.setdefault(key, []).append((path, number))
        return found

    def _logs(self) -> Iterator[Path]:
        for path in sorted(self._home.glob("*/*/events.jsonl")):
            if path != self._own:
                yield path


def _finished_keys(path: Path) -> Iterator[tuple[int, tuple[str, ...]]]:
    keys: dict[int, tuple[str, ...]] = {}
    for event in read_events(path):
        match event:
            case Asked() if event.tags.get("lt.core_id") == core_id():
                keys[event.trial] = _key(event)
            case Told(stop_reason="finished") if event.trial in keys:
                yield event.trial, keys[event.trial]


def _key(asked: Asked) -> tuple[str, ...]:
    return tuple(asked.tags.get(name, "") for name in KEYS)


def _cost(plain: dict[str, object]) -> dict[str, object]:
    return {field: plain.get(field) for field in COSTLY}
