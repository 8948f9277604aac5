"""What a trial came to, as a study judges it: its objectives' values, whether it is within the constraints."""

from collections.abc import Mapping, Sequence

from search_spaces.study import Study
from tuning.log.events import TrialRecord


def metric(trial: TrialRecord, name: str) -> float | None:
    """`score`, or a val metric at the epoch of the score; None before the last phase, or where a group has no class."""
    if name == "score" or trial.last["best_epoch"] is None:
        return trial.last["score"]
    val = trial.epochs[trial.last["best_epoch"] - 1].result["val"]
    return val.get(name.removeprefix("val_"))


def judged_by(study: Study) -> list[str]:
    """The metrics beside the score that a study's objectives and constraints are about."""
    names = [*study.objectives, *(constraint.metric for constraint in study.constraints)]
    return [name for name in dict.fromkeys(names) if name != "score"]


def judged(study: Study, trial: TrialRecord) -> dict[str, float]:
    """What a trial came to in those metrics, as far as it has them."""
    found = {name: metric(trial, name) for name in judged_by(study)}
    return {name: value for name, value in found.items() if value is not None}


def values(study: Study, trial: TrialRecord) -> tuple[float, ...] | None:
    """The objectives' values, the primary one first; None where one is missing."""
    found = [metric(trial, name) for name in study.objectives]
    return None if None in found else tuple(value for value in found if value is not None)


def violations(study: Study, trial: TrialRecord) -> dict[str, float]:
    """By how much a trial breaks each constraint, by the constraint's text; 0 or below is within it."""
    found = {str(c): (c, metric(trial, c.metric)) for c in study.constraints}
    return {text: c.violation(value) for text, (c, value) in found.items() if value is not None}


def feasible(study: Study, found: Mapping[str, float | None]) -> bool:
    """Whether values by metric are within all constraints; a metric without a value breaks nothing."""
    values = [(constraint, found.get(constraint.metric)) for constraint in study.constraints]
    return all(value is None or constraint.violation(value) <= 0 for constraint, value in values)


def dominates(a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether values are at least as good as others in all objectives, and better in one."""
    return all(x >= y for x, y in zip(a, b, strict=True)) and any(x > y for x, y in zip(a, b, strict=True))
