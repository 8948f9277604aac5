"""A table's report: each edition that was run beside the paper's numbers, the verdicts, what the paper itself says."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from search_spaces import TABLES, Curves
from search_spaces.ablation import Ablation
from search_spaces.table import Table
from tuning.engine.measures import Selection, is_series
from tuning.reports.document import Document, Picture, Section
from tuning.reports.grid import Grid
from tuning.tables.filled import CellRun, Filled
from tuning.tables.grids import LEGEND, Shown, blocks, cell_grid, read_apart, shown, winner
from tuning.tables.lengths import lengths
from tuning.tables.levels import levels_texts
from tuning.tables.verdicts import Verdict, claims_grid, counted, verdicts

PAPERS = {
    "ib2021": "Park et al., Influence-Balanced Loss for Imbalanced Visual Classification, ICCV 2021",
    "cdb2020": "Sinha et al., Class-Wise Difficulty-Balanced Loss for Solving Class-Imbalance, ACCV 2020",
    "cb2019": "Cui et al., Class-Balanced Loss Based on Effective Number of Samples, CVPR 2019",
    "controls": "Controls of this project's own, which no paper has",
}
SOME_POINTS = 11  # of a curve, on the terminal
Editions = Sequence[tuple[Ablation, Sequence[CellRun]]]


def about(name: str) -> str:
    """The paper that a table is of."""
    return f"{PAPERS[name.split('/')[0]]}."


def filled_editions(table: Table, editions: Editions, data: Path | None) -> list[Filled]:
    """The editions of a table with their runs, those of full length first."""
    found = [Filled(table, ablation, runs, data) for ablation, runs in editions]
    return sorted(found, key=lambda filled: (not filled.full, filled.edition.name))


Draw = Callable[[Filled, str], Picture | None]


def table_report(table: Table, editions: Sequence[Filled], data: Path, draw: Draw | None = None) -> Document:
    """A table's report; of one that was never run, what the paper prints and says.

    data: the folder of the datasets. draw: makes its pictures, if any.
    """
    sections = [_edition(filled, draw) for filled in editions]
    if not editions:
        empty = Filled(table, Ablation(table=table.name), (), data)
        trains = any(cell.trains for cell in empty.cells)
        title, said = "Nothing was measured", (f"`lt-tune ablate {table.name}` trains it.",)
        grids = blocks(empty, "the data's own")
        sections = [Section(title, said, grids) if trains else Section("Facts of the data", (), grids)]
    return Document(
        f"{table.name}: {table.title}",
        about(table.name),
        "",
        (*sections, *(found.section for found in lengths(editions)), of_paper(table, editions)),
    )


def overview(filled: Filled) -> str:
    """An edition on its page in the record, as Markdown: the table, and what is said of it."""
    where, found = filled.where, verdicts(filled)
    parts = [f"**{filled.table.name}: {filled.table.title}**", *summary(filled, found)]
    for grid in blocks(filled, where).values():
        parts += [f"**{grid.title}**", grid.markdown()]
    parts += ["\n".join(f"- {verdict.sentence}" for verdict in found)] if found else []
    return "\n\n".join(parts)


def curves_report(curves: Curves, picture: Picture | None = None) -> Document:
    """An analytic figure's report: its points."""
    rows = [[name, f"{x:.6g}", f"{y:.6g}"] for name, points in curves.points().items() for x, y in points]
    grid = Grid("Points", ["curve", curves.x, curves.y], rows, len(rows), best=())
    said = ("It follows from a formula: the points are exact, and there is nothing to train.",)
    section = Section("Curves", said, {"points": grid}, {"figure": picture} if picture else {})
    return Document(f"{curves.name}: {curves.title}", about(curves.name), "", (section,))


def curves_overview(curves: Curves) -> Grid:
    """Some points of all curves, which have the same x, side by side: for the terminal."""
    points = curves.points()
    x = [place for place, _ in next(iter(points.values()))]
    some = sorted({round(i * (len(x) - 1) / (SOME_POINTS - 1)) for i in range(SOME_POINTS)})
    rows = [[f"{x[i]:.4g}", *(f"{course[i][1]:.4g}" for course in points.values())] for i in some]
    title = f"{curves.y} by {curves.x}: {len(some)} of {len(x)} points, which `--format csv` prints"
    return Grid(title, ["x", *points], rows, len(rows), best=())


def _edition(filled: Filled, draw: Draw | None) -> Section:
    where, found = filled.where, verdicts(filled)
    tables = blocks(filled, where)
    tables |= {f"{filled.edition.name}-claims": claims_grid(found, where)} if found else {}
    tables |= {f"{filled.edition.name}-cells": cell_grid(filled, where)}
    picture = draw(filled, where) if draw else None
    drawn = {filled.edition.name: picture} if picture else {}
    said = (*summary(filled, found), *(verdict.sentence for verdict in found))
    return Section(f"Measured: {where}", said, tables, drawn)


