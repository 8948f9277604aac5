"""What this home has trained already: finished runs by what they trained, and what their epochs took.

A finished run of equal config, data and core is not trained again: a study, a table, a single training alike take its
epochs. Not here: duplicates within one study, which the driver sees itself.
"""

import json
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from lt_core.config import TrainConfig
from lt_core.data import Data
from lt_core.identity import core_id
from lt_core.sources import SOURCES
from lt_core.value import InputError
from tuning.engine.measures import satisfied
from tuning.log.events import Asked, History, Kind, Told, TrialRecord, fold, read_events

T = TypeVar("T")

KEYS = ("lt.config_id", "lt.data_id", "lt.core_id")
COSTLY = ("data", "model", "batch_size", "precision", "channels_last")  # the fields that decide what an epoch takes


@dataclass(frozen=True)
class Found:
    """A finished training of another log, and where it is: STUDY_ID/NUMBER."""

    trial: TrialRecord
    origin: str


class Library:
    """The event logs of a home but for one; read when first asked, and once. Those that cannot be read are left out."""

    def __init__(self, home: Path, own: Path | None = None) -> None:
        """own: the log of the study that asks, which is left out."""
        self._home, self._own = home, own
        self._histories: dict[Path, History | None] = {}
        self._unreadable: dict[Path, str] = {}

    @property
    def notes(self) -> list[str]:
        """What a user should know of logs that are left out."""
        _ = self._finished  # which reads them
        return [f"{said}: what it has is not reused" for said in self._unreadable.values()]

    def find(self, trial: TrialRecord) -> Found | None:
        """A finished training that equals a trial, with test values where its kind needs them."""
        for path, number in self._finished.get(_key(trial.asked), ()):
            history = self._history(path)
            if history is None or history.started is None:
                continue
            found = history.trials[number]
            if found.told is not None and _suffices(found.told, trial.asked):
                return Found(found, f"{history.started.study_id}/{number}")
        return None

    def has(self, tags: dict[str, str], kind: Kind, reads: Sequence[str] = ()) -> bool:
        """Whether a training of these identities, of which a table reads so much, need not be trained."""
        return self.find(TrialRecord(Asked(0, kind, "", {}, {}, {}, tags, list(reads)))) is not None

    def at_hand(
        self,
        configs: Iterable[TrainConfig],
        kind: Kind,
        tags: Callable[[TrainConfig], dict[str, str]],
        reads: Sequence[str] = (),
    ) -> set[str]:
        """The ids of the configs that need not be trained, as far as can be told without reading verified datasets."""
        trained: dict[str, list[dict[str, str]]] = {}
        for key in self._finished:
            trained.setdefault(key[0], []).append(dict(zip(KEYS, key, strict=True)))
        known = {
            config.id: _as_it_is_now(config, trained[config.id], tags) for config in configs if config.id in trained
        }
        return {name for name, found in known.items() if any(self.has(each, kind, reads) for each in found)}

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
        for _, history in self._read(fold):
            for trial in history.trials.values():
                trained = [epoch.result["seconds"] for epoch in trial.epochs if epoch.result["seconds"]]
                found.setdefault(_cost(trial.asked.config), []).extend(trained)
        return found

    @cached_property
    def _finished(self) -> dict[tuple[str, ...], list[tuple[Path, int]]]:
        """Log and number of each training of this core that ended by itself, by its identities."""
        found: dict[tuple[str, ...], list[tuple[Path, int]]] = {}
        for path, finished in self._read(lambda path: list(_finished_keys(path))):
            for number, key in finished:
                found.setdefault(key, []).append((path, number))
        return found

    def _history(self, path: Path) -> History | None:
        """What a log says of which some training was finished when it was first read; None where it is damaged."""
        if path not in self._histories:
            self._histories[path] = self._guarded(fold, path)
        return self._histories[path]

    def _read(self, read: Callable[[Path], T]) -> Iterator[tuple[Path, T]]:
        """What each log gives that can be read."""
        for path in sorted(self._home.glob("*/*/events.jsonl")):
            if path != self._own and (found := self._guarded(read, path)) is not None:
                yield path, found

    def _guarded(self, read: Callable[[Path], T], path: Path) -> T | None:
        """What a log gives; None, and a note, where it cannot be read: it must cost no other study its start."""
        try:
            return read(path)
        except InputError as error:
            self._unreadable[path] = str(error)
            return None


def _as_it_is_now(
    config: TrainConfig, trained: list[dict[str, str]], tags: Callable[[TrainConfig], dict[str, str]]
) -> list[dict[str, str]]:
    """Under which identities a config would be trained: of data that may have changed only `tags`, which reads them."""
    if config.data.path is None and not SOURCES[config.data.name].files:  # MD5 says that they are what they were
        return trained
    try:
        return [tags(config)]
    except InputError:
        return []


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
    """The training images of a plain config; None where only the files can tell, or where it is of another version."""
    try:
        counts = Data.parse(plain["data"]).counts
    except InputError:
        return None
    return sum(counts) if counts else None


def _kind_of_cost(plain: Mapping[str, Any]) -> str:
    return json.dumps([plain["data"]["name"], *(plain.get(field) for field in COSTLY[1:])], sort_keys=True)


def _cost(plain: dict[str, object]) -> str:
    return json.dumps([plain.get(field) for field in COSTLY], sort_keys=True)
