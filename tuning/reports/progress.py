"""Live progress of a study in the terminal: the best so far, trials done, running and stopped, the time left."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from search_spaces.study import Study
from tuning.log.events import History
from tuning.log.results import best
from tuning.reports.grid import setting

MEANINGFUL_SECONDS = 5.0  # of training, before the time left is told


def redrawn(view: Callable[[], Group], console: Console) -> AbstractContextManager[object]:
    """A view that is drawn again and again while the block runs; nothing where the console is not a terminal."""
    if not console.is_terminal:
        return nullcontext()
    return Live(console=console, get_renderable=view, refresh_per_second=4, transient=True)


def header(title: str, done: int, wanted: int, left: str) -> Table:
    """The first line of a view: what it is of, a bar of epochs, the time left."""
    line = Table.grid(padding=(0, 2))
    line.add_row(Text(title, style="bold"), ProgressBar(total=wanted, completed=done, width=24), left)
    return line


def note(console: Console, said: Iterable[str]) -> None:
    """Print what a user should know, a line each."""
    for each in said:
        console.print(f"note: {each}", highlight=False, markup=False, soft_wrap=True)


class Progress:
    """What is shown of a study."""

    def __init__(self, study: Study, history: History) -> None:
        self._study, self._history = study, history
        self._left = TimeLeft(self._epochs_done())

    def view(self) -> Group:
        """What is shown now."""
        trials = list(self._history.trials.values())
        states = Counter(trial.stop_reason for trial in trials)
        confirming = any(trial.asked.kind == "confirm" for trial in trials)
        done, wanted = self._epochs_done(), self._epochs_wanted()
        counts = ", ".join(f"{n} {state.replace('_', ' ')}" for state, n in sorted(states.items()))
        left = self._left.text(done, wanted, states["running"], time.monotonic())
        title = f"{'confirming' if confirming else 'searching'} {self._study.space.name}"
        return Group(header(title, done, wanted, left), Text(counts or "starting Ray", style="dim"), self._running())

    def _running(self) -> Table:
        table = Table(box=None, padding=(0, 2, 0, 0))
        for name in ("", "trial", *self._study.space.symbols, "epoch", "val acc", "score"):
            table.add_column(name, justify="right", style="dim" if not name else "", no_wrap=True)
        leader = best(self._history.of_kind("trial"))
        running = [t for t in list(self._history.trials.values()) if t.told is None]
        for label, trial in ([("best", leader)] if leader else []) + [("", t) for t in running]:
            settings = [setting(trial.asked.settings.get(s, "-")) for s in self._study.space.symbols]
            name = f"{trial.asked.trial} {trial.asked.role}".strip()
            epoch = f"{trial.last['epoch']}/{trial.config.epochs}"
            accuracy = trial.last.get("val", {}).get("acc")
            cells = [f"{value:.3f}" if value is not None else "" for value in (accuracy, trial.last["score"])]
            table.add_row(label, name, *settings, epoch, *cells)
        return table

    def _epochs_done(self) -> int:
        return sum(t.config.epochs if t.told else len(t.epochs) for t in list(self._history.trials.values()))

    def _epochs_wanted(self) -> int:
        return (
            self._study.wanted + (2 + self._study.confirm_top) * self._study.confirm
        ) * self._study.space.base.epochs


class TimeLeft:
    """The time left, from the rate of epochs since the first one arrived: starting Ray is not part of it."""

    def __init__(self, before: int) -> None:
        self._before = before
        self._first: tuple[int, float] | None = None  # epochs done, and when, as the first fresh one was seen

    def text(self, done: int, wanted: int, running: int, now: float) -> str:
        """In words; '' until every trial that runs had the time for two more epochs, and some seconds passed."""
        if self._first is None:
            self._first = (done, now) if done > self._before else None
            return ""
        first, since = self._first
        fresh, seconds = done - first, now - since
        if fresh < 2 * max(1, running) or seconds < MEANINGFUL_SECONDS:
            return ""
        return f"about {_duration(seconds / fresh * max(0, wanted - done))} left"


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
