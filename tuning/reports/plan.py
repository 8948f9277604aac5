"""What a study would cost, before it is run: trainings, epochs, time, what need not be trained again."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from lt_core.config import TrainConfig
from lt_core.data import load_parts
from lt_core.train import Run
from search_spaces.study import Study, last_switch
from tuning.engine.library import Library
from tuning.log.events import History
from tuning.log.limits import Spent, spent
from tuning.record.identity import Identity
from tuning.reports.grid import Grid
from tuning.shell.home import Home


@dataclass(frozen=True)
class Plan:
    """The cost of a study, or of the rest of one that has begun, as far as it can be told.

    trials: of the whole study; done: those that ended. epochs: still to train, expected with early stopping, of the
    search; most_epochs: without it. confirming and confirm_epochs: of the confirmation. seconds: of an epoch, None
    where nothing like it was timed. at_hand: trainings known now that need not be trained, and cost no epoch here.
    standard_error: of one score near `accuracy`, from the size of val.
    """

    trials: int
    done: int
    rungs: tuple[int, ...]
    since_switch: bool
    epochs: int
    most_epochs: int
    confirming: int
    confirm_epochs: int
    at_hand: int
    seconds: float | None
    share: float
    concurrent: int
    val_images: int
    standard_error: float
    budget: dict[str, Any]

    @property
    def device_hours(self) -> float | None:
        """Of search and confirmation; None where the time of an epoch is unknown."""
        if self.seconds is None:
            return None
        return (self.epochs + self.confirm_epochs) * self.seconds * self.share / 3600

    @property
    def wall_hours(self) -> float | None:
        """The same with so many trials at a time, without starting up."""
        if self.seconds is None:
            return None
        return (self.epochs + self.confirm_epochs) * self.seconds / self.concurrent / 3600

    def document(self) -> dict[str, Any]:
        """As plain data."""
        return {**asdict(self), "device_hours": self.device_hours, "wall_hours": self.wall_hours}

    def grid(self) -> Grid:
        """As a table."""
        return Grid("Plan (nothing was trained)", ["what", "how much"], list(self._rows()), 0, ("how much",))

    def _rows(self) -> Iterator[list[str]]:
        where = "epochs since each trial's own switch" if self.since_switch else "epochs"
        yield ["trials", f"{self.trials}, {self.done} of them done" if self.done else str(self.trials)]
        yield ["rungs", f"{where} {', '.join(map(str, self.rungs))}" if self.rungs else "none"]
        stopped = f"about {self.epochs} with early stopping, " if self.rungs else ""
        yield ["epochs of the search", f"{stopped}{self.most_epochs} at most"]
        yield ["confirmation", f"at most {self.confirming} trainings, {self.confirm_epochs} epochs"]
        yield ["trained already", f"{self.at_hand} of the trainings that are known beforehand, not counted above"]
        yield ["seconds per epoch", "unknown: --calibrate measures" if self.seconds is None else f"{self.seconds:.3g}"]
        yield ["time", hours(self.wall_hours) + f", {self.concurrent} at a time"]
        yield ["device hours", hours(self.device_hours)]
        yield ["budget", ", ".join(f"{v:g} {k.replace('_', ' ')}" for k, v in self.budget.items() if v) or "none"]
        yield [
            "standard error of a score",
            f"at most {100 * self.standard_error:.2f} points ({self.val_images} images)",
        ]


def plan(study: Study, home: Home, history: History, share: float, concurrent: int, seconds: float | None) -> Plan:
    """The plan of a study with such a log. `seconds` of an epoch, None to take what this home has recorded."""
    parts = load_parts(study.space.base.data, home.data)
    library = Library(home.path)
    rungs, length = study.effective_rungs, study.space.base.epochs
    trials = min(study.wanted, study.space.size or study.wanted)
    done = sum(trial.told is not None for trial in history.of_kind("trial"))
    at_hand = [library.has(tags, "trial") for tags in _known_beforehand(study, home, done)]
    fresh = max(0, trials - done - sum(at_hand))
    whole = fresh > 0 and done == 0 and not any(at_hand[:1])
    most = min(fresh * length, math.inf if study.budget.epochs is None else _left(study.budget.epochs, history))
    confirming = max(0, study.confirming - _confirmed(history, ended=done >= trials))
    return Plan(
        trials=trials,
        done=done,
        rungs=rungs.epochs,
        since_switch=rungs.since == "switch",
        epochs=int(min(_expected_epochs(study, fresh, whole=whole), most)),
        most_epochs=int(most),
        confirming=confirming,
        confirm_epochs=confirming * length,
        at_hand=sum(at_hand),
        seconds=library.seconds(study.space.base) if seconds is None else seconds,
        share=share,
        concurrent=concurrent,
        val_images=len(parts.val),
        standard_error=math.sqrt(0.25 / len(parts.val)),
        budget=study.budget.plain(),
    )


def _known_beforehand(study: Study, home: Home, done: int) -> Iterator[dict[str, str]]:
    """The tags of the trials that no sampler chooses, but for those that are done: the paper's setting is the first."""
    identity = Identity(home.data)
    for point in study.points[done : study.wanted]:
        yield identity.tags(study.space.config(point))


def _confirmed(history: History, *, ended: bool) -> int:
    """Confirming runs that stay so: while trials are to come, another config may be the best."""
    done = [trial for trial in history.of_kind("confirm") if trial.told and trial.stop_reason != "failed"]
    return sum(ended or trial.asked.role in ("paper", "CE") for trial in done)


def _left(epochs: float, history: History) -> float:
    return max(0, epochs - spent(history, 1.0).epochs)


def _expected_epochs(study: Study, trials: int, *, whole: bool) -> int:
    """Of so many trials, were 1 of `reduction_factor` to go on past each rung; whole: the first runs to its end."""
    rungs, length = study.effective_rungs, study.space.base.epochs
    offset = last_switch(study.space) if rungs.since == "switch" else 0
    marks = [0, *(mark + offset for mark in rungs.epochs if mark + offset < length), length]
    spans = [end - start for start, end in pairwise(marks)]
    each = sum(span / rungs.reduction_factor**level for level, span in enumerate(spans))
    return whole * length + round((trials - whole) * each)


def calibrated(config: TrainConfig, home: Home, device: str) -> float:
    """The seconds of an epoch, measured: the second of two, since the first one starts things up."""
    run = Run(config, home.data, device)
    run.step()
    return run.step().seconds


def compared(before: dict[str, Any], after: Spent) -> str:
    """How far off a plan, as a document, was, in a sentence; '' without one."""
    if not before:
        return ""
    said = f"Planned: about {before['epochs']} epochs of search; trained: {after.epochs}."
    if before["seconds"] is None:
        return said
    foreseen = before["epochs"] * before["seconds"] * before["share"] / 3600
    return f"{said} Planned: {hours(foreseen)} on the device; taken: {hours(after.device_hours)}."


def hours(number: float | None) -> str:
    """A number of hours in words."""
    if number is None:
        return "unknown"
    if number < 1 / 60:
        return f"{3600 * number:.0f} s"
    return f"{60 * number:.0f} min" if number < 2 else f"{number:.1f} h"
