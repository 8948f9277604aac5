"""Asynchronous successive halving, fed from the event log: may a trial go on past the rung that it has reached?"""

from search_spaces.study import Rungs
from tuning.log.events import History, TrialRecord


def stops(rungs: Rungs, history: History, trial: TrialRecord, batch: int | None = None, arm: str | None = None) -> bool:
    """Whether a trial's last epoch is a rung at which its score is not among the best 1/reduction_factor so far.

    Only trials that reached the same rung before it count, in the order of the log: the answer is the same when the
    log is read again after a crash. Equal scores go on, and so does the first to arrive. In batches, trials are
    compared with those of earlier batches only, whose order does not depend on how many run at a time. arm: the
    symbol whose labels have a search each, so that a label's trials are compared with its own only.
    """
    own = rungs.of(trial.config)
    if trial.last["epoch"] not in own:
        return False
    level = own.index(trial.last["epoch"])
    trials = history.of_kind("trial")
    if batch:
        trials = trials[: trials.index(trial) // batch * batch]
    if arm:
        trials = [other for other in trials if other.asked.settings[arm] == trial.asked.settings[arm]]
    earlier = [_score_at(rungs, other, level, trial.arrivals[-1]) for other in trials]
    rivals = sorted((score for score in earlier if score is not None), reverse=True)
    if not rivals:
        return False
    cutoff = rivals[len(rivals) // rungs.reduction_factor]
    return trial.last["score"] < cutoff


def _score_at(rungs: Rungs, trial: TrialRecord, level: int, before: int) -> float | None:
    """A trial's score at a rung, None if it did not reach it before a place in the log, or copies a trial of its study.

    What is taken from another study counts: it is this study's only trial of its config.
    """
    own = rungs.of(trial.config)
    copied = trial.told is not None and isinstance(trial.told.reused_from, int)
    if copied or level >= len(own) or len(trial.epochs) < own[level]:
        return None
    return trial.epochs[own[level] - 1].result["score"] if trial.arrivals[own[level] - 1] < before else None
