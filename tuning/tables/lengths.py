"""What length does to the order of a table's rows: two editions that differ in nothing else, beside each other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations, groupby
from statistics import fmean

from search_spaces.claims import Contrast, Side
from search_spaces.table import Edition, Table
from tuning.reports.document import Section
from tuning.reports.grid import Grid
from tuning.reports.statistics import RESOLUTION
from tuning.tables.claims import Judged
from tuning.tables.filled import Filled


@dataclass(frozen=True)
class Pair:
    """Two rows in a column, the first ahead in the longer edition; the differences say by how many points it is."""

    column: str
    rows: tuple[str, str]
    shorter: Judged
    longer: Judged

    @property
    def diverged(self) -> bool:
        """Whether a run of either row did, at either length: the others only survived."""
        return self.shorter.diverged or self.longer.diverged

    @property
    def level(self) -> bool:
        """Whether the rows' means are equal at either length."""
        return not (_points(self.shorter) and _points(self.longer))

    @property
    def changed(self) -> bool:
        """Whether the second is ahead in the shorter edition."""
        return _points(self.shorter) < 0

    @property
    def told(self) -> bool:
        """Whether both orders are told from noise: each one-sided bound lies on its difference's side of 0."""
        return self.shorter.tells and self.longer.tells and self.shorter.high < 0 < self.longer.low


@dataclass(frozen=True)
class Lengths:
    """Two editions that differ in length alone, and the pairs of rows that both have measured in a column."""

    shorter: Filled
    longer: Filled
    pairs: Sequence[Pair]

    @cached_property
    def compared(self) -> list[Pair]:
        """The pairs that have an order at both lengths, and of which no run diverged."""
        return [pair for pair in self.pairs if not pair.diverged and not pair.level]

    @cached_property
    def changed(self) -> list[Pair]:
        """Those in another order, the ones told from noise first."""
        return sorted((pair for pair in self.compared if pair.changed), key=lambda pair: not pair.told)

    @property
    def sentence(self) -> str:
        """How many kept their order, and how many did not."""
        diverged = sum(pair.diverged for pair in self.pairs)
        level = len(self.pairs) - len(self.compared) - diverged
        told = sum(pair.told for pair in self.changed)
        noise = f" (told from noise at both, by one-sided 95 % bounds, uncorrected: {told})" if self.changed else ""
        same, changed = len(self.compared) - len(self.changed), len(self.changed)
        left_out = (f", level at one: {level}" if level else "") + (
            f", with a run that diverged: {diverged}" if diverged else ""
        )
        return (
            f"{len(self.pairs)} pairs of rows in {self.shorter.edition.name} and {self.longer.edition.name}; "
            f"in the same order: {same}, in another: {changed}{noise}{left_out}."
        )

    @property
    def section(self) -> Section:
        """As a part of a report."""
        stem = f"{self.shorter.edition.name}-to-{self.longer.edition.name}"
        tables = {stem: self._grid()} if self.changed else {}
        return Section(f"Orders at two lengths: {self.shorter.where}; {self.longer.where}", (self.sentence,), tables)

    def _grid(self) -> Grid:
        shorter, longer = self.shorter.edition.name, self.longer.edition.name
        heads = ["column", "ahead in the longer", "of", shorter, longer, "told"]
        rows = [
            [pair.column, *pair.rows, _text(pair.shorter), _text(pair.longer), "yes" if pair.told else "no"]
            for pair in self.changed
        ]
        return Grid(
            "Rows in another order: points that the first is ahead", heads, rows, len(rows), tuple(heads[1:5]), best=()
        )


def lengths(editions: Sequence[Filled]) -> list[Lengths]:
    """Each edition beside the next longer one of the same recipe and data with which it shares rows."""
    measured = sorted((one for one in editions if one.used), key=lambda one: (_recipe(one.edition), _epochs(one)))
    alike = (list(group) for _, group in groupby(measured, lambda one: _recipe(one.edition)))
    return [found for group in alike for i in range(len(group)) if (found := _beside_next(group[i:]))]


def _beside_next(group: Sequence[Filled]) -> Lengths | None:
    shorter, *others = group
    longer = (other for other in others if _epochs(other) > _epochs(shorter))
    return next((Lengths(shorter, one, found) for one in longer if (found := pairs(shorter, one))), None)


def pairs(shorter: Filled, longer: Filled) -> list[Pair]:
    """All pairs of rows that both editions have measured in a column of accuracies or errors."""
    found = longer.distinct(one for column in longer.table.columns for one in _in_column(column.label, longer.table))
    return [pair for one in found if (pair := _pair(one, shorter, longer))]


def _in_column(column: str, table: Table) -> Iterator[Contrast]:
    rows = [row.label for row in table.rows if table.unit(row, table.column(column)) in ("accuracy", "error")]
    for first, second in combinations(rows, 2):
        yield Contrast(Side((first,), (column,)), Side((second,), (column,)), column)


def _pair(contrast: Contrast, shorter: Filled, longer: Filled) -> Pair | None:
    long = longer.measured.judge(contrast)
    if long and long.difference < 0:
        contrast = replace(contrast, better=contrast.worse, worse=contrast.better)
    short, long = (filled.measured.judge(contrast) for filled in (shorter, longer))
    ahead = (contrast.better.rows[0], contrast.worse.rows[0])
    return Pair(contrast.case, ahead, short, long) if short and long else None


def _recipe(edition: Edition) -> tuple[str, bool, str]:
    """All of an edition but its length."""
    return edition.recipe, edition.short, edition.on or ""


def _epochs(filled: Filled) -> float:
    """The mean length of all its trainings, by which editions are ordered."""
    return fmean(config.epochs for cell in filled.cells if cell.trains for config in cell.configs.values())


def _points(one: Judged) -> float:
    return round(one.difference, RESOLUTION)


def _text(one: Judged) -> str:
    """A difference with its bounds, where the seeds give any."""
    return f"{_points(one):+.2f}" + (f" [{one.low:+.2f}, {one.high:+.2f}]" if one.spread else "")
