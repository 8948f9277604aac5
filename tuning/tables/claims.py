"""Claims of a paper against what was measured: confirmed, contradicted or undecided. Pure statistics on cells.

Values are in points, one for each seed of a cell. Seeds are paired: a cell's value is its row's mean plus its seed's
effect plus noise, whose spread is pooled over the rows of the same columns that are of the data, length and selection
of either side; where two cells share no seed it is that of the cells alone. Rows whose runs have a common part, as
IB's are CE's own up to T1, deviate together: between two of them the spread is theirs alone, elsewhere they count as
one row, their mean. Runs that diverged have no value: the others' mean is of those that survived, so that a contrast
with such a cell decides nothing. Not here: reading runs, and the words that a report prints.
"""

import math
from bisect import bisect_left
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import fmean, variance
from typing import Literal

import numpy as np
from scipy.special import chdtri, nctdtr, stdtr, stdtrit

from search_spaces.claims import Claim, Contrast
from search_spaces.table import Reported, Table
from tuning.reports.statistics import RESOLUTION, holm

CONFIDENCE = 0.95
POWER = 0.8
REPRODUCED = 1.0  # points: the widest half-width at which a cell is called reproduced
UNEVEN = 3  # times the least spread of some cells, above which the largest is told beside the pooled one
MOST_SEEDS = 10_000  # that are planned with
EXPECTED = {"cifar10": 1.0, "cifar100": 0.5}  # points: the difference planned for where the paper reports none
EXPECTED_ELSEWHERE = 1.0

Verdict = Literal["confirmed", "contradicted", "undecided"]
Cells = Mapping[tuple[str, str], Mapping[int, float]]
"""Measured values by labels of row and column, then by seed."""
_Values = Mapping[int, float]  # by seed
_Name = tuple[str, ...]  # a row's label and those of the columns over which its mean is taken
_Group = tuple[str | tuple[str, str], ...]  # what rows have in common, for each column


# --- cells ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CellVerdict:
    """A measured cell against the printed number: the difference of the means, in points, and what it allows to say.

    half_width: of the 95 % interval of that difference. word: `reproduced`, `compatible`, `other`, or '' with one seed.
    """

    difference: float
    half_width: float | None
    word: Literal["reproduced", "compatible", "other", ""]


def cell_verdict(values: Mapping[int, float], reported: Reported, spread: "Spread | None") -> CellVerdict:
    """compatible: |mean - reported| <= t * sigma * sqrt(1 / n + 1 / n_paper); reproduced: and no wider than 1 point.

    Where the paper's number is a mistake, it is held against what was meant.
    """
    difference = fmean(values.values()) - (reported.value if reported.meant is None else reported.meant)
    if len(values) < 2 or spread is None:
        return CellVerdict(difference, None, "")
    half = spread.quantile((1 + CONFIDENCE) / 2) * spread.sigma * math.sqrt(1 / len(values) + 1 / reported.n)
    if abs(difference) > half:
        return CellVerdict(difference, half, "other")
    return CellVerdict(difference, half, "reproduced" if half <= REPRODUCED else "compatible")


@dataclass(frozen=True)
class Spread:
    """A pooled standard deviation with its degrees of freedom."""

    sigma: float
    df: int

    def quantile(self, p: float) -> float:
        """Of Student's t at these degrees of freedom."""
        return float(stdtrit(self.df, p))

    @property
    def interval(self) -> tuple[float, float]:
        """sigma's 80 % interval."""
        low, high = (self.sigma * math.sqrt(self.df / float(chdtri(self.df, p))) for p in (0.1, 0.9))
        return low, high


def pooled(groups: Iterable[Sequence[Mapping[int, float]]]) -> Spread | None:
    """The spread within cells; a seed of cells that have a common part counts once. None where no cell has two."""
    many = [[list(values.values()) for values in cells if len(values) > 1] for cells in groups]
    found = [(fmean(map(variance, cells)), max(map(len, cells)) - 1) for cells in many if cells]
    df = sum(own for _, own in found)
    return Spread(math.sqrt(sum(squared * own for squared, own in found) / df), df) if df else None


