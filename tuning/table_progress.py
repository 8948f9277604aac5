"""Live progress of a table in the terminal: trainings done and running, the time left; a line a training elsewhere."""

import time
from collections import Counter
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table as Lines
from rich.text import Text

from tuning.cells import CellStage
from tuning.events import History
from tuning.progress import TimeLeft


class TableProgress:
    """What is redrawn while the block runs; nothing where the console is not a terminal."""

    def __init__(self, stage: CellStage, history: History, console: Console) -> None:
        self._stage, self._history = stage, history
        self._left = TimeLeft(self._done())
        self._live = Live(console=console, get_renderable=self.view, refresh_per_second=4, transient=True)
        self._shown = console.is_terminal

    def __enter__(self) -> "TableProgress":
        if self._shown:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if self._shown:
            self._live.stop()

    def view(self) -> Group:
        """What is shown now."""
        trials = self._history.of_kind("cell")
        states = Counter(trial.stop_reason for trial in trials)
        done, wanted = self._done(), self._done() + self._wanted()
        counts = ", ".join(f"{n} {state}" for state, n in sorted(states.items()))
        head = Lines.grid(padding=(0, 2))
        left = self._left.text(done, wanted, states["running"], time.monotonic())
        head.add_row(Text(self._stage.name, style="bold"), ProgressBar(total=wanted, completed=done, width=24), left)
        running = Lines(box=None, padding=(0, 2, 0, 0))
        for trial in trials:
            if trial.told is None:
                running.add_row(trial.asked.role, f"{trial.last['epoch']}/{trial.config.epochs}")
        return Group(head, Text(counts or "starting Ray", style="dim"), running)

    def _done(self) -> int:
        return sum(t.config.epochs if t.told else len(t.epochs) for t in self._history.of_kind("cell"))

    def _wanted(self) -> int:
        """Epochs that are not yet trained, of what runs and of what is still to be asked for."""
        running = [t for t in self._history.of_kind("cell") if t.told is None]
        return sum(t.config.epochs - len(t.epochs) for t in running) + self._stage.epochs_pending
