"""What the paper's own numbers say of its claims: holds, fails or, where it has stds, undecided by Welch's test."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Literal

from scipy.special import stdtr

from search_spaces.claims import Claim, Contrast, Side
from search_spaces.table import Reported, Table
from tuning.reports.statistics import holm
from tuning.tables.claims import CONFIDENCE, sign


@dataclass(frozen=True)
class Printed:
    """A contrast in print: better - worse in points; an error counts the other way.

    p: Welch's, two-sided, where both have a std. corrected: p after Holm's correction over the claim.
    """

    contrast: Contrast
    difference: float
    p: float | None
    corrected: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the printed means have the order, and the margin, that the claim wants."""
        above = round(self.difference - self.contrast.margin, 9)
        return above > 0 or (above == 0 and not self.contrast.strict)


@dataclass(frozen=True)
class Own:
    """A claim by the paper's own numbers: how many cases hold in print, of how many; `failing` contrasts.

    undecided: the means have the order, but some difference is within the printed spread. n: runs behind a number.
    """

    verdict: Literal["holds", "fails", "undecided", "no numbers"]
    held: int
    cases: int
    printed: tuple[Printed, ...]
    n: int

    @property
    def failing(self) -> list[Printed]:
        """The contrasts that do not hold in print."""
        return [one for one in self.printed if not one.holds]


def own_numbers(claim: Claim, table: Table, *, corrected: bool = False) -> Own:
    """What the printed numbers say of a claim; `corrected` puts the right ones where the paper's are mistaken."""
    numbers = {key: _right(number) if corrected else number for key, number in table.reported.items()}
    found = tuple(p for contrast in claim.contrasts if (p := _printed(contrast, table, numbers)) is not None)
    found = _with_holm(found) if not claim.our_margin else found
    cases = list(dict.fromkeys(one.contrast.case for one in found))
    held = sum(all(one.holds for one in found if one.contrast.case == case) for case in cases)
    n = max((numbers[key].n for one in found for key in _keys(one.contrast) if key in numbers), default=0)
    return Own(_verdict(claim, found, held, len(cases)), held, len(cases), found, n)


def printed_differences(table: Table, claim: Claim) -> dict[Contrast, float]:
    """The paper's own difference of each contrast that it has numbers for, in points."""
    return {one.contrast: one.difference for one in own_numbers(claim, table).printed}


def _verdict(
    claim: Claim, found: tuple[Printed, ...], held: int, cases: int
) -> Literal["holds", "fails", "undecided", "no numbers"]:
    if not found:
        return "no numbers"
    enough = held == cases if claim.share == "all" else 2 * held > cases
    if not enough:
        return "fails"
    doubtful = any(one.corrected is not None and one.corrected >= 1 - CONFIDENCE for one in found)
    return "undecided" if doubtful else "holds"


def _right(number: Reported) -> Reported:
    return number if number.meant is None else replace(number, value=number.meant)


def _keys(contrast: Contrast) -> list[tuple[str, str]]:
    sides = (contrast.better, contrast.worse)
    return [(row, column) for side in sides for row in side.rows for column in side.columns]


def _printed(contrast: Contrast, table: Table, numbers: Mapping[tuple[str, str], Reported]) -> Printed | None:
    if not all(key in numbers for key in _keys(contrast)):
        return None
    better = max(_mean(contrast.better, row, table, numbers) for row in contrast.better.rows)
    worse = _mean(contrast.worse, contrast.worse.rows[0], table, numbers)
    a, b = (numbers[side.rows[0], side.columns[0]] for side in (contrast.better, contrast.worse))
    single = len(_keys(contrast)) == 2 and contrast.margin == 0
    return Printed(contrast, better - worse, _welch(a, b) if single else None)


def _mean(side: Side, row: str, table: Table, numbers: Mapping[tuple[str, str], Reported]) -> float:
    return fmean(sign(table, row, column) * numbers[row, column].value for column in side.columns)


def _welch(a: Reported, b: Reported) -> float | None:
    """Welch's two-sided p of two printed means; None where a std is not printed."""
    if a.std is None or b.std is None:
        return None
    va, vb = a.std**2 / a.n, b.std**2 / b.n
    df = (va + vb) ** 2 / (va**2 / (a.n - 1) + vb**2 / (b.n - 1))
    return 2 * float(stdtr(df, -abs(a.value - b.value) / math.sqrt(va + vb)))


def _with_holm(found: tuple[Printed, ...]) -> tuple[Printed, ...]:
    tested = [one for one in found if one.p is not None]
    corrected = iter(holm([one.p for one in tested if one.p is not None], 1 - CONFIDENCE))
    return tuple(replace(one, corrected=next(corrected)[0]) if one.p is not None else one for one in found)
