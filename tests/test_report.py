import csv
import io
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from scipy import stats
from test_events import asked, epoch, history

from search_spaces import Study
from search_spaces.controls import plain_cross_entropy
from search_spaces.demo import DEMO
from tuning import report
from tuning.events import Ended, Event, Told
from tuning.report import Confirmed, Difference, Grid, confirmed, confirmed_grid, leaderboard, paired_difference, ranked

examples = settings(max_examples=80, deadline=None, derandomize=True)
STUDY = Study(space=DEMO)
PAPER = {"T1": 8, "epsilon": 1e-3, "alpha": 1000.0}


# --- statistics -------------------------------------------------------------------------------------

accuracies = st.dictionaries(st.integers(0, 20), st.integers(0, 400).map(lambda n: n / 400), min_size=2)


@examples
@given(accuracies, accuracies)
def test_the_interval_is_scipy_s_paired_t_interval_over_common_seeds(a, b):
    seeds = sorted(a.keys() & b.keys())
    found = paired_difference(a, b)
    if len(seeds) < 2:
        assert found is None
        return
    assert found is not None and found.n == len(seeds)
    differences = [a[s] - b[s] for s in seeds]
    assert found.mean == pytest.approx(sum(differences) / len(seeds), abs=1e-12)
    if max(differences) - min(differences) < 1e-9:
        assert found.low == pytest.approx(found.mean) and found.high == pytest.approx(found.mean)
        return
    expected = stats.ttest_rel([a[s] for s in seeds], [b[s] for s in seeds]).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


@examples
@given(accuracies, accuracies)
def test_the_other_way_round_is_the_interval_s_mirror_image(a, b):
    there, back = paired_difference(a, b), paired_difference(b, a)
    if there is None or back is None:
        assert there is back
        return
    assert (back.low, back.mean, back.high) == pytest.approx((-there.high, -there.mean, -there.low))


@pytest.mark.parametrize(("a", "b"), [({}, {}), ({1: 0.5}, {1: 0.4}), ({1: 0.5, 2: 0.6}, {2: 0.5, 3: 0.6})])
def test_fewer_than_two_common_seeds_tell_nothing(a, b):
    assert paired_difference(a, b) is None


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (1e-9, 0.2, "better"),
        (0.0, 0.2, "undecided"),
        (-0.1, 1e-9, "undecided"),
        (-0.1, 0.0, "not better"),
        (-0.2, -0.1, "not better"),
        (0.0, 0.0, "not better"),
    ],
)
def test_the_verdict_is_whether_the_interval_lies_above_0_at_or_below_it_or_holds_it(low, high, verdict):
    assert Difference((low + high) / 2, low, high, 5).verdict == verdict


def test_equal_results_are_not_better():
    same = {1: 0.5, 2: 0.75, 3: 0.25}
    difference = paired_difference(same, same)
    assert difference == Difference(0.0, 0.0, 0.0, 3) and difference.verdict == "not better"
    assert Difference(0.135, 0.135, 0.135, 2).verdict == "undecided"


# --- leaderboard ------------------------------------------------------------------------------------


def trial(number: int, score: float | None, how: str = "finished", role: str = "", length: int = 16) -> list[Event]:
    """A trial of some epochs, the best of them the last."""
    config = DEMO.config({**PAPER, "T1": number})
    events: list[Event] = [asked(number, config, role=role, **{**PAPER, "T1": number})]
    events += [epoch(number, n) for n in range(1, length)]
    if length:
        events.append(epoch(number, length, score))
    return [*events, *([Told(number, how)] if how != "running" else [])]


TRIALS = [
    *trial(0, 0.75, role="paper"),
    *trial(1, 0.9, "early_stopped", length=12),
    *trial(2, 0.8125),
    *trial(3, None, "failed", length=0),
    *trial(4, 0.75),
    *trial(5, None, "diverged", length=3),
    *trial(6, 0.9, "running", length=13),
]


