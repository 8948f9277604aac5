import io
import itertools
import math
from dataclasses import replace
from typing import Any

import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.container import BarContainer, ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.image import imread
from test_confirmation import THREE, confirming
from test_importance import of, of_t1
from test_results import TRIALS, results, trial

from search_spaces import SPACES, Choice, Space, Study
from search_spaces.demo import DEMO
from tuning.log.results import Classes, Results
from tuning.reports import figures
from tuning.reports.importance import importance


def texts(figure: Figure) -> list[str]:
    """What a figure's legend says."""
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def points(figure: Figure, label: str) -> list[tuple[float, float]]:
    """The places of the points of a label."""
    found = [c for c in figure.axes[0].collections if isinstance(c, PathCollection) and c.get_label() == label]
    return [tuple(place) for collection in found for place in collection.get_offsets().tolist()]


def line(figure: Figure, label: str):
    return next(line for line in figure.axes[0].lines if line.get_label() == label)


def drawn(found: Figure | None) -> Figure:
    assert found is not None
    return found


SOME = results(*TRIALS)  # of full length: 0 (the paper's), 2, 4


# --- found when -------------------------------------------------------------------------------------


def test_the_history_has_a_point_for_each_trial_with_a_score():
    figure = drawn(figures.history(SOME))
    assert points(figure, "full length (3)") == [(0, 0.75), (2, 0.8125), (4, 0.75)]
    assert points(figure, "stopped early (2)") == [(1, 0.9), (6, 0.9)]  # number 6 still runs
    assert texts(figure) == ["stopped early (2)", "full length (3)", "best so far", "the paper's setting"]


def test_the_best_so_far_never_falls_and_takes_whole_trials_only():
    best = line(drawn(figures.history(SOME)), "best so far")
    assert list(best.get_xdata()) == [0, 2, 4, 6] and list(best.get_ydata()) == [0.75, 0.8125, 0.8125, 0.8125]
    assert list(line(drawn(figures.history(SOME)), "the paper's setting").get_ydata()) == [0.75, 0.75]


def test_diverged_trials_have_a_look_of_their_own():
    found = replace(SOME, trials=tuple(replace(t, stop_reason="diverged") if t.number == 1 else t for t in SOME.trials))
    assert points(drawn(figures.history(found)), "diverged or failed (1)") == [(1, 0.9)]


# --- which settings ---------------------------------------------------------------------------------


def test_there_is_a_slice_for_each_symbol_with_the_paper_s_setting_as_a_star():
    figure = drawn(figures.slices(SOME))
    shown = figure.axes[:3]
    assert [axes.get_xlabel() for axes in shown] == ["T1", "epsilon (log)", "alpha (log)"]
    searched, paper = shown[0].collections
    assert searched.get_offsets().tolist() == [[0.2, 0.8125], [0.4, 0.75]]  # T1 = 2 and 4 of 10
    assert paper.get_offsets().tolist() == [[0.0, 0.75]]
    assert [text.get_text() for text in shown[2].get_xticklabels()] == ["10", "1000", "100000"]


def test_parallel_coordinates_have_a_line_for_each_trial_of_full_length_the_best_on_top():
    figure = drawn(figures.parallel(SOME))
    (lines,) = (c for c in figure.axes[0].collections if isinstance(c, LineCollection))
    assert len(lines.get_segments()) == 3
    assert sorted(lines.get_array().tolist()) == [0.75, 0.75, 0.8125]
    assert line(figure, "best").get_ydata()[[0, 3]].tolist() == [0.2, 1.0]
    symbols = [text.get_text() for text in figure.axes[0].get_xticklabels()]
    assert symbols == ["T1", "epsilon (log)", "alpha (log)", "score"]


def of_space(name: str, count: int) -> Results:
    """Trials of full length at the ends of a space's domains, with scores that rise."""
    space, found = SPACES[name], []
    for number, labels in zip(range(count), itertools.cycle(ends(space)), strict=False):
        settings = space.point(labels)
        found.append(replace(SOME.trials[2], number=number, settings=settings, score=0.5 + number / 1000))
    return Results(name, Study(space=space), "", tuple(found), True)


def ends(space: Space) -> list[dict[str, Any]]:
    return [{symbol: end} for symbol, domain in space.domains.items() for end in domain.ends()]


