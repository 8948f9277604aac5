"""The papers' figures, drawn again in their own form: from what was measured, or from a formula.

Colours are Okabe and Ito's; lines differ by marker and dash as well, for print and for the colour-blind.
"""

import io
import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, stdev

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from search_spaces.curves import Curves
from search_spaces.table import Cell, Column
from tuning.reports.document import Picture
from tuning.reports.figures import BLUE, GREEN, GREY, ORANGE, RED, png
from tuning.tables.filled import CellRun, Filled

PURPLE, SKY, YELLOW, BLACK = "#CC79A7", "#56B4E9", "#F0E442", "#000000"
COLORS = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY, BLACK)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", "-.", ":", (0, (3, 1, 1, 1)), (0, (5, 1)), (0, (1, 1)))


def table_picture(filled: Filled, where: str) -> Picture | None:
    """The picture of a table that is a figure; None of a table, and where nothing was measured."""
    draw = FORMS.get(filled.table.figure)
    if draw is None or not any(run.stop_reason == "finished" for run in filled.used):
        return None
    return _picture(draw(filled, where), f"{filled.table.title}; measured, {where}.")


def curves_picture(curves: Curves) -> Picture:
    """The picture of an analytic figure."""
    return _picture(curves_figure(curves), f"{curves.title}.")


def _picture(figure: Figure, caption: str) -> Picture:
    """As PNG and, for print, as PDF; equal results give equal bytes."""
    stream = io.BytesIO()
    figure.savefig(stream, format="pdf", metadata={"CreationDate": None, "Producer": None, "Creator": None})
    return Picture(png(figure), caption, stream.getvalue())


def curves_figure(curves: Curves) -> Figure:
    """An analytic figure."""
    figure, (axes,) = _canvas(1)
    for i, (name, points) in enumerate(curves.points().items()):
        x, y = zip(*points, strict=True)
        axes.plot(x, y, color=COLORS[i % len(COLORS)], linestyle=DASHES[i % len(DASHES)], label=name)
    axes.set(xlabel=curves.x, ylabel=curves.y, title=_wrapped(curves.title))
    if "x" in curves.log:
        axes.set_xscale("log")
    if "y" in curves.log:
        axes.set_yscale("log")
    axes.legend(frameon=False)
    return figure


# --- IB ---------------------------------------------------------------------------------------------


def _influence(filled: Filled, where: str) -> Figure:
    """Figure 2: samples by influence; the long-tailed set solid, the balanced one dashed."""
    figure, (axes,) = _canvas(1)
    lines = {"long-tailed": "-", "balanced": "--"}
    for cell in filled.cells:
        color, marker = {"plane": (BLUE, "o"), "truck": (ORANGE, "s")}[cell.column.label]
        courses = [run.series[cell.read] for run in filled.finished(cell).values() if cell.read in run.series]
        if courses:
            mean = [fmean(values) for values in zip(*courses, strict=False)]
            label, line = f"{cell.column.label}, {cell.row.label}", lines[cell.row.label]
            axes.plot(mean, color=color, linestyle=line, marker=marker, markevery=7, markersize=4, label=label)
    axes.set(xlabel="samples by influence, the 50 largest of a class", ylabel="influence, scaled to [0, 1]")
    axes.set_title(_wrapped(f"Influence of samples; {where}"))
    axes.legend(frameon=False)
    return figure


def _transition(filled: Filled, where: str) -> Figure:
    """Figure 3: accuracy against T1 (solid), and the training loss of CE by epoch (dashed)."""
    figure, (axes,) = _canvas(1)
    right = axes.twinx()
    accuracies = [column for column in filled.table.columns if column.read == "test_acc"]
    for i, column in enumerate(accuracies):
        by_row = {cell.row.label: cell for cell in filled.cells if cell.column is column}
        _sweep(axes, filled, by_row, column, i)
    for i, column in enumerate(column for column in filled.table.columns if column.read == "train_loss"):
        runs = [run for c in filled.cells if c.column is column for run in filled.finished(c).values() if run.losses]
        if runs:
            losses = _mean_losses(runs)
            label = f"CE loss, {column.head}"
            right.plot(
                range(1, len(losses) + 1), losses, color=COLORS[i], linestyle=("--", (0, (8, 3)))[i], label=label
            )
    axes.set(xlabel="epoch; T1, the epochs before IB begins", ylabel="test accuracy (%)")
    axes.set_title(_wrapped(f"When IB begins; {where}"))
    _name_starts(axes, filled)
    right.set_ylabel("training loss of CE (dashed)")
    _legend_below(figure, (axes, right))
    return figure


def _name_starts(axes: Axes, filled: Filled) -> None:
    """Above, the paper's own T1, where a shorter training begins elsewhere."""
    rows = {cell.row.label: cell for cell in filled.cells if cell.row.label.startswith("T1=") and filled.finished(cell)}
    starts = {_start(cell): label.removeprefix("T1=") for label, cell in rows.items()}
    if any(str(start) != name for start, name in starts.items()):
        above = axes.secondary_xaxis("top")
        above.set_xticks(list(starts), list(starts.values()))
        above.set_xlabel("T1 in the paper")


