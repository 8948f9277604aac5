"""Live progress of a table in the terminal: trainings done and running, the time left."""

import time
from collections import Counter

from rich.console import Group
from rich.table import Table as Lines
from rich.text import Text

from tuning.engine.cells import CellStage
from tuning.log.events import History
from tuning.reports.progress import TimeLeft, header


class TableProgress:
    """What is shown of a table."""

    def __init__(self, stage: CellStage, history: History) -> None:
        self._stage, self._history = stage, history
        self._left = TimeLeft(self._done())

    def view(self) -> Group:
        """What is shown now."""
        trials = self._history.of_kind("cell")
        states = Counter(trial.stop_reason for trial in trials)
        done, wanted = self._done(), self._done() + self._wanted()
        counts = ", ".join(f"{n} {state}" for state, n in sorted(states.items()))
        left = self._left.text(done, wanted, states["running"], time.monotonic())
        head = header(self._stage.name, done, wanted, left)
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
