"""What length does to a table: the pairs of rows whose order is another in a shorter edition, on the same data."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, groupby, pairwise
from statistics import fmean

from search_spaces.claims import Contrast, Side
from search_spaces.table import Edition
from tuning.reports.document import Section
from tuning.reports.grid import Grid
from tuning.tables.claims import Judged
from tuning.tables.filled import Filled


@dataclass(frozen=True)
class Pair:
    """Two rows in a column: the first is ahead in the longer edition. Differences are first - second, in points."""

    column: str
    rows: tuple[str, str]
    shorter: Judged
    longer: Judged

    @property
    def changed(self) -> bool:
        """Whether the second is ahead in the shorter edition."""
        return self.shorter.difference < 0

    @property
    def told(self) -> bool:
        """Whether both orders are beyond the noise: each difference's one-sided bound lies on its side of 0."""
        sides = (self.shorter, self.longer)
        return self.changed and self.shorter.high < 0 < self.longer.low and not any(one.diverged for one in sides)


def pairs(shorter: Filled, longer: Filled) -> list[Pair]:
    """All pairs of rows that both have measured in a column, but for those that are level in the longer."""
    return [pair for column in longer.table.columns for pair in _in_column(column.label, shorter, longer)]


def lengths(editions: Sequence[Filled]) -> list[Section]:
    """Each edition beside the next longer one on the same data and by the same recipe: which orders changed."""
    measured = sorted((one for one in editions if one.used), key=lambda one: (_data(one.edition), _length(one)))
    alike = (list(group) for _, group in groupby(measured, lambda one: _data(one.edition)))
    found = [(shorter, longer, pairs(shorter, longer)) for group in alike for shorter, longer in pairwise(group)]
    return [_section(shorter, longer, common) for shorter, longer, common in found if common]


def _in_column(column: str, shorter: Filled, longer: Filled) -> Iterator[Pair]:
    for first, second in combinations([row.label for row in longer.table.rows], 2):
        contrast = Contrast(Side((first,), (column,)), Side((second,), (column,)), column)
        short, long = shorter.measured.judge(contrast), longer.measured.judge(contrast)
        if short and long and long.difference > 0:
            yield Pair(column, (first, second), short, long)
        elif short and long and long.difference < 0:
            yield Pair(column, (second, first), _turned(short), _turned(long))


def _turned(one: Judged) -> Judged:
    """second - first, of a judged first - second."""
    contrast = replace(one.contrast, better=one.contrast.worse, worse=one.contrast.better)
    return replace(one, contrast=contrast, difference=-one.difference, low=-one.high, high=-one.low, p=1 - one.p)


def _data(edition: Edition) -> tuple[str, str]:
    return edition.recipe, edition.on or ""


def _length(filled: Filled) -> float:
    """The mean of all its trainings' epochs, by which editions of a table are ordered."""
    return fmean(config.epochs for cell in filled.cells if cell.trains for config in cell.configs.values())


def _section(shorter: Filled, longer: Filled, found: Sequence[Pair]) -> Section:
    changed = [pair for pair in found if pair.changed]
    told = sum(pair.told for pair in changed)
    title = f"Orders that length changes: {shorter.where}, against {longer.where}"
    said = f"{len(found) - len(changed)} of {len(found)} pairs of rows are in the same order, {len(changed)} in another"
    beyond = f", of which {told} told from noise at both (by one-sided 95 % bounds, uncorrected)" if changed else ""
    stem = f"{shorter.edition.name}-to-{longer.edition.name}"
    tables = {stem: _grid(shorter, longer, changed)} if changed else {}
    return Section(title, (f"{title}. {said}{beyond}.",), tables)


def _grid(shorter: Filled, longer: Filled, changed: Sequence[Pair]) -> Grid:
    title = f"Rows in another order in {shorter.edition.name} than in {longer.edition.name}, differences in points"
    heads = ["column", "rows", shorter.edition.name, longer.edition.name, "told"]
    rows = [
        [pair.column, " - ".join(pair.rows), _points(pair.shorter), _points(pair.longer), "yes" if pair.told else "no"]
        for pair in sorted(changed, key=lambda pair: not pair.told)
    ]
    return Grid(title, heads, rows, len(rows), tuple(heads[1:4]), best=())


def _points(one: Judged) -> str:
    """A difference with its bounds, where the seeds give any."""
    return f"{one.difference:+.2f}" + (f" [{one.low:+.2f}, {one.high:+.2f}]" if one.spread else "")
