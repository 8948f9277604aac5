"""The study's folder: its event log, which is the one truth while a study runs, and the lock on it.

Optuna's study, the rungs and MLflow's runs are rebuilt from the log at every start. Not here: what follows from it.
"""

import fcntl
import json
import os
import re
import time
import uuid
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Literal, get_args

from lt_core.config import TrainConfig
from lt_core.value import InputError

StopReason = Literal["finished", "early_stopped", "diverged", "failed", "interrupted", "budget"]
Kind = Literal["trial", "confirm", "cell", "run"]


def now() -> int:
    """Milliseconds since 1970, as MLflow counts."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class Started:
    """The log's first line: an identity that no other study has, whatever its name, and what was asked.

    `study` is '' for a single training. `experiment` is the one that records it in MLflow. `store` is where its
    checkpoints lie, '' where that is the study's folder. `artifacts` are texts by file name, the study among them.
    `address` is the Ray cluster it was given, '' for none; `resume` is the command that goes on with it; `note` is what
    its page shows of how it was made; `datasets` are those it may train on, described, by their `lt.data_id`.
    """

    study: str
    command: str
    tags: dict[str, str]
    store: str = ""
    experiment: str = "lt-tune"
    artifacts: dict[str, str] = field(default_factory=dict)
    address: str = ""
    resume: str = ""
    note: str = ""
    datasets: dict[str, dict[str, Any]] = field(default_factory=dict)
    study_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    time: int = field(default_factory=now)


@dataclass(frozen=True)
class Continued:
    """A driver goes on with the study: the time since the event before is not its own."""

    time: int = field(default_factory=now)


@dataclass(frozen=True)
class Asked:
    """A training was asked for. `settings` are the space's symbols (empty where they do not apply).

    `reads` are the values of its end that a table reads, beside those that every tested training has. `datasets` is its
    own, described, by `lt.data_id`, where nothing before it in the log describes it.
    """

    trial: int
    kind: Kind
    role: str
    settings: dict[str, Any]
    config: dict[str, Any]
    params: dict[str, Any]
    tags: dict[str, str]
    reads: list[str] = field(default_factory=list)
    datasets: dict[str, dict[str, Any]] = field(default_factory=dict)
    time: int = field(default_factory=now)


@dataclass(frozen=True)
class EpochDone:
    """An epoch of a trial: `result` is the fields of an EpochResult, `system` what it took of the machine, if asked."""

    trial: int
    result: dict[str, Any]
    numerics: str
    system: dict[str, float] = field(default_factory=dict)
    time: int = field(default_factory=now)


@dataclass(frozen=True)
class Told:
    """A trial's end. `test` holds test accuracies (none for kind `trial`), `test_series` those of each epoch, where the
    config asks for them, `evaluations` what the test part gives class by class (evaluations.py), `series` what the
    figure of a table draws, by read (measures.py); `outcomes` are the metrics, at the epoch of its score, that its
    study judges it by beside the score; `reused_from` is the trial of an equal config whose epochs were copied, its
    number in this log, or STUDY_ID/NUMBER of another one, of which a rung of this study may have left out the rest."""

    trial: int
    stop_reason: StopReason
    test: dict[str, float] = field(default_factory=dict)
    error: str = ""
    reused_from: int | str | None = None
    test_series: list[float] = field(default_factory=list)
    evaluations: dict[str, Any] = field(default_factory=dict)
    outcomes: dict[str, float] = field(default_factory=dict)
    series: dict[str, list[float]] = field(default_factory=dict)
    time: int = field(default_factory=now)


@dataclass(frozen=True)
class Resumed:
    """A trial that a budget cut is not at its end: there is more to spend."""

    trial: int
    time: int = field(default_factory=now)


@dataclass(frozen=True)
class Ended:
    """The whole study's end, with what its page in the record shows.

    `artifacts` are texts by file name; `folder` is one whose files, pictures among them, are attached as they lie. In
    the `note`, Markdown, `artifact:NAME` stands for an attached file's address.
    """

    stop_reason: StopReason
    note: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    artifacts: dict[str, str] = field(default_factory=dict)
    folder: str = ""
    time: int = field(default_factory=now)


Event = Started | Continued | Asked | EpochDone | Told | Resumed | Ended
_EVENTS: dict[str, type[Event]] = {cls.__name__: cls for cls in get_args(Event)}


@dataclass
class TrialRecord:
    """What the log says of one trial. Places among all events: `asked_at`, `told_at`, and `arrivals` of its epochs."""

    asked: Asked
    asked_at: int = 0
    epochs: list[EpochDone] = field(default_factory=list)
    arrivals: list[int] = field(default_factory=list)
    told: Told | None = None
    told_at: int = 0

    @cached_property
    def config(self) -> TrainConfig:
        """What it trains."""
        return TrainConfig.parse(self.asked.config)

    @property
    def number(self) -> int:
        """Its place in the order of asking."""
        return self.asked.trial

    @property
    def score(self) -> float | None:
        """Its running score; None before its last phase."""
        return self.last["score"]

    @property
    def last(self) -> dict[str, Any]:
        """The result of the last epoch; an empty one before the first."""
        return self.epochs[-1].result if self.epochs else {"epoch": 0, "score": None, "best_epoch": None}

    @property
    def stop_reason(self) -> str:
        """Why it ended; `running` while it has not."""
        return self.told.stop_reason if self.told else "running"


@dataclass
class History:
    """All trials of a study by number, and whether it ended: the log's events, folded.

    running_ms: how long a driver has searched. longest_epoch: in seconds, 0 before the first. trained: epochs and
    seconds by kind; an epoch that was taken over took none. described: datasets by `lt.data_id`.
    """

    started: Started | None = None
    trials: dict[int, TrialRecord] = field(default_factory=dict)
    ended: Ended | None = None
    events: int = 0
    running_ms: int = 0
    longest_epoch: float = 0.0
    trained: dict[Kind, tuple[int, float]] = field(default_factory=dict)
    described: set[str] = field(default_factory=set)
    _last_ms: int | None = None
    _by_config: dict[tuple[Kind, str], list[int]] = field(default_factory=dict)

    def apply(self, event: Event) -> None:
        """Take one more event in."""
        self.events += 1
        self.ended = None
        self._count_time(event)
        match event:
            case Started():
                self.started = event
                self.described |= event.datasets.keys()
            case Asked():
                self.trials[event.trial] = TrialRecord(event, self.events)
                self.described |= event.datasets.keys()
                self._by_config.setdefault((event.kind, event.tags.get("lt.config_id", "")), []).append(event.trial)
            case EpochDone():
                self.trials[event.trial].epochs.append(event)
                self.trials[event.trial].arrivals.append(self.events)
                self._count_epoch(self.trials[event.trial].asked.kind, event.result["seconds"])
            case Told():
                self.trials[event.trial].told = event
                self.trials[event.trial].told_at = self.events
            case Resumed():
                self.trials[event.trial].told = None
            case Ended():
                self.ended = event
            case Continued():
                pass

    @property
    def address(self) -> str:
        """The Ray cluster that it was given at first, '' for none."""
        return self.started.address if self.started else ""

    def asked_for(self, kind: Kind, config_id: str) -> TrialRecord | None:
        """The last trial of a kind and config that did not fail."""
        equal = (self.trials[number] for number in reversed(self._by_config.get((kind, config_id), [])))
        return next((trial for trial in equal if trial.stop_reason != "failed"), None)

    def twin(self, trial: TrialRecord) -> TrialRecord | None:
        """An earlier trial of the same kind and config that did not fail."""
        equal = self._by_config[trial.asked.kind, trial.asked.tags.get("lt.config_id", "")]
        earlier = (self.trials[number] for number in equal if number < trial.asked.trial)
        return next((other for other in earlier if other.stop_reason not in ("failed", "budget")), None)

    def _count_epoch(self, kind: Kind, seconds: float) -> None:
        epochs, total = self.trained.get(kind, (0, 0.0))
        self.trained[kind] = epochs + (seconds > 0), total + seconds
        self.longest_epoch = max(self.longest_epoch, seconds)

    def _count_time(self, event: Event) -> None:
        """Of what leads to an event of a search; what confirms it, or waits to be gone on with, does not count."""
        confirms = isinstance(event, Asked | EpochDone | Told) and self._kind_of(event) == "confirm"
        if self._last_ms is not None and not isinstance(event, Continued) and not confirms:
            self.running_ms += max(0, event.time - self._last_ms)
        self._last_ms = event.time

    def _kind_of(self, event: Asked | EpochDone | Told) -> Kind:
        return event.kind if isinstance(event, Asked) else self.trials[event.trial].asked.kind

    def of_kind(self, kind: Kind) -> list[TrialRecord]:
        """The trials of a kind, by number."""
        return [self.trials[n] for n in sorted(self.trials) if self.trials[n].asked.kind == kind]


class EventLog:
    """An append-only file of one event a line, folded into `history` and passed on to a listener.

    An event is on the disk before anything follows from it. What the file holds already is folded and passed on
    when it is opened, but for ends, which the opening makes void.
    """

    def __init__(self, path: Path, listener: Callable[[Event], None]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        _cut_torn_line(path)
        self.history = History()
        self._listener = listener
        for event in read_events(path):
            with reading(path):
                self.history.apply(event)
            if not isinstance(event, Ended):
                listener(event)
        self._path, self._torn = path, False

    def emit(self, event: Event) -> None:
        """Write an event, wait until it is on the disk, fold it in and pass it on."""
        line = json.dumps({"event": type(event).__name__, **asdict(event)}, separators=(",", ":"))
        if self._torn:  # the disk was full
            _cut_torn_line(self._path)
        self._torn = True
        with self._path.open("ab") as file:
            file.write(line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._torn = False
        self.history.apply(event)
        self._listener(event)


def read_events(path: Path) -> Iterator[Event]:
    """The events of a log, oldest first; a last line that a crash cut short is left out.

    InputError where it cannot be read, or is no event log of this version.
    """
    if not path.exists():
        return
    with reading(path):
        lines = path.read_bytes().split(b"\n")[:-1]
    for line in lines:
        with reading(path):
            event = read_event(line)
        yield event


def read_event(line: bytes) -> Event:
    """The event that a line of a log holds."""
    fields = json.loads(line)
    return _EVENTS[fields.pop("event")](**fields)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what goes wrong when a log is read into an InputError that names it."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f"{path} is no event log of this version") from None


def fold(path: Path) -> History:
    """What a log says; InputError where it cannot be read."""
    history = History()
    for event in read_events(path):
        with reading(path):
            history.apply(event)
    return history


def _cut_torn_line(path: Path) -> None:
    if path.exists():
        whole = path.read_bytes().rpartition(b"\n")
        os.truncate(path, len(whole[0]) + len(whole[1]))


def is_name(study: str) -> bool:
    """Whether a text can name a study: letters, digits, `.`, `_` and `-`, the first a letter or digit."""
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", study) is not None


def lock(folder: Path, what: str) -> IO[str]:
    """Take a folder for this process until the file given back is closed; InputError while another one holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    held = (folder / "lock").open("w")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        held.close()
        raise InputError(f"{what} is being run by another process") from None
    return held


