"""A study's or a single training's log -> the record, while it is written, from a thread of its own.

The log is the journal: the thread reads it on by position, so that nothing piles up in memory while the server is slow
or away, and all is there when it is back, or for `lt-tune sync`.
"""

import threading
from collections import deque
from pathlib import Path

from tuning.log.events import Event
from tuning.log.journal import Journal
from tuning.record.tracking import reason
from tuning.record.writer import Writer

FLUSH_SECONDS = 0.5  # for a batch to gather
RETRY_SECONDS = 0.5, 10.0  # after a failure: at first, at most


class Recorder:
    """Delivers a log to MLflow as it grows. Nothing here raises, and nothing waits but `close`."""

    def __init__(self, uri: str, artifacts: Path, log: Path) -> None:
        self._uri, self._artifacts, self._journal = uri, artifacts, Journal(log)
        self._writer: Writer | None = None
        self._wake, self._closed = threading.Event(), threading.Event()
        self.failure = ""
        self._thread = threading.Thread(target=self._work, name="mlflow-writer", daemon=True)
        self._thread.start()

    def put(self, event: Event) -> None:
        """An event is in the log: it is written soon."""
        self._wake.set()

    def close(self, seconds: float) -> None:
        """Wait until all is written, but no longer than this; `failure` then says what could not be delivered."""
        self._closed.set()
        self._wake.set()
        self._thread.join(seconds)
        if self._thread.is_alive():
            self.failure = self.failure or f"MLflow took more than {seconds:g} s"

    def _work(self) -> None:
        closed = False
        while not closed:
            self._wake.wait()
            self._closed.wait(FLUSH_SECONDS)
            self._wake.clear()
            closed = self._closed.is_set()
            if not self._read_on(closed=closed):
                return
        if self.failure:  # of single runs or files: they are tried once more
            self._writer = None
            self._journal.rewind()
            self._read_on(closed=True)

    def _read_on(self, *, closed: bool) -> bool:
        """Write what the log holds by now; False where there is no more time for it."""
        while batch := deque(self._journal.read(closed=closed)):
            delay, last_try = RETRY_SECONDS[0], False
            while not self._delivered(batch):
                if last_try:
                    return False
                last_try = self._closed.wait(delay)
                delay = min(2 * delay, RETRY_SECONDS[1])
        return True

    def _delivered(self, batch: deque[Event]) -> bool:
        try:
            if self._writer is None:
                self._writer = Writer(self._uri, self._artifacts)
            self._writer.write(batch)
        except Exception as error:  # whatever a server does, the search goes on; the log has it all
            self.failure = reason(error)
            return False
        self.failure = self._writer.lacks
        return True