def summary(filled: Filled, found: Sequence[Verdict]) -> list[str]:
    """What an edition holds, in sentences: seeds, epochs' levels, verdicts counted."""
    if not filled.used:
        return ["Nothing of it was measured."]
    cells = [one for one in shown(filled).values() if one.cell and one.cell.trains and not is_series(one.cell.read)]
    measured = [one for one in cells if one.values]
    words = [one.verdict.word or "without a verdict" for one in measured if one.verdict]
    said, diverged = [_counts(filled, len(cells), measured)], _diverged(filled)
    if diverged:
        said.append(f"Diverged, and left out of means and verdicts (d): {'; '.join(diverged)}.")
    if not filled.full:
        trained = [cell for cell in filled.cells if cell.trains and filled.runs_of(cell)]
        configs = [config for cell in trained for config in cell.configs.values()]
        said.append(f"Levels: {'; '.join(levels_texts(configs))}.")
    if won := [
        f"{cell.row.label} at {cell.column.label}: {text}" for cell in filled.cells if (text := winner(cell, filled))
    ]:
        said.append(f"Chosen on one seed and trained again on fresh ones: {'; '.join(won)}.")
    if apart := read_apart(filled):
        said.append(_apart(apart, filled.table))
    if words:
        counts = ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words))
        said.append(f"Cells against the paper's numbers: {counts}. {LEGEND}")
    return [*said, *([f"Claims: {counted(found)}."] if found else [])]


def _counts(filled: Filled, cells: int, measured: Sequence[Shown]) -> str:
    """How much of an edition was measured, by what, in a sentence."""
    numerics = ", ".join(dict.fromkeys(run.numerics for run in filled.used))
    seeds = sorted({len(one.values) for one in measured})
    span = f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"{seeds[0]}" if seeds else "no"
    each = "one seed each" if span == "1" else f"{span} seeds each"
    lost = sum(run.stop_reason == "diverged" for run in filled.used)
    hours = sum(run.seconds for run in filled.used) / 3600
    return (
        f"{len(measured)} of {cells} cells measured on {each}, by {len(filled.used)} trainings"
        f"{f', {lost} of which diverged' if lost else ''} ({hours:.2f} hours; {numerics}); a seed changes "
        f"initialisation{', order and split' if filled.table.varies == 'split' else ' and order'}."
    )


def _apart(rows: Mapping[Selection, Sequence[str]], table: Table) -> str:
    """Which rows are read at another epoch than the table's, in a sentence."""
    named = "; ".join(f"{', '.join(labels)} at {selection}" for selection, labels in rows.items())
    return (
        f"Read at the epoch of the number in print: {named}. The others are read at the table's, {table.selection}, "
        "at which bold and claims compare all."
    )


def _diverged(filled: Filled) -> list[str]:
    """The trainings that diverged, each by the first cell that it serves, in words."""
    first = {}
    for cell in (cell for cell in filled.cells if cell.trains):
        for run in filled.runs_of(cell).values():
            if run.stop_reason == "diverged":
                first.setdefault(run.config_id, (", ".join(cell.key), f"{run.seed} after {run.epochs} epochs"))
    by_cell: dict[str, list[str]] = {}
    for where, run in first.values():
        by_cell.setdefault(where, []).append(run)
    return [f"{where}: seed {' and '.join(runs)}" for where, runs in by_cell.items()]


# --- the paper --------------------------------------------------------------------------------------


def of_paper(table: Table, editions: Sequence[Filled]) -> Section:
    """What to know of the paper's own numbers."""
    told = {row.label: row.reason or row.note or (row.unlike and f"not judged: {row.unlike}") for row in table.rows}
    said = [f"{note}" for note in table.notes]
    said += [f"{label}: {text}." for label, text in told.items() if text]
    mistakes = {key: number.mistake for key, number in table.reported.items() if number.mistake}
    said += [f"! {row}, {column}: {mistake}." for (row, column), mistake in mistakes.items()]
    said += elsewhere(table)
    origins = sorted({number.origin for number in table.reported.values()})
    said += [f"Numbers in print: {len(table.reported)}, of: {', '.join(origins)}."] if origins else []
    found = [] if editions else verdicts(Filled(table, Ablation(table=table.name), ()))
    return Section("The paper", tuple(said), {"claims": claims_grid(found, "nothing yet")} if found else {})


def elsewhere(table: Table) -> list[str]:
    """Where the same paper prints another number of its own for the same training: its own noise."""
    paper, ids = table.name.split("/")[0], {training: key for key, training in _own_numbers(table)}
    others = [other for name, other in TABLES.items() if name.startswith(f"{paper}/") and other is not table]
    said = []
    for other in (other for other in others if isinstance(other, Table)):
        for theirs, training in _own_numbers(other):
            key = ids.get(training)
            here, there = table.reported[key].value if key else None, other.reported[theirs].value
            if key and here != there:
                said.append(f"{', '.join(key)}: {here:g} here, {there:g} in {other.name.split('/')[1]}")
    return [f"The paper's own noise: {'; '.join(said)}."] if said else []


def _own_numbers(table: Table) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    """The cells with a number of the paper's own run, each with what was trained and read for it."""
    own = {key for key, number in table.reported.items() if number.origin == "own run"}
    cells = (cell for cell in table.cells() if cell.key in own and cell.trains and not cell.best_of)
    return [(cell.key, (cell.configs[""].id, cell.read)) for cell in cells]