def test_full_length_comes_by_score_and_number_the_rest_below_as_asked_for():
    assert [t.asked.trial for t in ranked(history(*TRIALS))] == [2, 0, 4, 1, 3, 5, 6]


def test_the_best_trial_is_the_first_of_the_best():
    assert report.best_trial(history(*trial(1, 0.5), *trial(2, 0.75), *trial(3, 0.75))).asked.trial == 2
    assert report.best_trial(history(*trial(1, 0.9, "early_stopped"))) is None


def test_a_leaderboard_shows_every_trial_with_its_settings():
    grid = leaderboard(STUDY, history(*TRIALS))
    assert grid.heads == ["#", "trial", "T1", "epsilon", "alpha", "score", "epoch", "trained", "state"]
    assert grid.rows == [
        ["1", "2", "2", "0.001", "1000", "0.8125", "16", "16/16", "finished"],
        ["2", "0 (paper)", "0", "0.001", "1000", "0.7500", "16", "16/16", "finished"],
        ["3", "4", "4", "0.001", "1000", "0.7500", "16", "16/16", "finished"],
        ["-", "1", "1", "0.001", "1000", "0.9000", "12", "12/16", "early stopped"],
        ["-", "3", "3", "0.001", "1000", "", "", "0/16", "failed"],
        ["-", "5", "5", "0.001", "1000", "", "", "3/16", "diverged"],
        ["-", "6", "6", "0.001", "1000", "0.9000", "13", "13/16", "running"],
    ]
    assert (grid.unranked, grid.title) == (3, "Leaderboard")
    narrow = leaderboard(STUDY, history(*TRIALS), narrow=True)
    assert narrow.heads == ["#", "trial", "settings", "score", "epoch", "trained", "state"]
    assert narrow.rows[0] == ["1", "2", "T1=2, epsilon=0.001, alpha=1000", "0.8125", "16", "16/16", "finished"]


def test_what_ran_when_the_study_ended_was_interrupted():
    grid = leaderboard(STUDY, history(*trial(0, 0.5, "running", length=13), Ended("interrupted")))
    assert grid.rows[0][-1] == "interrupted"


def test_a_copied_trial_is_ranked_and_says_that_it_is_one():
    copied = [*trial(1, 0.5)[:-1], Told(1, "finished", reused_from=0)]
    grid = leaderboard(STUDY, history(*trial(0, 0.5), *copied))
    assert [(row[0], row[1], row[-1]) for row in grid.rows] == [("1", "0", "finished"), ("2", "1", "reused")]


@pytest.mark.parametrize(("top", "unranked"), [(2, 2), (3, 3), (5, 3), (99, 3)])
def test_a_long_leaderboard_is_cut_and_says_so(top, unranked):
    grid = leaderboard(STUDY, history(*TRIALS), top)
    assert (len(grid.rows), grid.unranked) == (min(top, 7), unranked)
    assert grid.title == ("Leaderboard" if top == 99 else f"Leaderboard (first {top} of 7 trials)")


def test_a_study_without_trials_has_an_empty_leaderboard():
    grid = leaderboard(STUDY, history())
    assert (grid.rows, grid.unranked) == ([], 0)
    assert grid.markdown().count("\n") == 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e-8, "1e-08"),
        (0.00123456, "0.00123"),
        (999.6, "1000"),
        (1234.0, "1230"),
        (74280.0, "74300"),
        (-1234.0, "-1230"),
        (1234567.0, "1.23e+06"),
        (0.0, "0"),
        (8, "8"),
        (12345, "12345"),
        ("IFW", "IFW"),
    ],
)
def test_settings_are_short(value, text):
    assert report.setting(value) == text


# --- tables -----------------------------------------------------------------------------------------

GRID = Grid("A title", ["rank", "label"], [["1", 'a "b", c'], ["-", "± α"]], 1)


def test_a_table_as_markdown():
    assert GRID.markdown() == '| rank | label |\n| --- | --- |\n| 1 | a "b", c |\n| - | ± α |'


