"""A study's pictures: what was found when, which settings did it, what early stopping saw, what the classes got.

Colours are Okabe and Ito's, which the colour-blind tell apart; what they say, shapes say, too. Figures are made
without pyplot, so that no display and no global state are needed.
"""

import io
import math
from collections.abc import Sequence
from itertools import accumulate

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from tuning.log.results import Results, Trial
from tuning.reports.confirmation import confirmed
from tuning.reports.importance import Importance
from tuning.reports.scales import Scale, scales
from tuning.reports.statistics import deviation, mean

BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#8C8C8C"
SHADES = "cividis"  # dark to bright, also in grey and to the colour-blind
DPI = 110
INACTIVE = -0.14  # the place, below an axis, of trials that do not have its symbol
COLUMNS = 3  # of slices
MOST_LETTERS = 24  # below a slice, from which on they are turned
MOST_BARS = 20  # classes, from which on points stand in for bars


def png(figure: Figure) -> bytes:
    """The picture as a file's content; equal results give equal bytes."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=DPI, metadata={"Software": None})
    return stream.getvalue()


def figures(results: Results, found: Importance | None) -> dict[str, Figure]:
    """The pictures that a study has something for, by name."""
    drawn = {
        "history": history(results),
        "slices": slices(results),
        "parallel": parallel(results),
        "importance": importance(found) if found else None,
        "rungs": rungs(results),
        "front": front(results),
        "classes": per_class(results),
    }
    return {name: figure for name, figure in drawn.items() if figure is not None}


# --- found when -------------------------------------------------------------------------------------


def history(results: Results) -> Figure | None:
    """Each trial's score in the order of asking, and the best so far; None without a score."""
    trials = [trial for trial in results.of_kind("trial") if trial.score is not None]
    if not trials:
        return None
    figure, axes = _canvas(8, 4.5)
    full, stopped, broken = _by_state(trials)
    lowest = _lowest_shown(trials)
    for group, marker, color, label in (
        (stopped, "v", GREY, "stopped early"),
        (broken, "x", RED, "diverged or failed"),
        (full, "o", BLUE, "full length"),
    ):
        if group:
            x, y = [trial.number for trial in group], [max(lowest, score) for score in _scores(group)]
            axes.scatter(x, y, marker=marker, s=28, color=color, label=f"{label} ({len(group)})", zorder=3)
    _best_so_far(axes, full, trials[-1].number)
    cut = " (lower ones at the edge)" if min(_scores(trials)) < lowest else ""
    axes.set(xlabel="trial", ylabel=f"score{cut}", title=f"{results.name}: scores in the order of asking")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _legend_below(figure)
    return figure


def _best_so_far(axes: Axes, full: Sequence[Trial], last: int) -> None:
    """A line that rises with each new best, and one at the score of the paper's setting."""
    best = list(accumulate(_scores(full), max))
    if best:
        numbers = [trial.number for trial in full]
        axes.step([*numbers, last], [*best, best[-1]], where="post", color=GREEN, label="best so far")
    for score in _scores([trial for trial in full if trial.role == "paper"]):
        axes.axhline(score, color=ORANGE, linestyle="--", label="the paper's setting")


def _lowest_shown(trials: Sequence[Trial]) -> float:
    """Where a picture of scores may end: what lies far below the trials of full length would press them together."""
    scores = _scores([trial for trial in trials if trial.stop_reason == "finished"]) or _scores(trials)
    return min(scores) - max(scores) + min(scores) - 0.01


def _by_state(trials: Sequence[Trial]) -> tuple[list[Trial], list[Trial], list[Trial]]:
    """Of full length; stopped early, or still running; diverged or failed."""
    full = [trial for trial in trials if trial.stop_reason == "finished"]
    broken = [trial for trial in trials if trial.stop_reason in ("diverged", "failed")]
    done = {trial.number for trial in (*full, *broken)}
    return full, [trial for trial in trials if trial.number not in done], broken


# --- which settings ---------------------------------------------------------------------------------


