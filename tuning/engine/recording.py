"""One process's turn at a log, which the record hears: begun or gone on with, ended in order whatever ends it."""

from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from lt_core.value import InputError
from tuning.engine.cluster import check_store
from tuning.engine.core import first_line, of_another_core
from tuning.log.events import Continued, Ended, Event, EventLog, Started, StudyFolder
from tuning.record.recorder import Recorder
from tuning.shell.home import CLOSE_SECONDS, INTERRUPT_SECONDS, Home


class Recording:
    """A log that grows while the block runs, and its way into the record, for which the block's end waits.

    Ctrl-C ends the block, and no more: what is in the log is in order. Errors are raised. In both cases the log says
    that it was interrupted.
    """

    def __init__(self, home: Home, log: Path, begin: Callable[[], Started]) -> None:
        """begin: the log's first line, where it has none. InputError where a log is there that cannot be read."""
        self._home, self._path = home, log
        self._next = Continued() if first_line(log) else begin()
        self._recorder: Recorder | None = None
        self.log = EventLog(log, self._hear)
        self.interrupted = False

    @property
    def failure(self) -> str:
        """What the record lacks when the block has ended, '' where it has all."""
        return self._recorder.failure if self._recorder else ""

    def __enter__(self) -> "Recording":
        self._recorder = Recorder(self._home.tracking_uri, self._home.artifacts, self._path)
        self.log.emit(self._next)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> bool:
        self.interrupted = kind is KeyboardInterrupt
        try:
            if kind is not None:
                self.log.emit(Ended("interrupted"))
        finally:
            if self._recorder:
                self._recorder.close(CLOSE_SECONDS if kind is None else INTERRUPT_SECONDS)
        return self.interrupted

    def _hear(self, event: Event) -> None:
        if self._recorder:  # which reads by itself what was there before
            self._recorder.put(event)


def check_core(folder: StudyFolder, remedy: str) -> None:
    """InputError where a study was begun with another lt_core."""
    if said := of_another_core(folder, remedy):
        raise InputError(said)


def store_of(home: Home, folder: StudyFolder, asked: str | None) -> str:
    """Where checkpoints are to lie: as asked for, else as before; '' for the folder. InputError where nodes cannot."""
    started = first_line(folder.events_file)
    store = asked or (started.store if started else "")
    if store and "://" not in store:
        store = str(Path(store).expanduser().absolute())
    check_store(store or str(home.path))
    return store