# --- contrasts --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Judged:
    """A contrast as measured: better - worse in points (an error counts the other way), its standard error.

    low, high: the one-sided bounds. p: of a difference as low where the contrast's margin is the truth; Holm's
    correction is the claim's. n: seeds of the side that has fewer. spread: None where nothing can be said of it.
    diverged: whether a run of either side did.
    """

    contrast: Contrast
    difference: float
    error: float
    low: float
    high: float
    p: float
    n: int
    spread: Spread | None
    diverged: bool = False

    @property
    def confirmed(self) -> bool:
        """Whether the lower bound lies above the margin."""
        return self.tells and self.low > self.contrast.margin

    @property
    def tells(self) -> bool:
        """Whether its bounds say anything: runs that are equal to the digit do not, nor those that only survived."""
        return self.spread is not None and self.spread.sigma > 0 and not self.diverged


@dataclass(frozen=True)
class _Fit:
    """Row means with a common effect of each seed, by least squares; of the rows alone where seeds are not shared."""

    names: Sequence[_Name]
    means: np.ndarray
    covariance: np.ndarray  # of the means, over sigma squared
    design: np.ndarray
    spread: Spread | None

    def difference(self, better: _Name, worse: _Name) -> tuple[float, float] | None:
        """better - worse and its standard error over sigma; None where no seed ties them together."""
        c = np.zeros(self.design.shape[1])
        c[self.names.index(better)] += 1
        c[self.names.index(worse)] -= 1
        if not np.allclose(c @ np.linalg.pinv(self.design) @ self.design, c, atol=1e-8):
            return None
        return float(c @ self.means), math.sqrt(max(0.0, float(c @ self.covariance @ c)))


def _fit(rows: Mapping[_Name, _Values]) -> _Fit:
    names = list(rows)
    seeds = sorted({seed for values in rows.values() for seed in values})
    points = [(i, seeds.index(seed), value) for i, name in enumerate(names) for seed, value in rows[name].items()]
    design = np.zeros((len(points), len(names) + len(seeds)))
    for k, (i, j, _) in enumerate(points):
        design[k, i] = design[k, len(names) + j] = 1
    y = np.array([value for *_, value in points])
    inverse = np.linalg.pinv(design.T @ design)
    means = inverse @ design.T @ y
    df = len(points) - int(np.linalg.matrix_rank(design))
    residual = y - design @ means
    spread = Spread(round(math.sqrt(float(residual @ residual) / df), RESOLUTION), df) if df else None
    return _Fit(names, means, inverse, design, spread)


