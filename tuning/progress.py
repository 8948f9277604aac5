"""Live progress of a study in the terminal: the best so far, trials done, running and stopped, the time left."""

import time
from collections import Counter
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from search_spaces.study import Study
from tuning.events import History
from tuning.report import ranked, setting


class Progress:
    """A table that is redrawn while the block runs; nothing where the console is not a terminal."""

    def __init__(self, study: Study, history: History, console: Console) -> None:
        self._study, self._history = study, history
        self._started = time.monotonic()
        self._epochs_before = self._epochs_done()
        self._live = Live(console=console, get_renderable=self._view, refresh_per_second=4, transient=True)
        self._shown = console.is_terminal

    def __enter__(self) -> "Progress":
        if self._shown:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if self._shown:
            self._live.stop()

    def _view(self) -> Group:
        trials = list(self._history.trials.values())
        states = Counter(trial.stop_reason for trial in trials)
        confirming = any(trial.asked.kind == "confirm" for trial in trials)
        done, wanted = self._epochs_done(), self._epochs_wanted()
        counts = ", ".join(f"{n} {state.replace('_', ' ')}" for state, n in sorted(states.items()))
        head = Table.grid(padding=(0, 2))
        stage = "confirming" if confirming else "searching"
        head.add_row(
            Text(f"{stage} {self._study.space.name}", style="bold"),
            ProgressBar(total=wanted, completed=done, width=24),
            f"{counts or 'starting Ray'}",
            self._time_left(done, wanted),
        )
        return Group(head, self._running())

    def _running(self) -> Table:
        table = Table(box=None, padding=(0, 2, 0, 0))
        for name in ("", "trial", *self._study.space.domains, "epoch", "val acc", "score"):
            table.add_column(name, justify="right", style="dim" if not name else "")
        best = ranked(self._history)[:1]
        running = [t for t in self._history.trials.values() if t.told is None]
        for label, trial in [("best", t) for t in best if t.stop_reason == "finished"] + [("", t) for t in running]:
            settings = [setting(trial.asked.settings.get(s, "-")) for s in self._study.space.domains]
            name = f"{trial.asked.trial} {trial.asked.role}".strip()
            epoch = f"{trial.last['epoch']}/{trial.config.epochs}"
            accuracy = trial.last.get("val", {}).get("acc")
            cells = [f"{value:.3f}" if value is not None else "" for value in (accuracy, trial.last["score"])]
            table.add_row(label, name, *settings, epoch, *cells)
        return table

    def _time_left(self, done: int, wanted: int) -> str:
        fresh = done - self._epochs_before
        if not fresh:
            return ""
        seconds = (time.monotonic() - self._started) / fresh * max(0, wanted - done)
        return f"about {seconds / 60:.0f} min left" if seconds > 90 else f"about {seconds:.0f} s left"

    def _epochs_done(self) -> int:
        return sum(t.config.epochs if t.told else len(t.epochs) for t in list(self._history.trials.values()))

    def _epochs_wanted(self) -> int:
        return (self._study.trials + 3 * self._study.confirm) * self._study.space.base.epochs
