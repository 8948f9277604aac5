"""Comparisons over seeds: paired t intervals, Holm's correction, how many seeds would decide, the luck of a search."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev

import numpy as np
from scipy.special import nctdtr, stdtr, stdtrit

CONFIDENCE = 0.95
POWER = 0.8  # of the test that `seeds_to_decide` plans
MOST_SEEDS = 1000  # that it plans with: whoever needs more should call the configs equal
RESOLUTION = 12  # decimal places; accuracies are ratios of counts, what lies below is floating point


@dataclass(frozen=True)
class Difference:
    """A paired difference of accuracies over n seeds: mean, standard deviation, two-sided t interval, p value.

    `confidence` is the interval's own; it is above 95 % where several comparisons share 5 % (Holm, 1979). `diverged`:
    whether either side did on a seed, so that these are the seeds that survived.
    """

    mean: float
    deviation: float
    n: int
    low: float
    high: float
    p: float
    confidence: float = CONFIDENCE
    diverged: bool = False

    @property
    def verdict(self) -> str:
        """better, not better, or undecided: whether the interval lies above 0, at or below 0, or holds it.

        Seeds that all gain, or all lose, exactly the same say nothing of the spread: an interval without width is
        undecided, unless there is no difference at all. Nor do seeds that only survived decide anything.
        """
        if self.diverged or self.low == self.high != 0:
            return "undecided"
        return "better" if self.low > 0 else "not better" if self.high <= 0 else "undecided"


def mean(values: Collection[float]) -> float | None:
    """The mean; None of nothing."""
    return fmean(values) if values else None


def deviation(values: Collection[float]) -> float | None:
    """The standard deviation of the sample (n - 1); None with fewer than two."""
    return stdev(values) if len(values) > 1 else None


def paired_difference(
    a: Mapping[int, float], b: Mapping[int, float], confidence: float = CONFIDENCE
) -> Difference | None:
    """a - b over the seeds that both have; None with fewer than two."""
    differences = [round(a[seed] - b[seed], RESOLUTION) for seed in a if seed in b]
    n = len(differences)
    if n < 2:
        return None
    centre, spread = fmean(differences), stdev(differences)
    error = spread / math.sqrt(n)
    half = float(stdtrit(n - 1, (1 + confidence) / 2)) * error
    p = 2 * float(stdtr(n - 1, -abs(centre) / error)) if error else 1.0
    return Difference(centre, spread, n, centre - half, centre + half, p, confidence)


def differences_to(
    reference: Mapping[int, float], others: Sequence[Mapping[int, float]], confidence: float = CONFIDENCE
) -> list[Difference | None]:
    """Each other's difference to one reference, corrected together after Holm (1979): p values and intervals.

    Intervals are widened step by step like the p values, so that one leaves out 0 exactly where Holm rejects.
    """
    raw = [paired_difference(other, reference) for other in others]
    corrected = iter(holm([difference.p for difference in raw if difference], 1 - confidence))
    found: list[Difference | None] = []
    for other, difference in zip(others, raw, strict=True):
        p, level = next(corrected) if difference else (1.0, 1.0)
        wider = paired_difference(other, reference, 1 - level)
        found.append(replace(wider, p=p) if wider else None)
    return found


def holm(p_values: Sequence[float], alpha: float) -> list[tuple[float, float]]:
    """For each p value: the corrected one, and the level that it was held against or would have been.

    The smallest is held against alpha / m, the next against alpha / (m - 1), and so on; the first that fails stops it.
    """
    found = [(1.0, alpha)] * len(p_values)
    corrected, level, stopped = 0.0, alpha, False
    for rank, i in enumerate(np.argsort(p_values, kind="stable")):
        left = len(p_values) - rank
        if not stopped:
            level = alpha / left
            stopped = p_values[i] > level
        corrected = max(corrected, min(1.0, left * p_values[i]))
        found[i] = (corrected, level)
    return found


def seeds_to_decide(difference: Difference, power: float = POWER) -> int | None:
    """How many seeds would tell a difference from 0, were it and its spread the true ones; None for over 1,000.

    The smallest n at which a two-sided paired t test at the difference's own level has this power. None, too, where
    seeds diverged: more of them would not undo that.
    """
    if difference.diverged or not difference.mean or not difference.deviation:
        return None
    n = np.arange(2, MOST_SEEDS + 1)
    effect = abs(difference.mean) / difference.deviation
    threshold = stdtrit(n - 1, (1 + difference.confidence) / 2)
    enough = n[1 - nctdtr(n - 1, effect * np.sqrt(n), threshold) >= power]
    return int(enough[0]) if len(enough) else None


def luck(score: float, fresh: Mapping[int, float]) -> Difference | None:
    """How much of a search's score was luck: the score by which a config was chosen, less its mean on fresh seeds.

    The interval is of what the score has above the mean of all seeds. None with fewer than two.
    """
    return paired_difference(dict.fromkeys(fresh, score), fresh)