class StudyFolder:
    """One study's folder in the home: `study.yaml`, `events.jsonl`, `checkpoints/`, and the lock on them.

    `source.yaml` is the study as the space's file had it, before the command line's options.
    """

    place, described_in, what = "studies", "study.yaml", "study"

    def __init__(self, home: Path, name: str) -> None:
        self.name = name
        self.path = home / self.place / name
        self.study_file = self.path / self.described_in
        self.source_file = self.path / "source.yaml"
        self.events_file = self.path / "events.jsonl"
        self.checkpoints = self.path / "checkpoints"

    @property
    def exists(self) -> bool:
        """Whether a study of this name was ever started here, even if only its log is left."""
        return self.study_file.exists() or self.events_file.exists()

    def history(self) -> History:
        """What its log says."""
        return fold(self.events_file)

    def lock(self) -> None:
        """Take the study for as long as this object and its process live; InputError while another one has it."""
        weakref.finalize(self, lock(self.path, f"{self.what} {self.name}").close)

    def write_study(self, text: str) -> None:
        """Keep the study's description, whole or not at all."""
        _write_whole(self.study_file, text)

    def write_source(self, text: str) -> None:
        """Keep what the space's file had when the study began."""
        _write_whole(self.source_file, text)


def _write_whole(file: Path, text: str) -> None:
    part = file.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(file)


class TableFolder(StudyFolder):
    """The folder of one edition of a table: as a study's, with a `table.yaml`."""

    place, described_in, what = "tables", "table.yaml", "table"


def table_folders(home: Path) -> list[TableFolder]:
    """The editions of tables in a home, oldest first."""
    found = sorted((home / "tables").glob("*/table.yaml"), key=lambda p: p.stat().st_mtime)
    return [TableFolder(home, path.parent.name) for path in found]


def folders(home: Path) -> list[StudyFolder]:
    """The studies of a home, oldest first."""
    found = sorted((home / "studies").glob("*/study.yaml"), key=lambda p: p.stat().st_mtime)
    return [StudyFolder(home, path.parent.name) for path in found]
