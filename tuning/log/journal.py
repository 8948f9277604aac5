"""The event log as the record's journal: read on by position, so that nothing has to be kept in memory meanwhile."""

from pathlib import Path

from tuning.log.events import Ended, Event, read_event, reading

CHUNK = 2**21  # bytes that are read at a time, some 4,000 epochs


class Journal:
    """A log that is read on from where it was read to, while another thread or process may write it.

    A study's end that is followed by anything is void: the study went on. It is left out.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._position = 0

    def read(self, *, closed: bool) -> list[Event]:
        """The next events, few enough to be held; none where nothing is left. Unless the log is closed, an end that
        is its last line waits, because something may follow. InputError where the file is no event log."""
        while True:
            lines, is_last = self._lines()
            with reading(self.path):
                events = [read_event(line) for line in lines]
            end = [event for event in events[-1:] if is_last and isinstance(event, Ended)]
            if end and not closed:
                del lines[-1], events[-1], end[-1]
            self._position += sum(map(len, lines))
            counted = [event for event in events if not isinstance(event, Ended)] + end
            if counted or not lines:
                return counted

    def rewind(self) -> None:
        """Read from the first event on again."""
        self._position = 0

    def _lines(self) -> tuple[list[bytes], bool]:
        """The next whole lines, and whether the log ends with them."""
        if not self.path.exists():
            return [], True
        with self.path.open("rb") as file:
            file.seek(self._position)
            lines = file.readlines(CHUNK)
            is_last = not file.read(1)
        if lines and not lines[-1].endswith(b"\n"):  # a writer's or a crash's half of one
            lines.pop()
        return lines, is_last