def slices(results: Results) -> Figure | None:
    """The score over each symbol's domain, trials of full length only; early ones dark, late ones bright."""
    trials = sorted(_full(results), key=lambda trial: trial.number)
    axes_of = scales(results.study.space)
    if not trials:
        return None
    columns = min(COLUMNS, len(axes_of))
    rows = math.ceil(len(axes_of) / columns)
    figure = Figure(figsize=(3.2 * columns + 1, 2.8 * rows + 0.6), layout="constrained")
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
    shades = ScalarMappable(Normalize(0, max(1, trials[-1].number)), SHADES)
    for axes, scale in zip(grid.flat, axes_of.values(), strict=False):
        _slice(axes, scale, [trial for trial in trials if scale.symbol in trial.settings], shades)
    for axes in grid.flat[len(axes_of) :]:
        axes.remove()
    for axes in grid[:, 0]:
        axes.set_ylabel("score")
    figure.colorbar(
        shades,
        ax=list(grid.flat[: len(axes_of)]),
        label="trial",
        shrink=min(0.8, 2 / rows),
        ticks=MaxNLocator(integer=True),
    )
    figure.suptitle(f"{results.name}: score by setting, {len(trials)} trials of full length (star: the paper's)")
    return figure


def _slice(axes: Axes, scale: Scale, trials: Sequence[Trial], shades: ScalarMappable) -> None:
    searched = [trial for trial in trials if trial.role != "paper"]
    paper = [trial for trial in trials if trial.role == "paper"]
    colors = shades.to_rgba(np.array([trial.number for trial in searched]))
    edge = {"edgecolors": "black", "linewidths": 0.4, "zorder": 3}
    axes.scatter(_places(searched, scale), _scores(searched), s=24, c=colors, **edge)
    axes.scatter(_places(paper, scale), _scores(paper), s=170, c=ORANGE, marker="*", **edge)
    axes.set_xlim(-0.04, 1.04)
    axes.set_xticks([place for place, _ in scale.ticks], [text for _, text in scale.ticks], fontsize=8)
    if sum(len(text) for _, text in scale.ticks) > MOST_LETTERS:
        axes.tick_params(axis="x", rotation=60)
    axes.set_xlabel(_label(scale))


def _places(trials: Sequence[Trial], scale: Scale) -> list[float]:
    """Where trials stand on an axis; below it where they do not have its symbol."""
    given = [trial.settings.get(scale.symbol) for trial in trials]
    return [INACTIVE if setting is None else scale.position(setting) for setting in given]


def _label(scale: Scale) -> str:
    log = {"log": " (log)", "complement": f" (1 - {scale.symbol}, log)"}
    return scale.symbol + log.get(scale.kind, "")


def parallel(results: Results) -> Figure | None:
    """Each trial of full length as a line through its settings to its score; the brighter, the better.

    Of a space with a branch, one panel for each label: its lines run through the symbols that it has.
    """
    trials = list(reversed(_full(results)))  # the best is drawn last
    if not trials:
        return None
    panels = _panels(results, trials)
    columns = min(2, len(panels))
    rows = math.ceil(len(panels) / columns)
    widest = max(len(_having(group, results)) for _, group in panels)
    size = (1.7 * widest + 4, 4.8) if len(panels) == 1 else (8 * columns, 2.6 * rows + 0.6)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, (label, group) in zip(grid.flat, panels, strict=False):
        _lines(axes, group, _having(group, results), trials)
        axes.set_title(label, fontsize=10)
    for axes in grid.flat[len(panels) :]:
        axes.remove()
    figure.suptitle(f"{results.name}: {len(trials)} trials of full length; the brighter a line, the better its score")
    _legend_below(figure)
    return figure


def _panels(results: Results, trials: Sequence[Trial]) -> list[tuple[str, list[Trial]]]:
    """Trials by the label of the space's branch, those of the best label first; all in one without a branch."""
    if results.study.branch is None:
        return [("", list(trials))]
    symbol, _ = results.study.branch
    labels = dict.fromkeys(str(trial.settings[symbol]) for trial in reversed(trials))
    groups = {label: [trial for trial in trials if trial.settings[symbol] == label] for label in labels}
    return [(f"{symbol} {label} ({len(group)})", group) for label, group in groups.items()]


def _having(trials: Sequence[Trial], results: Results) -> list[Scale]:
    """The axes of the symbols that some of the trials have; not of the branch by which panels are told apart."""
    branch = results.study.branch[0] if results.study.branch else ""
    has = {symbol for trial in trials for symbol in trial.settings}
    return [scale for symbol, scale in scales(results.study.space).items() if symbol in has and symbol != branch]