class Measured:
    """The cells of a table, of one edition and selection, and the contrasts between them."""

    def __init__(
        self,
        table: Table,
        cells: Cells,
        diverged: Collection[tuple[str, str]] = (),
        common: Mapping[tuple[str, str], str] | None = None,
        kinds: Mapping[tuple[str, str], Hashable] | None = None,
    ) -> None:
        """diverged: the cells some run of which did; their values are those of the others. common: what the runs of
        a cell have in common with those of others, by a name; a cell without one has nothing. kinds: what cells must
        have alike, their data, length and selection, for one sigma to be theirs; cells without one are alike."""
        self._table, self._diverged = table, frozenset(diverged)
        self._common, self._kinds = common or {}, kinds or {}
        self._cells = {key: values for key, values in cells.items() if values}

    def spread_of(self, column: str) -> Spread | None:
        """The spread within the cells of a column; a seed of rows with a common part counts once."""
        return pooled(self._grouped(self._rows((column,))).values())

    def judge(self, contrast: Contrast) -> Judged | None:
        """A contrast; None where a side was not measured. Of several rows, the best by its mean stands for them."""
        better = [found for row in contrast.better.rows if (found := self._values(row, contrast.better.columns))]
        worse = self._values(contrast.worse.rows[0], contrast.worse.columns)
        if len(better) < len(contrast.better.rows) or not worse:
            return None
        means = [fmean(values.values()) for values in better]
        best = contrast.better.rows[int(np.argmax(means))]
        alpha = (1 - CONFIDENCE) / len(better)  # the best of several was chosen
        found = self._judged(
            contrast, (best, *contrast.better.columns), (contrast.worse.rows[0], *contrast.worse.columns), alpha
        )
        return replace(found, diverged=bool(self.diverged_in([contrast])))

    def uneven(self, contrasts: Iterable[Contrast]) -> tuple[float, float] | None:
        """The least and the largest spread of the cells of some contrasts, where one pooled sigma is rough for them."""
        sides = {side for contrast in contrasts for side in (contrast.better, contrast.worse)}
        cells = [self._values(row, side.columns) for side in sides for row in side.rows]
        found = [math.sqrt(variance(values.values())) for values in cells if len(values) > 2]
        low, high = (min(found), max(found)) if found else (0.0, 0.0)
        return (low, high) if high > UNEVEN * low else None

    def diverged_in(self, contrasts: Iterable[Contrast]) -> list[tuple[str, str]]:
        """The cells of some contrasts that diverged on a seed, as they come."""
        sides = [side for contrast in contrasts for side in (contrast.better, contrast.worse)]
        keys = [(row, column) for side in sides for row in side.rows for column in side.columns]
        return [key for key in dict.fromkeys(keys) if key in self._diverged]

    def _judged(self, contrast: Contrast, better: _Name, worse: _Name, alpha: float) -> Judged:
        difference, error, spread = self._difference(better, worse)
        n = min(len(self._values(name[0], name[1:])) for name in (better, worse))
        if spread is None:
            return Judged(contrast, difference, math.nan, -math.inf, math.inf, 1.0, n, None)
        half = spread.quantile(1 - alpha) * error
        p = float(stdtr(spread.df, (difference - contrast.margin) / error)) if error else 1.0
        return Judged(contrast, difference, error, difference - half, difference + half, p, n, spread)

    def _difference(self, better: _Name, worse: _Name) -> tuple[float, float, Spread | None]:
        """Difference, standard error and spread: paired by seed where that can be, else of the cells alone."""
        rows = self._alike(better, worse)
        groups = self._grouped(rows)
        fit = _fit(self._beside(better, worse, rows, groups))
        paired = fit.difference(better, worse)
        if paired is not None and fit.spread is not None:
            return paired[0], paired[1] * fit.spread.sigma, fit.spread
        a, b = rows[better], rows[worse]
        spread = pooled(groups.values())
        difference = fmean(a.values()) - fmean(b.values())
        error = spread.sigma * math.sqrt(1 / len(a) + 1 / len(b)) if spread else math.nan
        return difference, error, spread

    def _beside(
        self, better: _Name, worse: _Name, rows: Mapping[_Name, _Values], groups: Mapping[_Group, Sequence[_Values]]
    ) -> dict[_Name, _Values]:
        """The rows that tell the spread of a difference: of one group where both are of it, else one of each group."""
        of_better, of_worse = self._group(better), self._group(worse)
        if of_better == of_worse:
            return {name: values for name, values in rows.items() if self._group(name) == of_better}
        own = {name: rows[name] for name in (better, worse)}
        others = [_mean(cells) for group, cells in groups.items() if group not in (of_better, of_worse)]
        return own | {("", str(number)): values for number, values in enumerate(others) if values}

    def _alike(self, better: _Name, worse: _Name) -> dict[_Name, _Values]:
        """The rows over both sides' columns that are of the kind of either side."""
        kinds = {self._kind(better), self._kind(worse)}
        rows = {name: row for columns in sorted({better[1:], worse[1:]}) for name, row in self._rows(columns).items()}
        return {name: values for name, values in rows.items() if self._kind(name) in kinds}

    def _grouped(self, rows: Mapping[_Name, _Values]) -> dict[_Group, list[_Values]]:
        """Rows' values, those with a common part together."""
        found: dict[_Group, list[_Values]] = {}
        for name, values in rows.items():
            found.setdefault(self._group(name), []).append(values)
        return found

    def _rows(self, columns: tuple[str, ...]) -> dict[_Name, _Values]:
        named = {(row.label, *columns): self._values(row.label, columns) for row in self._table.rows}
        return {name: values for name, values in named.items() if values}

    def _group(self, name: _Name) -> _Group:
        """What the runs of a row have in common with others', column by column."""
        return tuple(self._common.get((name[0], column), (name[0], column)) for column in name[1:])

    def _kind(self, name: _Name) -> tuple[Hashable, ...]:
        """A row's data, length and selection, column by column."""
        return tuple(self._kinds.get((name[0], column)) for column in name[1:])

    def _values(self, row: str, columns: tuple[str, ...]) -> dict[int, float]:
        """A row's mean over some columns, by seed; more is better. Seeds that lack a column are left out."""
        cells = [self._cells.get((row, column), {}) for column in columns]
        signs = [sign(self._table, row, column) for column in columns]
        seeds = set(cells[0]).intersection(*cells[1:])
        return {seed: fmean(s * cell[seed] for s, cell in zip(signs, cells, strict=True)) for seed in sorted(seeds)}


def _mean(cells: Sequence[_Values]) -> _Values:
    """The mean of several rows, by seed; of the seeds that all of them have."""
    seeds = set(cells[0]).intersection(*cells[1:])
    return {seed: fmean(values[seed] for values in cells) for seed in sorted(seeds)}