def in_terminal(grid: Grid, width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(grid.rich())
    return console.file.getvalue()


def test_a_bar_in_a_cell_does_not_end_it():
    assert Grid("", ["a|b"], [["c|d"]], 1).markdown() == "| a\\|b |\n| --- |\n| c\\|d |"


@examples
@given(st.lists(st.lists(st.text(alphabet='a",\n |é'), min_size=2, max_size=2), max_size=3))
def test_a_table_as_csv_reads_back(rows):
    text = Grid("", ["x", "y"], rows, 0).csv()
    assert list(csv.reader(io.StringIO(text, newline=""))) == [["x", "y"], *rows]


def test_a_table_in_the_terminal_has_title_heads_and_cells():
    shown = in_terminal(GRID, 80)
    assert [text in shown for text in ("A title", "rank", "label", 'a "b", c', "± α")] == [True] * 5


@pytest.mark.parametrize("narrow", [False, True])
def test_in_80_columns_no_number_breaks(narrow):
    long = {**PAPER, "epsilon": 4.429e-08, "alpha": 74282.0}
    more = [asked(7, DEMO.config(long), **long), epoch(7, 1, 0.5)]
    found = history(*TRIALS, *more)
    shown = in_terminal(leaderboard(STUDY, found, narrow=narrow), 80) + in_terminal(confirmed_grid(confirm(*THREE)), 80)
    assert "…" not in shown and max(map(len, shown.splitlines())) <= 80
    words = ["0.8125", "16/16", "0 (paper)", "early stopped", "diverged", "4.43e-08", "74300"]
    for text in [*words, "62.50 ± 17.68", "+25.00 [-133.83, +183.83]", "epsilon=0.001,"]:
        assert text in shown


# --- confirmation -----------------------------------------------------------------------------------


def confirming(number: int, role: str, seed: int, score: float, test: float, how: str = "finished") -> list[Event]:
    settings = {"best": {**PAPER, "T1": 2}, "paper": PAPER, "CE": PAPER}[role]
    config = DEMO.config(settings).model_copy(update={"seed": seed})
    config = plain_cross_entropy(config) if role == "CE" else config
    event = asked(number, config, "confirm", role, **({} if role == "CE" else settings))
    tests = {"test_acc": test, "test_acc_last": test} if how == "finished" else {}
    return [event, epoch(number, 16, score), Told(number, how, tests)]


def confirm(*runs: tuple[str, int, float, float], failed: tuple[str, int] = ("", 0)) -> list[Confirmed]:
    """The groups of a study whose best trial is number 2."""
    events = [*TRIALS]
    for number, (role, seed, score, test) in enumerate(runs, 10):
        events += confirming(number, role, seed, score, test, "failed" if (role, seed) == failed else "finished")
    return confirmed(history(*events))


THREE = [
    ("best", 1, 0.75, 0.875),
    ("paper", 1, 0.5, 0.5),
    ("CE", 1, 0.25, 0.25),
    ("best", 2, 0.5, 0.625),
    ("paper", 2, 0.625, 0.5),
    ("CE", 2, 0.25, 0.125),
]


def test_confirming_runs_are_grouped_by_role_with_scores_and_test_values_by_seed():
    best, paper, ce = confirm(*THREE)
    assert best == Confirmed("best", {**PAPER, "T1": 2}, {1: 0.75, 2: 0.5}, {1: 0.875, 2: 0.625})
    assert paper == Confirmed("paper", PAPER, {1: 0.5, 2: 0.625}, {1: 0.5, 2: 0.5})
    assert ce == Confirmed("CE", {}, {1: 0.25, 2: 0.25}, {1: 0.25, 2: 0.125})


def test_the_best_comes_first_whichever_was_asked_for_first():
    assert [group.role for group in confirm(*reversed(THREE))] == ["best", "paper", "CE"]


def test_the_confirmed_table_has_means_deviations_and_the_paired_difference():
    grid = confirmed_grid(confirm(*THREE))
    assert grid.heads == ["config", "val score", "test acc", "seeds", "test acc: best - this"]
    interval = stats.ttest_rel([0.875, 0.625], [0.25, 0.125]).confidence_interval()
    assert grid.rows == [
        ["best (T1=2, epsilon=0.001, alpha=1000)", "62.50 ± 17.68", "75.00 ± 17.68", "2", ""],
        ["paper (T1=8, epsilon=0.001, alpha=1000)", "56.25 ± 8.84", "50.00 ± 0.00", "2", grid.rows[1][4]],
        ["CE", "25.00 ± 0.00", "18.75 ± 8.84", "2", f"+56.25 [{100 * interval.low:+.2f}, {100 * interval.high:+.2f}]"],
    ]
    assert grid.rows[1][4].startswith("+25.00 [")


def test_a_failed_seed_is_left_out_of_its_group_and_of_the_pairs():
    more = [("best", 3, 0.5, 0.5), ("paper", 3, 0.5, 0.5), ("CE", 3, 0.5, 0.5)]
    groups = confirm(*THREE, *more, failed=("paper", 1))
    assert [list(group.test) for group in groups] == [[1, 2, 3], [2, 3], [1, 2, 3]]
    grid = confirmed_grid(groups)
    assert [row[3] for row in grid.rows] == ["3", "2", "3"]
    difference = paired_difference(groups[0].test, groups[1].test)
    assert difference is not None and (difference.n, difference.mean) == (2, 0.0625)


def test_a_group_of_which_nothing_finished_is_shown_as_such():
    groups = confirm(*THREE[:2], failed=("best", 1))
    grid = confirmed_grid(groups)
    assert grid.rows[0][1:] == ["none finished", "none finished", "0", ""]
    assert grid.rows[1][1:] == ["50.00", "50.00", "1", ""]
    assert report.sentences(groups) == [
        "The best config against the paper's setting: undecided, fewer than two seeds finished."
    ]


def groups_of(**tests: list[float]) -> list[Confirmed]:
    return [Confirmed(role, {}, {}, dict(enumerate(values))) for role, values in tests.items()]


def test_sentences_say_what_the_intervals_say():
    paper, ce = report.sentences(groups_of(best=[0.5, 0.6, 0.7], paper=[0.4, 0.7, 0.75], CE=[0.3, 0.41, 0.5]))
    assert paper.startswith("Undecided whether the best config is better than the paper's setting: -1.67 points")
    assert ce.startswith("The best config is better than plain CE: +19.67 points of test accuracy, 95 % interval [+18.")
    assert ce.endswith("], 3 paired seeds.")
    (worse,) = report.sentences(groups_of(best=[0.3, 0.4, 0.5], paper=[0.5, 0.6, 0.71]))
    assert worse.startswith("The best config is not better than the paper's setting: -20.33 points")


def test_a_study_whose_best_is_the_paper_s_setting_says_so_and_compares_that():
    first, second = report.sentences(groups_of(paper=[0.5, 0.6], CE=[0.5, 0.6]))
    assert first == "No trial scored above the paper's setting."
    assert second.startswith("The paper's setting is not better than plain CE: +0.00 points")


def test_a_study_that_was_not_confirmed_has_no_groups():
    assert confirm() == []


def test_an_extended_study_shows_its_last_best():
    runs = [event for number, run in enumerate(THREE, 10) for event in confirming(number, *run)]
    before = [*TRIALS, *runs]
    better = [*before, *trial(7, 0.95)]
    assert [group.role for group in confirmed(history(*better))] == ["paper", "CE"]  # the old best is it no more
    new = DEMO.config({**PAPER, "T1": 7}).model_copy(update={"seed": 1})
    again = [replace(asked(20, new, "confirm", "best"), settings={"T1": 7}), epoch(20, 16, 0.5)]
    groups = confirmed(history(*better, *again, Told(20, "finished", {"test_acc": 0.75})))
    assert [group.role for group in groups] == ["best", "paper", "CE"]
    assert (groups[0].settings, groups[0].test) == ({"T1": 7}, {1: 0.75})