def _lines(axes: Axes, trials: Sequence[Trial], axes_of: Sequence[Scale], everyone: Sequence[Trial]) -> None:
    """Some trials as lines over the axes of their symbols; the scale of the score is that of all trials."""
    low, high = min(_scores(everyone)), max(_scores(everyone))
    score = Scale("score", "linear", low, high if high > low else low + 1e-3)
    scores = _scores(trials)
    columns = [*(_places(trials, scale) for scale in axes_of), [score.position(value) for value in scores]]
    paths = dict(zip((trial.number for trial in trials), map(_path, zip(*columns, strict=True)), strict=True))
    norm = Normalize(score.low, score.high)
    lines = LineCollection(list(paths.values()), cmap=SHADES, norm=norm, alpha=0.75, linewidths=1.2)
    lines.set_array(scores)
    axes.add_collection(lines)
    marked = {"the paper's setting": [t for t in trials if t.role == "paper"], "best": everyone[-1:]}
    looks = {"the paper's setting": ("black", 2.0, "--"), "best": (RED, 2.5, "-")}
    for label, (color, width, style) in looks.items():
        for trial in marked[label]:
            if trial.number in paths:
                axes.plot(*zip(*paths[trial.number], strict=True), color=color, lw=width, ls=style, label=label)
    _upright(axes, [*axes_of, score], [INACTIVE in column for column in columns])


def _path(places: Sequence[float]) -> list[tuple[float, float]]:
    return list(enumerate(places))


def _upright(axes: Axes, axes_of: Sequence[Scale], inactive: Sequence[bool]) -> None:
    """An upright axis of its own for each symbol, with a place below for those that have it not; one for the score."""
    behind = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.5}
    for i, scale in enumerate(axes_of):
        axes.axvline(i, color="black", lw=0.8)
        none = [(INACTIVE, "none")] if inactive[i] else []
        for place, text in [*scale.ticks, *none]:
            axes.plot([i - 0.02, i + 0.02], [place, place], color="black", lw=0.8)
            axes.text(i + 0.04, place, text, fontsize=8, va="center", bbox=behind)
    axes.set_xticks(range(len(axes_of)), [_label(scale) for scale in axes_of])
    axes.set_xlim(-0.1, len(axes_of) - 0.6)
    axes.set_ylim(INACTIVE - 0.06 if any(inactive) else -0.05, 1.05)
    axes.yaxis.set_visible(False)
    axes.spines[:].set_visible(False)
    axes.tick_params(axis="x", length=0)


def importance(found: Importance) -> Figure:
    """How much each symbol mattered; hollow bars where the trials are too few to say."""
    figure, axes = _canvas(8, 1.5 + 0.42 * len(found.shares))
    symbols, shares = list(found.shares), list(found.shares.values())
    bars = axes.barh(symbols, shares, color=BLUE if found.is_enough else "none", edgecolor=BLUE, height=0.6)
    axes.bar_label(bars, [f"{share:.0%}" for share in shares], padding=4)
    axes.invert_yaxis()
    axes.set(xlim=(0, max(shares) * 1.15 or 1), xlabel="share of the importance")
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_title(found.caption.replace(". ", ".\n"), fontsize=10)
    return figure


def front(results: Results) -> Figure | None:
    """All trials by the first two objectives, and the Pareto front; None with one objective, or without a front."""
    names, able = results.study.objectives, [trial for trial in results.able if trial.objectives]
    if len(names) < 2 or not able:
        return None
    figure, axes = _canvas(7, 5)
    best, paper = results.front, [trial for trial in able if trial.role == "paper"]
    axes.scatter(*_first_two(able), s=24, color=GREY, label=f"full length ({len(able)})")
    by_first = sorted(best, key=lambda trial: trial.objectives)
    axes.plot(*_first_two(by_first), "o-", color=BLUE, label=f"Pareto front ({len(best)})")
    axes.scatter(*_first_two(paper), s=170, color=ORANGE, marker="*", edgecolors="black", label="the paper's", zorder=3)
    for trial in best:
        place = (trial.objectives[0], trial.objectives[1])
        axes.annotate(str(trial.number), place, (4, 4), textcoords="offset points", fontsize=8)
    axes.set(xlabel=names[0], ylabel=names[1], title=f"{results.name}: Pareto front (numbers are trials)")
    _legend_below(figure)
    return figure


def _first_two(trials: Sequence[Trial]) -> tuple[list[float], list[float]]:
    return [trial.objectives[0] for trial in trials], [trial.objectives[1] for trial in trials]


# --- early stopping ---------------------------------------------------------------------------------