@pytest.mark.parametrize("name", ["cb2019-cifar10", "cdb2020-cifar100", "methods"])
def test_spaces_with_branches_can_be_drawn(name):
    found = of_space(name, 30)
    for figure in figures.figures(found, importance(found)).values():
        figures.png(figure)
    assert len(drawn(figures.slices(found)).axes) == len(SPACES[name].symbols) + 1  # with the colour bar


def test_a_space_with_a_branch_has_a_panel_for_each_label_with_the_symbols_of_its_arm():
    found = of_space("methods", 60)
    symbol, branch = found.study.branch
    figure = drawn(figures.parallel(found))
    titles = [axes.get_title() for axes in figure.axes]
    best = found.ranked[0]
    assert titles[0].startswith(f"{symbol} {best.settings[symbol]} (")
    assert {title.split()[1] for title in titles} == {t.settings[symbol] for t in found.trials} <= set(branch.labels)
    first = [text.get_text().split()[0] for text in figure.axes[0].get_xticklabels()]
    assert first == [s for s in found.study.space.symbols if s in best.settings and s != symbol] + ["score"]
    assert texts(figure) == ["best"]


def test_a_trial_that_has_not_a_symbol_runs_below_its_axis():
    found = replace(SOME, trials=tuple(replace(t, settings={"T1": 4}) if t.number == 4 else t for t in SOME.trials))
    figure = drawn(figures.parallel(found))
    (lines,) = (c for c in figure.axes[0].collections if isinstance(c, LineCollection))
    assert sum(segment[1, 1] == figures.INACTIVE for segment in lines.get_segments()) == 1
    assert "none" in [text.get_text() for text in figure.axes[0].texts]


def test_labels_have_places_of_their_own():
    choice = Choice(labels={"drop": {}, "keep": {"phases.1.lr_scale": 1.0}})
    space = Space(name="x", base=DEMO.base, domains={"lr": choice})
    trials = [replace(t, settings={"lr": ("drop", "keep")[t.number == 2]}) for t in SOME.trials]
    found = Results("x", Study(space=space), "", tuple(trials), True)
    axes = drawn(figures.slices(found)).axes[0]
    assert axes.get_xticks().tolist() == [0.25, 0.75]
    assert axes.collections[0].get_offsets().tolist() == [[0.75, 0.8125], [0.25, 0.75]]


def test_bars_of_importance_are_labelled_and_hollow_while_trials_are_few():
    few, many = (importance(of(count, of_t1)) for count in (10, 60))
    assert few and many
    for found, hollow in ((few, True), (many, False)):
        axes = figures.importance(found).axes[0]
        assert [text.get_text() for text in axes.get_yticklabels()] == list(found.shares)
        assert [bar.get_width() for bar in axes.patches] == list(found.shares.values())
        assert (axes.patches[0].get_facecolor()[3] == 0) is hollow
        assert ("hardly more than noise" in axes.get_title()) is hollow


# --- early stopping ---------------------------------------------------------------------------------


def test_the_rungs_are_drawn_over_the_course_of_each_trial():
    stopped = replace(SOME.trials[1], scores={11: 0.5, 12: 0.75})
    whole = replace(SOME.trials[0], scores={10: 0.5, 16: 0.75})
    figure = drawn(figures.rungs(replace(SOME, trials=(whole, stopped))))
    lines = {c.get_label(): c.get_segments() for c in figure.axes[0].collections if isinstance(c, LineCollection)}
    assert {label: [s.tolist() for s in segments] for label, segments in lines.items()} == {
        "full length (1)": [[[10, 0.5], [16, 0.75]]],
        "stopped early (1)": [[[11, 0.5], [12, 0.75]]],
    }
    rungs = [line.get_xdata()[0] for line in figure.axes[0].lines]
    assert rungs == list(SOME.study.effective_rungs.epochs) == [12, 14]
    assert [text.get_text() for text in figure.axes[0].texts] == ["rung 12", "rung 14"]


def test_of_many_trials_some_are_drawn_and_it_says_so():
    found = of(250, of_t1)
    found = replace(found, trials=tuple(replace(t, scores={15: 0.5, 16: t.score or 0.0}) for t in found.trials))
    assert len(found.shown) == 84
    assert drawn(figures.rungs(found)).axes[0].get_title().endswith(", 84 trials out of all")


def test_a_study_without_rungs_has_no_picture_of_them():
    study = Study.parse({"space": DEMO.plain(), "rungs": {"epochs": []}})
    assert figures.rungs(replace(SOME, study=study)) is None


