"""What a paper says of its own table: claims, as contrasts between cells. Not here: statistics of what was measured."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Side:
    """One side of a contrast: the best of some rows, each row's value being its mean over some columns.

    With one row and one column it is a cell; several columns are classes or metrics that one run serves.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Contrast:
    """`better` is better than `worse` by more than a margin, in points; a negative margin is what it may fall short by.

    strict: false lets a difference of exactly the margin pass, which is what a paper's "at least" means in print.
    case: what contrasts that hold or fall together have in common, as a claim counts them: mostly the column.
    """

    better: Side
    worse: Side
    case: str
    margin: float = 0.0
    strict: bool = True


@dataclass(frozen=True)
class Claim:
    """A sentence of a paper as contrasts, all of which it says hold.

    where: the section or table that says so; `ours` where this project asks the question (controls).
    share: `most`: it says so of more than half of the cases only.
    our_margin: the paper's words need a margin and it gives none: this project chose it.
    open: why nothing can be measured for it, '' where it can.
    """

    text: str
    where: str
    contrasts: tuple[Contrast, ...]
    share: Literal["all", "most"] = "all"
    our_margin: bool = False
    open: str = ""


def over(
    better: str,
    worse: Iterable[str],
    columns: Iterable[str],
    margin: float = 0.0,
    *,
    strict: bool = True,
    case: str = "",
) -> tuple[Contrast, ...]:
    """One row better than each of some others, in each column; a case is a column, after the prefix `case`."""
    others = tuple(worse)
    return tuple(
        Contrast(Side((better,), (column,)), Side((other,), (column,)), f"{case}{column}", margin, strict)
        for column in columns
        for other in others
    )