def _sweep(axes: Axes, filled: Filled, by_row: Mapping[str, Cell], column: Column, i: int) -> None:
    """The accuracies of the i-th imbalance over T1, and those of CE and of CE with the drop beside them."""
    color, marker = COLORS[i], MARKERS[i]
    found = {_start(cell): _spread(filled, cell) for row, cell in by_row.items() if row.startswith("T1=")}
    points = {start: spread for start, spread in sorted(found.items()) if spread}
    if points:
        means, errors = zip(*points.values(), strict=True)
        label = f"IB, imbalance {column.head}"
        axes.errorbar(list(points), means, yerr=errors, color=color, marker=marker, capsize=3, label=label)
    if "CE" in by_row and (plain := _spread(filled, by_row["CE"])):
        axes.axhline(plain[0], color=color, linestyle=(":", "-.")[i], label=f"CE, {column.head}")
    if "CE+drop" in by_row and (drop := _spread(filled, by_row["CE+drop"])):
        start = _start(by_row["CE+drop"])
        axes.errorbar(
            [start],
            [drop[0]],
            yerr=[drop[1]],
            color=color,
            marker=("*", "X")[i],
            markersize=11,
            linestyle="none",
            label=f"CE with the drop, {column.head}",
        )


def _start(cell: Cell) -> int:
    return cell.configs[""].used_phases[-1][0].start


def _mean_losses(runs: Sequence[CellRun]) -> list[float]:
    last = min(max(run.losses) for run in runs)
    return [fmean(run.losses[epoch] for run in runs) for epoch in range(1, last + 1)]


# --- CDB and CB -------------------------------------------------------------------------------------


def _classes(filled: Filled, where: str) -> Figure:
    """CDB's figure 1: training samples of each class, and their accuracies."""
    figure, panels = _canvas(2, width=9)
    names = [column.head for column in filled.table.columns]
    for axes, row, color in zip(panels, filled.table.rows, (GREY, BLUE), strict=True):
        by_column = {cell.column.label: cell for cell in filled.cells if cell.row is row}
        spreads = [_spread(filled, by_column[column.label]) for column in filled.table.columns]
        axes.bar(range(len(names)), [spread[0] if spread else 0 for spread in spreads], color=color)
        axes.set_xticks(range(len(names)), names, rotation=90)
        axes.set_title(_wrapped(row.label if row.reads else f"{row.label}, test accuracy (%); {where}", 40))
    return figure


def _betas(filled: Filled, where: str) -> Figure:
    """CB's figure 5: error by beta and loss, one panel a dataset."""
    labels = [row.label.rsplit(" ", 1) for row in filled.table.rows]
    losses, betas = (list(dict.fromkeys(names)) for names in zip(*labels, strict=True))
    shown = [c for c in filled.table.columns if any(filled.finished(x) for x in filled.cells if x.column is c)]
    figure, panels = _canvas(len(shown), width=4.5 * len(shown) + 1)
    for axes, column in zip(panels, shown, strict=True):
        cells = {cell.row.label: cell for cell in filled.cells if cell.column is column}
        for i, loss in enumerate(losses):
            spreads = {betas.index(b): _spread(filled, cells[f"{loss} {b}"]) for b in betas if f"{loss} {b}" in cells}
            points = {x: spread for x, spread in spreads.items() if spread}
            if points:
                means, errors = zip(*points.values(), strict=True)
                axes.errorbar(
                    list(points),
                    means,
                    yerr=errors,
                    color=COLORS[i],
                    marker=MARKERS[i],
                    linestyle=DASHES[i],
                    capsize=3,
                    label=loss,
                )
        axes.set_xticks(range(len(betas)), betas)
        axes.set(xlabel="beta of the class-balanced term", ylabel="test error (%)")
        axes.set_title(_wrapped(f"{column.group}, imbalance {column.head}; {where}", 45))
    panels[0].legend(frameon=False)
    return figure


FORMS: dict[str, Callable[[Filled, str], Figure]] = {
    "influence": _influence,
    "transition": _transition,
    "classes": _classes,
    "betas": _betas,
}


def _spread(filled: Filled, cell: Cell) -> tuple[float, float] | None:
    """Mean and standard deviation of a cell, NaN of one seed: nothing is drawn for it. None where none was measured."""
    values = list(filled.values(cell, filled.selection_of(cell)).values())
    return (fmean(values), stdev(values) if len(values) > 1 else math.nan) if values else None


def _canvas(panels: int, *, width: float = 6.5) -> tuple[Figure, Sequence[Axes]]:
    figure = Figure(figsize=(width, 4.4), layout="constrained")
    return figure, list(figure.subplots(1, panels, squeeze=False)[0])


def _legend_below(figure: Figure, axes: Sequence[Axes]) -> None:
    found = [handle for each in axes for handle in zip(*each.get_legend_handles_labels(), strict=True)]
    handles, labels = zip(*found, strict=True)
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)


def _wrapped(text: str, width: int = 70) -> str:
    return "\n".join(textwrap.wrap(text, width))
