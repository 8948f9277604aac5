"""When a search is over, and what it has spent: read from the event log alone."""

from collections import Counter
from dataclasses import dataclass

from search_spaces.study import Study
from tuning.log.events import History

ALL_FAIL = 5  # trials from the first on that fail before a study gives up
ENUMERABLE = 10_000  # points of a space, up to which it is counted which were tried


@dataclass(frozen=True)
class Spent:
    """What the trials of a search have cost: hours in which a driver ran, device hours, epochs that were trained."""

    wall_hours: float
    device_hours: float
    epochs: int


def spent(history: History, share: float) -> Spent:
    """`share` is the part of a device that a trial has."""
    epochs, seconds = history.trained.get("trial", (0, 0.0))
    return Spent(history.running_ms / 3_600_000, seconds * share / 3600, epochs)


def used_up(study: Study, history: History, share: float) -> str:
    """Which budget is used up, in words; '' while none is."""
    budget, so_far = study.budget, spent(history, share)
    for name in ("wall_hours", "device_hours", "epochs"):
        most, used = getattr(budget, name), getattr(so_far, name)
        if most is not None and used >= most:
            return f"the budget of {most:g} {name.replace('_', ' ')} is used up"
    return ""


def exhausted(study: Study, history: History) -> str:
    """Whether every point of a finite space was tried, in words; '' where points are left."""
    size = study.space.size
    if size is None or size > ENUMERABLE:
        return ""
    tried = {tuple(sorted(trial.asked.settings.items())) for trial in history.of_kind("trial")}
    return f"all {size} points of the space were tried" if len(tried) >= size else ""


def hopeless(history: History) -> str:
    """The error of a study whose first trials all failed, '' while there is hope."""
    ended = [trial for trial in history.of_kind("trial") if trial.told is not None]
    if len(ended) < ALL_FAIL or any(trial.stop_reason != "failed" for trial in ended):
        return ""
    (error, trials), *others = Counter(trial.told.error for trial in ended if trial.told).most_common()
    shared = f", {trials} of them with the same error" if others else ""
    return f"the first {len(ended)} trials all failed{shared}: {error}"


def end(study: Study, history: History, share: float) -> str:
    """Why no more trials are asked for, in words; '' while they are."""
    if len(history.of_kind("trial")) >= study.wanted:
        return "all trials were asked for"
    return used_up(study, history, share) or exhausted(study, history) or hopeless(history)