def rungs(results: Results) -> Figure | None:
    """The running score by epoch of up to 100 trials, and the rungs where they were compared; None without rungs."""
    trials = [trial for trial in results.shown if trial.scores]
    rungs = results.study.effective_rungs
    if not trials or not rungs.epochs:
        return None
    figure, axes = _canvas(8, 4.5)
    full, stopped, broken = _by_state(trials)
    for group, color, label in (
        (full, BLUE, "full length"),
        (stopped, GREY, "stopped early"),
        (broken, RED, "diverged"),
    ):
        if group:
            _curves(axes, group, color, f"{label} ({len(group)})")
    for epoch in rungs.epochs if rungs.since == "start" else ():
        axes.axvline(epoch, color="black", ls=":", lw=1)
        axes.annotate(f"rung {epoch}", (epoch, 1.0), (3, -9), ("data", "axes fraction"), "offset points", fontsize=8)
    cut = " (lower ones below)" if axes.get_ylim()[0] < _lowest_shown(trials) else ""
    axes.set_ylim(bottom=max(axes.get_ylim()[0], _lowest_shown(trials)))
    every = "" if len(trials) == len(results.of_kind("trial")) else f", {len(trials)} trials out of all"
    axes.set(xlabel="epoch", ylabel=f"running score{cut}", title=f"{results.name}: what early stopping saw{every}")
    _legend_below(figure)
    return figure


def _curves(axes: Axes, trials: Sequence[Trial], color: str, label: str) -> None:
    """A line for each trial, with a dot where it ended."""
    lines = [sorted(trial.scores.items()) for trial in trials]
    axes.add_collection(LineCollection(lines, colors=color, alpha=0.6, linewidths=1, label=label))
    axes.scatter([line[-1][0] for line in lines], [line[-1][1] for line in lines], s=12, color=color, zorder=3)
    axes.autoscale_view()


# --- classes ----------------------------------------------------------------------------------------


LOOKS = {"best": (BLUE, "o", ""), "paper": (ORANGE, "s", "//"), "CE": (GREEN, "^", "..")}  # colour, point, hatch


def per_class(results: Results) -> Figure | None:
    """The test accuracy of each class, the frequent ones first, of the best config, the paper's setting and CE.

    None where that was not measured.
    """
    groups = {group.role: group.by_class for group in confirmed(results) if group.role in LOOKS and group.by_class}
    if results.classes is None or not groups:
        return None
    images, names = results.classes.train_images, results.classes.names
    order = sorted(range(len(images)), key=lambda c: -images[c])
    heights = {role: [_mean_and_std(accuracies[c]) for c in order] for role, accuracies in groups.items()}
    figure, axes = _canvas(8, 4.5)
    if len(order) > MOST_BARS:
        shown = "mean"
        _class_points(axes, heights)
    else:
        shown = "mean ± std"
        _class_bars(axes, heights)
        axes.set_xticks(range(len(order)), [f"{names[c]}\n{images[c]}" for c in order], fontsize=8)
    span = f"{images[order[0]]} to {images[order[-1]]}"
    axes.set(xlabel=f"classes by their training images, {span}", ylabel=f"test accuracy (%), {shown}", ylim=(0, 100))
    axes.set_title(f"{results.name}: accuracy of each class on the fresh seeds")
    _legend_below(figure)
    return figure


def _class_bars(axes: Axes, heights: dict[str, list[tuple[float, float]]]) -> None:
    width = 0.8 / len(heights)
    for i, (role, values) in enumerate(heights.items()):
        color, _, hatch = LOOKS[role]
        places = [place + (i - (len(heights) - 1) / 2) * width for place in range(len(values))]
        means, stds = zip(*values, strict=True)
        axes.bar(places, means, width, color=color, hatch=hatch, edgecolor="white", label=role)
        axes.errorbar(places, means, stds, fmt="none", ecolor="black", elinewidth=0.8, capsize=2)


def _class_points(axes: Axes, heights: dict[str, list[tuple[float, float]]]) -> None:
    for role, values in heights.items():
        color, marker, _ = LOOKS[role]
        axes.plot([centre for centre, _ in values], marker, color=color, ms=4, alpha=0.8, label=role)


def _mean_and_std(accuracies: Sequence[float]) -> tuple[float, float]:
    """In percent; NaN, for which nothing is drawn, where there is none to tell."""
    centre, spread = mean(accuracies), deviation(accuracies)
    return math.nan if centre is None else 100 * centre, math.nan if spread is None else 100 * spread


def _full(results: Results) -> list[Trial]:
    """Trials of full length, best first."""
    return [trial for trial in results.ranked if trial.stop_reason == "finished"]


def _scores(trials: Sequence[Trial]) -> list[float]:
    return [trial.score for trial in trials if trial.score is not None]


def _legend_below(figure: Figure) -> None:
    """A legend that hides nothing, each label once."""
    drawn = [axes.get_legend_handles_labels() for axes in figure.axes]
    handles = {label: handle for found in drawn for handle, label in zip(*found, strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=5, frameon=False)


def _canvas(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
