"""What this home has trained already: finished runs by what they trained, and what their epochs took.

A finished run of equal config, data and core is not trained again: a study, a table, a single training alike take its
epochs. Not here: duplicates within one study, which the driver sees itself.
"""

import json
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lt_core.config import TrainConfig
from lt_core.data import Data
from lt_core.identity import core_id
from tuning.events import Asked, Kind, Told, TrialRecord, fold, read_events
from tuning.measures import satisfied

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
            if found.told is not None and _suffices(found.told, trial.asked):
                assert history.started is not None
                return Found(found, f"{history.started.study_id}/{number}")
        return None

    def has(self, tags: dict[str, str], kind: Kind) -> bool:
        """Whether a training of these identities need not be trained."""
        return self.find(TrialRecord(Asked(0, kind, "", {}, {}, {}, tags))) is not None

    @cached_property
    def config_ids(self) -> set[str]:
        """Of all trainings of this core that ended by themselves: what a plan counts as at hand."""
        return {config_id for config_id, *_ in self._finished}

    def seconds(self, config: TrainConfig) -> float | None:
        """The median time of an epoch of like data, network, batch and precision; None where none was recorded."""
        found = self._timings.get(_cost(config.plain()))
        return statistics.median(found) if found else None

    def seconds_like(self, config: TrainConfig) -> float | None:
        """The same, or where there is none that of other cuts of the same dataset, by their number of images."""
        known, images = self.seconds(config), _images(config.plain())
        if known is not None or images is None:
            return known
        found = self._seconds_per_image.get(_kind_of_cost(config.plain()))
        return images * statistics.median(found) if found else None

    @cached_property
    def _seconds_per_image(self) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {}
        for cost, seconds in self._timings.items():
            plain: dict[str, Any] = dict(zip(COSTLY, json.loads(cost), strict=True))
            if seconds and (images := _images(plain)):
                found.setdefault(_kind_of_cost(plain), []).append(statistics.median(seconds) / images)
        return found

    @cached_property
    def _timings(self) -> dict[str, list[float]]:
        """The seconds of all epochs that were trained, by what decides them."""
        found: dict[str, list[float]] = {}
        for path in self._logs():
            for trial in fold(path).trials.values():
                trained = [epoch.result["seconds"] for epoch in trial.epochs if epoch.result["seconds"]]
                found.setdefault(_cost(trial.asked.config), []).extend(trained)
        return found

    @cached_property
    def _finished(self) -> dict[tuple[str, ...], list[tuple[Path, int]]]:
        """Log and number of each training of this core that ended by itself, by its identities."""
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
            case Told(stop_reason="finished" | "diverged") if event.trial in keys:
                yield event.trial, keys[event.trial]


def _key(asked: Asked) -> tuple[str, ...]:
    return tuple(asked.tags.get(name, "") for name in KEYS)


def _suffices(told: Told, asked: Asked) -> bool:
    """Whether an end is what a training is wanted for: whole, with its values; of a table, it may have diverged."""
    if asked.kind == "trial":
        return told.stop_reason == "finished"
    ended = told.stop_reason == "finished" or asked.kind == "cell"
    return ended and bool(told.test) and satisfied(told.evaluations, told.series, asked.reads)


def _images(plain: Mapping[str, Any]) -> int | None:
    """The training images of a plain config; None where only the files can tell."""
    counts = Data.parse(plain["data"]).counts
    return sum(counts) if counts else None


def _kind_of_cost(plain: Mapping[str, Any]) -> str:
    return json.dumps([plain["data"]["name"], *(plain.get(field) for field in COSTLY[1:])], sort_keys=True)


def _cost(plain: dict[str, object]) -> str:
    return json.dumps([plain.get(field) for field in COSTLY], sort_keys=True)
