"""Event logs -> the record, afterwards: what could not be delivered while they grew, or was trained elsewhere."""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from lt_core.value import InputError, nearest
from tuning.log.events import Ended, Event, StudyFolder, TableFolder, folders, is_name, lock, read_events, table_folders
from tuning.log.journal import Journal
from tuning.record.tracking import check_answers, reason
from tuning.record.writer import Writer
from tuning.shell.home import Home

ATTEMPTS = 3


@dataclass(frozen=True)
class Synced:
    """What became of one log: how many runs were written to, and what the record still lacks, '' for nothing."""

    log: Path
    runs: int
    lacks: str


def sync(home: Home, what: str | None) -> Iterator[Synced]:
    """Deliver a study of this home, a log from elsewhere, or all logs of this home, one after the other.

    InputError where there is no such study or file, where another process runs it, or where MLflow does not answer.
    """
    logs = _logs(home) if what is None else [_named(home, what)]
    check_answers(home.tracking_uri)
    return (_synced(home, log, named=what is not None) for log in logs)


def _logs(home: Home) -> list[Path]:
    """All logs of a home; trainings that were trained anew left theirs beside the last one's."""
    runs = (home.path / "runs").glob("*/events*.jsonl")
    studies = [folder.events_file for folder in (*folders(home.path), *table_folders(home.path))]
    return studies + sorted(runs, key=lambda path: path.stat().st_mtime)


def _named(home: Home, what: str) -> Path:
    for folder in (StudyFolder(home.path, what), TableFolder(home.path, what)) if is_name(what) else ():
        if folder.exists:
            return folder.events_file
    if not Path(what).is_file():
        known = nearest(what, [folder.name for folder in (*folders(home.path), *table_folders(home.path))])
        raise InputError(f"there is no study {what} in {home.path}, nor a file of that name{known}")
    log = Path(what).absolute()
    if next(read_events(log), None) is None:
        raise InputError(f"{log} holds no event: it is the log of no study, table or training")
    return log


def _synced(home: Home, log: Path, *, named: bool) -> Synced:
    """Deliver a log; of one that another process writes now, that process does."""
    ours = log.is_relative_to(home.path)
    try:
        held = lock(log.parent, f"the log {log}") if ours else nullcontext()
    except InputError as running:
        if named:
            raise
        return Synced(log, 0, f"not yet: {running}")
    with held:
        return _delivered(home, log)


def _delivered(home: Home, log: Path) -> Synced:
    failure = ""
    for attempt in range(ATTEMPTS):
        try:
            writer = _deliver(home, log)
        except InputError as error:
            return Synced(log, 0, str(error))
        except Exception as error:  # whatever a server does
            failure = reason(error)
            time.sleep(2**attempt if attempt + 1 < ATTEMPTS else 0)
        else:
            return Synced(log, writer.written, writer.lacks)
    return Synced(log, 0, failure)


def _deliver(home: Home, log: Path) -> Writer:
    """Write all that a log holds. One that does not say how it ended was cut off: nobody writes it any more."""
    journal, writer = Journal(log), Writer(home.tracking_uri, home.artifacts)
    last: Event | None = None
    while batch := deque(journal.read(closed=True)):
        last = batch[-1]
        writer.write(batch)
    if last is not None and not isinstance(last, Ended):
        writer.write(deque([Ended("interrupted", time=last.time)]))
    return writer
