"""A table's cells as text: blocks of columns with the paper's number beside the measured one, and one line a cell."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from statistics import fmean, stdev

from search_spaces.table import Cell, Column, Reported, Row, Table, Unit
from tuning.engine.measures import SUFFIXES, Selection, is_series
from tuning.reports.grid import BESIDE, Grid
from tuning.tables.claims import CellVerdict, cell_verdict, sign
from tuning.tables.filled import Filled

MOST_COLUMNS = 5  # of a block: as many as fit a terminal of 80 columns
DIVERGED = "diverged"
MARKS = {"reproduced": "r", "compatible": "c", "other": "x", "": "", DIVERGED: "d"}
LEGEND = (
    "r: reproduced, within the interval that the seeds allow and that is no wider than 1 point; c: compatible, within "
    "it; x: outside it."
)


@dataclass(frozen=True)
class Shown:
    """One cell: its number in the paper, what was measured at the same epoch, the verdict on both.

    read: that epoch, whatever the recipe; the table's where there is no number, or its epoch is not recorded.
    diverged: the seeds that did. They have no value, and leave the others without a verdict: these only survived.
    before: where a best epoch is read, that of the seeds that diverged, which came before.
    """

    cell: Cell | None
    row: Row
    column: Column
    reported: Reported | None
    values: Mapping[int, float]
    verdict: CellVerdict | None
    diverged: Sequence[int] = ()
    read: Selection | None = None
    before: Mapping[int, float] = field(default_factory=dict)


@lru_cache(maxsize=1)
def shown(filled: Filled) -> Mapping[tuple[str, str], Shown]:
    """Every cell that has a number or may have one."""
    table, cells = filled.table, {cell.key: cell for cell in filled.cells}
    found = {}
    for row in table.rows:
        for column in table.columns_of(row):
            key = (row.label, column.label)
            if key in cells or key in table.reported:
                found[key] = _shown(filled, row, column, cells.get(key))
    return found


def _shown(filled: Filled, row: Row, column: Column, cell: Cell | None) -> Shown:
    reported = filled.table.reported.get((row.label, column.label))
    if cell is None or is_series(cell.read):
        return Shown(cell, row, column, reported, {}, None)
    own, diverged = filled.selection_of(cell), filled.diverged(cell)
    read = filled.selection_of_paper(cell) if reported and cell.trains else own
    values = filled.values(cell, read)
    if reported is None or not values:
        before = filled.before_divergence(cell, own)
        return Shown(cell, row, column, reported, filled.values(cell, own), None, diverged, own, before)
    wrong = bool(reported.mistake) and reported.meant is None
    same = cell.trains and filled.table.same_recipe(row, filled.edition)
    judged = filled.full and same and not row.control and not diverged and not wrong
    verdict = cell_verdict(values, reported, filled.spread_of(cell, read)) if judged else None
    return Shown(cell, row, column, reported, values, verdict, diverged, read, filled.before_divergence(cell, read))


def read_apart(filled: Filled) -> dict[Selection, list[str]]:
    """The rows with cells that are read at another epoch than the table's, as the paper's number is, by that epoch."""
    found: dict[Selection, list[str]] = {}
    for one in shown(filled).values():
        if one.values and one.cell and one.cell.trains and one.read and one.read != filled.selection_of(one.cell):
            rows = found.setdefault(one.read, [])
            rows += [one.row.label] if one.row.label not in rows else []
    return found


# --- blocks -----------------------------------------------------------------------------------------


def blocks(filled: Filled, where: str, *, narrow: bool = False) -> dict[str, Grid]:
    """The table in blocks of columns. where: which data and length, said in every title.

    narrow: the paper's number above the measured one, for the terminal; else beside it.
    """
    cells, found = shown(filled), {}
    for columns in _blocks(filled):
        inside = {key: one for key, one in cells.items() if key[1] in {column.label for column in columns}}
        rows = [row for row in filled.table.rows if any(key[0] == row.label for key in inside)]
        if not rows:
            continue
        printed = "paper" if filled.table.reported else "no number in print"
        measured = f" | measured, {where}" if any(one.values for one in cells.values()) else ""
        mistaken = any(one.reported and one.reported.mistake for one in inside.values())
        marked = " (!: a mistake of the paper's)" if mistaken else ""
        title = f"{columns[0].group or filled.table.name}: {printed}{measured}{marked}"
        grid = _narrow if narrow and measured else _wide
        found[f"{filled.edition.name}-{len(found) + 1}"] = grid(title, filled, rows, columns, inside)
    return found


def _blocks(filled: Filled) -> Iterator[Sequence[Column]]:
    drawn = [column for column in filled.table.columns if not is_series(column.read)]
    for _, group in groupby(drawn, lambda column: column.group):
        columns = list(group)
        for start in range(0, len(columns), MOST_COLUMNS):
            yield columns[start : start + MOST_COLUMNS]


Inside = Mapping[tuple[str, str], Shown]


def _wide(title: str, filled: Filled, rows: Sequence[Row], columns: Sequence[Column], inside: Inside) -> Grid:
    texts = [
        [_label(row), *(_beside(inside.get((row.label, column.label)), filled) for column in columns)] for row in rows
    ]
    corner = f"other data: {filled.edition.on}" if filled.edition.on else ""  # a file has no title
    heads = [corner, *(_head(column) for column in columns)]
    return Grid(title, heads, texts, len(texts), best=_best(filled, rows, columns, inside, 1))


def _narrow(title: str, filled: Filled, rows: Sequence[Row], columns: Sequence[Column], inside: Inside) -> Grid:
    texts: list[list[str]] = []
    for row in rows:
        cells = [inside.get((row.label, column.label)) for column in columns]
        printed = [_printed(one, filled.table) if one else "" for one in cells]
        measured = [_measured(one, filled.table, mark=True) if one else "" for one in cells]
        if any(printed):
            texts.append([_label(row), *printed])
        if any(measured) or not any(printed):
            texts.append([" measured" if any(printed) else _label(row), *measured])
    return Grid(title, ["", *(_head(column) for column in columns)], texts, len(texts), best=())


def _label(row: Row) -> str:
    return f"{row.label} (ours)" if row.control and row.printed == "" else row.label


def _head(column: Column) -> str:
    return column.head or column.label


def _beside(one: Shown | None, filled: Filled) -> str:
    if one is None:
        return ""
    measured, n = _measured(one, filled.table), len(one.values)
    seeds = f"{n}, {len(one.diverged)} diverged" if one.diverged else str(n)
    many = f"{measured} ({seeds})" if one.values and one.cell is not None and one.cell.trains else measured
    printed = _printed(one, filled.table)
    return BESIDE.join(text for text in (printed, many) if text)


def _printed(one: Shown, table: Table) -> str:
    number = one.reported
    if number is None:
        return ""
    spread = f"±{number.std:.2f}" if number.std is not None else ""
    return f"{_digits(number.value, table.unit(one.row, one.column))}{spread}{'!' if number.mistake else ''}"


def _measured(one: Shown, table: Table, *, mark: bool = False) -> str:
    if not one.values:
        before = f", {_mean(one.before)} before" if one.before and not mark else ""
        return f"{DIVERGED}{before}" if one.diverged else ""
    values = list(one.values.values())
    unit = table.unit(one.row, one.column)
    spread = f"±{_digits(stdev(values), unit)}" if len(values) > 1 else ""
    word = MARKS[one.verdict.word] if one.verdict and mark else MARKS[DIVERGED] if one.diverged and mark else ""
    return f"{_digits(fmean(values), unit)}{spread}{word}"


def _digits(value: float, unit: Unit = "accuracy") -> str:
    """Two decimals; none of a count, four digits of a plain value below 1."""
    if unit == "count":
        return f"{value:.0f}"
    return f"{value:.4g}" if unit == "value" and abs(value) < 1 else f"{value:.2f}"


def _best(
    filled: Filled, rows: Sequence[Row], columns: Sequence[Column], inside: Inside, offset: int
) -> set[tuple[int, int]]:
    """The best measured cell of each column that is an accuracy or an error; none that diverged on a seed.

    All are compared at the table's own epoch, also where another is shown.
    """
    found = set()
    for j, column in enumerate(columns):
        means = {
            i: sign(filled.table, row.label, column.label) * fmean(values.values())
            for i, row in enumerate(rows)
            if (one := inside.get((row.label, column.label))) and one.cell and not one.diverged
            if filled.table.unit(row, column) in ("accuracy", "error") and not is_series(one.cell.read)
            if (values := filled.values(one.cell, filled.selection_of(one.cell)))
        }
        if len(means) > 1:
            most = round(max(means.values()), 2)
            found |= {(i, j + offset) for i, mean in means.items() if round(mean, 2) == most}
    return found


# --- one line a cell --------------------------------------------------------------------------------

HEADS = (
    *("row", "column", "unit", "paper", "paper std", "paper n", "origin", "selection", "mistake", "data and length"),
    *("measured", "std", "n", "read at", "difference", "half-width", "verdict", *SUFFIXES, "best of", "seeds"),
)


def cell_grid(filled: Filled, where: str) -> Grid:
    """Every cell with all that is known of it: for files, not for the terminal."""
    known = [one for one in shown(filled).values() if one.reported or one.values or one.diverged or one.row.reason]
    rows = [_line(one, filled, where) for one in known]
    kept = [i for i in range(len(HEADS)) if i < 2 or any(row[i] for row in rows)]
    return Grid(
        f"Every cell, {where}",
        [HEADS[i] for i in kept],
        [[row[i] for i in kept] for row in rows],
        len(rows),
        best=(),
    )


def _line(one: Shown, filled: Filled, where: str) -> list[str]:
    number, cell, values = one.reported, one.cell, list(one.values.values())
    told = ["", "", "", "", "", ""]
    if number is not None:
        std = "" if number.std is None else f"{number.std:g}"
        told = [f"{number.value:g}", std, str(number.n), number.origin, number.selection, number.mistake]
    measured = ["", "", "", "", "", "", one.row.reason if cell is None else _why_not(one, filled)]
    if values and cell is not None:
        unit = filled.table.unit(one.row, one.column)
        verdict, std = one.verdict, _digits(stdev(values), unit) if len(values) > 1 else ""
        half = "" if verdict is None or verdict.half_width is None else f"{verdict.half_width:.2f}"
        difference = "" if verdict is None else f"{verdict.difference:+.2f}"
        read = (one.read or "") if cell.trains else "data"
        word = (verdict.word or "one seed: no verdict") if verdict else _why_not(one, filled)
        measured = [_digits(fmean(values), unit), std, str(len(values)), read, difference, half, word]
    others = [_mean(filled.values(cell, selection)) if cell and cell.trains else "" for selection in SUFFIXES]
    by_seed = {seed: _digits(value) for seed, value in one.values.items()} | {
        seed: _lost(one, seed) for seed in one.diverged
    }
    seeds = " ".join(f"{seed}:{by_seed[seed]}" for seed in sorted(by_seed)) if cell and cell.trains else ""
    unit = filled.table.unit(one.row, one.column)
    return [one.row.label, one.column.label, unit, *told, where, *measured, *others, winner(cell, filled), seeds]


def _lost(one: Shown, seed: int) -> str:
    """A seed that diverged, with its best epoch before where that is what is read."""
    return f"{DIVERGED}({_digits(one.before[seed])} before)" if seed in one.before else DIVERGED


def _why_not(one: Shown, filled: Filled) -> str:
    """Why a cell has no verdict."""
    if one.diverged:
        return f"{len(one.diverged)} of {len(one.diverged) + len(one.values)} seeds diverged: no verdict"
    if one.cell is None or one.reported is None or not one.cell.trains or not one.values or one.row.control:
        return ""
    if not filled.full:
        return "other length or data"
    if one.reported.mistake and one.reported.meant is None:
        return f"not judged: {one.reported.mistake}"
    if one.row.unlike:
        return f"not judged: {one.row.unlike}"
    if not filled.table.same_recipe(one.row, filled.edition):
        return "other recipe than its source's"
    return (
        "" if one.read == filled.selection_of_paper(one.cell) else f"other epoch than the paper's ({one.row.selection})"
    )


def _mean(values: Mapping[int, float]) -> str:
    return _digits(fmean(values.values())) if values else ""


def winner(cell: Cell | None, filled: Filled) -> str:
    """Which config won a cell that several compete for, with its score in the search and on fresh seeds, in %.

    '' of other cells.
    """
    won = filled.won(cell) if cell is not None else None
    if won is None:
        return ""
    lacking = f", {won.unscored} of them without a score" if won.unscored else ""
    fresh = [100 * run.score for run in filled.finished(cell).values() if run.score is not None] if cell else []
    spread = f"±{stdev(fresh):.2f}" if len(fresh) > 1 else ""
    again = f", {fmean(fresh):.2f}{spread} on {len(fresh)} fresh" if fresh else ""
    return f"{won.name}, best of {won.of} by val: {100 * won.score:.2f}{again}{lacking}"