def test_the_pareto_front_joins_what_no_other_betters():
    study = Study.parse({"space": DEMO.plain(), "objectives": ["score", "val_acc_tail"]})
    values = [(0.75, 0.5), (0.5, 0.75), (0.5, 0.5)]
    trials = tuple(
        replace(t, stop_reason="finished", objectives=pair) for t, pair in zip(SOME.trials[:3], values, strict=True)
    )
    axes = drawn(figures.front(replace(SOME, study=study, trials=trials))).axes[0]
    assert axes.lines[0].get_xydata().tolist() == [[0.5, 0.75], [0.75, 0.5]]
    assert sorted(text.get_text() for text in axes.texts) == ["0", "1"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("score", "val_acc_tail")
    assert figures.front(SOME) is None


# --- classes ----------------------------------------------------------------------------------------


def of_classes(count: int) -> Results:
    """A study whose best config and paper's setting were evaluated class by class; the last class has no test image."""
    found = results(*TRIALS, *(event for number, run in enumerate(THREE, 10) for event in confirming(number, *run)))
    accuracy = {number: (*(0.5 + number / 100 for _ in range(count - 1)), None) for number in (10, 11)}
    return replace(found, classes=Classes(tuple(f"c{n}" for n in range(count)), tuple(range(1, count + 1)), accuracy))


def test_few_classes_have_a_bar_for_each_config_the_frequent_first():
    figure = drawn(figures.per_class(of_classes(3)))
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["c2\n3", "c1\n2", "c0\n1"]
    heights = [[bar.get_height() for bar in bars] for bars in axes.containers if isinstance(bars, BarContainer)]
    assert [values[1:] for values in heights] == [[60, 60], [61, 61]] and all(math.isnan(v[0]) for v in heights)
    assert texts(figure) == ["best", "paper"] and axes.get_ylabel() == "test accuracy (%), mean ± std"


def test_the_bars_say_how_far_the_seeds_differ():
    some = of_classes(2)
    assert some.classes is not None
    two_seeds = replace(some.classes, accuracy={10: (0.5, 0.25), 13: (0.75, 0.25)})  # both of the best config
    axes = drawn(figures.per_class(replace(some, classes=two_seeds))).axes[0]
    (whiskers,) = (c for c in axes.containers if isinstance(c, ErrorbarContainer))
    (lines,) = whiskers.lines[2]
    ends = [[y for _, y in segment] for segment in lines.get_segments()]
    assert ends == [[25, 25], pytest.approx([62.5 - 17.678, 62.5 + 17.678], abs=1e-3)]


def test_many_classes_have_points():
    axes = drawn(figures.per_class(of_classes(100))).axes[0]
    assert [len(line.get_ydata()) for line in axes.lines] == [100, 100] and not axes.containers
    assert axes.get_xlabel() == "classes by their training images, 100 to 1"


def test_a_study_that_was_not_evaluated_class_by_class_has_no_such_picture():
    assert figures.per_class(SOME) is None


# --- all of them ------------------------------------------------------------------------------------


def test_a_study_without_a_whole_trial_has_few_pictures():
    assert figures.figures(results(), None) == {}
    assert figures.figures(results(*trial(1, 0.9, "early_stopped", length=12)), None).keys() == {"history", "rungs"}


def test_each_picture_is_a_png_of_a_readable_size():
    found = of(30, of_t1)
    found = replace(found, trials=tuple(replace(t, scores={15: 0.5, 16: t.score or 0.0}) for t in found.trials))
    all_of_them, again = (figures.figures(found, importance(found)) for _ in range(2))
    assert list(all_of_them) == ["history", "slices", "parallel", "importance", "rungs"]
    for name, figure in all_of_them.items():
        content = figures.png(figure)
        height, width, _ = imread(io.BytesIO(content)).shape
        assert 700 < width < 1400 and 250 < height < 800
        assert figures.png(again[name]) == content


@pytest.mark.parametrize("count", [1, 2])
def test_one_or_two_trials_are_enough_for_a_picture(count):
    found = figures.figures(of(count, of_t1), None)
    assert found.keys() == {"history", "slices", "parallel", "rungs"}
    assert len(points(found["history"], f"full length ({count})")) == count
    for figure in found.values():
        assert imread(io.BytesIO(figures.png(figure))).std() > 0.01  # something is drawn