def sign(table: Table, row: str, column: str) -> int:
    """-1 where less is better."""
    return -1 if table.unit(table.row(row), table.column(column)) == "error" else 1


# --- claims -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class JudgedClaim:
    """A claim as measured: the contrasts that were. Cases are counted as confirmed or contradicted as a whole.

    n: seeds that would decide the hardest undecided contrast, for the low and the high end of sigma's 80 % interval,
    at a difference of `planned` points above its margin; None where nothing is known of the spread, or all is decided.
    """

    claim: Claim
    verdict: Verdict
    judged: tuple[Judged, ...]
    hardest: Contrast | None = None
    planned: float | None = None
    n: tuple[int | None, int | None] | None = None

    @cached_property
    def contradicting(self) -> list[Judged]:
        """The contrasts whose upper bound lies below the margin after Holm's correction."""
        corrected = holm([one.p for one in self.judged], 1 - CONFIDENCE)
        below = [one for one, (p, _) in zip(self.judged, corrected, strict=True) if p < 1 - CONFIDENCE]
        return [one for one in below if not one.diverged]


def judge(
    claim: Claim, measured: Measured, expected: Mapping[Contrast, float], otherwise: Mapping[str, float]
) -> JudgedClaim:
    """A claim against cells. expected: the paper's differences, in points; otherwise: by column, where it has none."""
    found = [measured.judge(contrast) for contrast in claim.contrasts]
    judged = tuple(one for one in found if one is not None)
    raw = JudgedClaim(claim, "undecided", judged)
    verdict = _verdict(claim, raw)
    if verdict != "undecided":
        return JudgedClaim(claim, verdict, judged)
    open_ = [one for one in judged if not one.confirmed and one.spread and not one.diverged]
    plans = [
        (planned, one.spread, one.contrast)
        for one in open_
        if (planned := _planned(one.contrast, expected, otherwise)) and one.spread
    ]
    if not plans:
        return raw
    planned, spread, hardest = min(plans, key=lambda plan: plan[0] / plan[1].interval[1] if plan[1].sigma else math.inf)
    low, high = spread.interval
    n = (seeds_to_tell(planned, low), seeds_to_tell(planned, high))
    return JudgedClaim(claim, verdict, judged, hardest, planned, n)


def _planned(contrast: Contrast, expected: Mapping[Contrast, float], otherwise: Mapping[str, float]) -> float:
    """How far the paper puts a contrast above its margin, in points; 0 where nothing can be planned.

    Where it does not, of two that are to be equal but for a margin: that they are equal.
    """
    above = expected.get(contrast, 0.0) - contrast.margin
    if contrast in expected and above > 0:
        return above
    general = otherwise.get(contrast.better.columns[0], 0.0)
    return min(general, -contrast.margin) if contrast.margin < 0 else general


def _verdict(claim: Claim, raw: JudgedClaim) -> Verdict:
    contradicted = {one.contrast.case for one in raw.contradicting}
    cases = list(dict.fromkeys(contrast.case for contrast in claim.contrasts))
    confirmed = {one.contrast for one in raw.judged if one.confirmed}
    held = [case for case in cases if all(c in confirmed for c in claim.contrasts if c.case == case)]
    if claim.share == "all":
        return "contradicted" if contradicted else "confirmed" if cases and len(held) == len(cases) else "undecided"
    if 2 * len(held) > len(cases):
        return "confirmed"
    return "contradicted" if cases and 2 * len(contradicted) >= len(cases) else "undecided"


def expected_difference(dataset: str) -> float:
    """Points to plan with where the paper reports no difference."""
    return EXPECTED.get(dataset, EXPECTED_ELSEWHERE)


def seeds_to_tell(difference: float, sigma: float, power: float = POWER) -> int | None:
    """Seeds for each of two cells that would tell a difference by a two-sided t test at 5 %; None for over 10,000."""
    if sigma == 0 or difference <= 0:
        return 2 if difference > 0 else None
    tried = range(2, MOST_SEEDS + 1)
    place = bisect_left(tried, power, key=lambda n: _power(n, difference / sigma))
    return tried[place] if place < len(tried) else None


def _power(n: int, ratio: float) -> float:
    """The chance that n seeds for each of two cells tell a difference of so many sigmas; it rises with n."""
    threshold = stdtrit(2 * (n - 1), (1 + CONFIDENCE) / 2)
    return 1 - nctdtr(2 * (n - 1), ratio * math.sqrt(n / 2), threshold)
