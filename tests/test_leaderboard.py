import io
import operator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from test_confirmation import THREE, confirm
from test_events import asked, epoch
from test_results import PAPER, STUDY, TRIALS, results, trial

from search_spaces import SPACES, Study
from search_spaces.demo import DEMO
from tuning.log.events import Ended, Told
from tuning.log.results import Results, judgement
from tuning.reports.confirmation import confirmed_grid
from tuning.reports.grid import Grid
from tuning.reports.leaderboard import by_label, front_grid, leaderboard

examples = settings(max_examples=80, deadline=None, derandomize=True)

# --- leaderboard ------------------------------------------------------------------------------------


def test_a_leaderboard_shows_every_trial_with_its_settings():
    grid = leaderboard(results(*TRIALS))
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
    narrow = leaderboard(results(*TRIALS), narrow=True)
    assert narrow.heads == ["#", "trial", "settings", "score", "epoch", "trained", "state"]
    assert narrow.rows[0] == ["1", "2", "T1=2, epsilon=0.001, alpha=1000", "0.8125", "16", "16/16", "finished"]


def test_what_ran_when_the_study_ended_was_interrupted():
    grid = leaderboard(results(*trial(0, 0.5, "running", length=13), Ended("interrupted")))
    assert grid.rows[0][-1] == "interrupted"


def test_a_copied_trial_is_ranked_and_says_that_it_is_one():
    copied = [*trial(1, 0.5)[:-1], Told(1, "finished", reused_from=0)]
    grid = leaderboard(results(*trial(0, 0.5), *copied))
    assert [(row[0], row[1], row[-1]) for row in grid.rows] == [("1", "0", "finished"), ("2", "1", "reused")]


@pytest.mark.parametrize(("top", "unranked"), [(2, 2), (3, 3), (5, 3), (99, 3)])
def test_a_long_leaderboard_is_cut_and_says_so(top, unranked):
    grid = leaderboard(results(*TRIALS), top)
    assert (len(grid.rows), grid.unranked) == (min(top, 7), unranked)
    assert grid.title == ("Leaderboard" if top == 99 else f"Leaderboard (first {top} of 7 trials)")


def test_a_study_without_trials_has_an_empty_leaderboard():
    grid = leaderboard(results())
    assert (grid.rows, grid.unranked) == ([], 0)
    assert grid.markdown().count("\n") == 1


# --- in the terminal --------------------------------------------------------------------------------


def in_terminal(grid: Grid, width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(grid.rich())
    return console.file.getvalue()


@pytest.mark.parametrize("narrow", [False, True])
def test_in_80_columns_no_number_breaks(narrow):
    long = {**PAPER, "epsilon": 4.429e-08, "alpha": 74282.0}
    more = [asked(7, DEMO.config(long), **long), epoch(7, 1, 0.5)]
    found = results(*TRIALS, *more)
    shown = in_terminal(leaderboard(found, narrow=narrow), 80) + in_terminal(confirmed_grid(confirm(*THREE)), 80)
    assert "…" not in shown and max(map(len, shown.splitlines())) <= 80
    words = ["0.8125", "16/16", "0 (paper)", "early stopped", "diverged", "4.43e-08", "74300"]
    for text in [*words, "62.50 ± 17.68", "+25.00 [-133.83, +183.83]", "epsilon=0.001,"]:
        assert text in shown


# --- several objectives, branches -------------------------------------------------------------------

TWO = Study.parse({**STUDY.plain(), "objectives": ["score", "val_acc_tail"]})
HEAD = {"constraints": [{"metric": "val_acc_head", "at_least": 0.7}]}


def judged(study: Study, *values: dict[str, float]) -> Results:
    """Trials of full length that came to such values."""
    template = results(*trial(0, 0.5)).trials[0]
    trials = [
        replace(template, number=n, score=found["score"], **judgement(study, found["score"], found))
        for n, found in enumerate(values)
    ]
    return replace(results(), study=study, trials=tuple(trials))


FRONT = [
    {"score": 0.9, "val_acc_tail": 0.5},
    {"score": 0.8, "val_acc_tail": 0.7},
    {"score": 0.8, "val_acc_tail": 0.6},
    {"score": 0.7, "val_acc_tail": 0.8},
    {"score": 0.7, "val_acc_tail": 0.8},
]


def test_the_pareto_front_is_what_no_other_betters():
    found = judged(TWO, *FRONT)
    assert [t.number for t in found.front] == [0, 1, 3, 4]
    grid = front_grid(found)
    assert grid is not None and grid.heads == ["trial", "settings", "score", "val_acc_tail"]
    assert [[row[0], *row[2:]] for row in grid.rows[:2]] == [["0", "0.9000", "0.5000"], ["1", "0.8000", "0.7000"]]
    assert front_grid(judged(STUDY, *FRONT)) is None
    assert front_grid(judged(TWO)) is None


@examples
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=12))
def test_every_trial_off_the_front_is_bettered_by_one_on_it(points):
    found = judged(TWO, *({"score": x / 5, "val_acc_tail": y / 5} for x, y in points))
    front = {trial.number for trial in found.front}
    assert front
    for t in found.trials:
        others = [o.objectives for o in found.front if o.objectives != t.objectives]
        betters = [other for other in others if all(map(operator.ge, other, t.objectives))]
        assert bool(betters) == (t.number not in front)


def test_other_objectives_and_what_is_constrained_have_columns():
    study = Study.parse({**TWO.plain(), **HEAD})
    grid = leaderboard(judged(study, {**FRONT[0], "val_acc_head": 0.75}, FRONT[1]))
    assert grid.heads[5:8] == ["score", "val_acc_tail", "val_acc_head"]
    assert [row[5:8] for row in grid.rows] == [["0.9000", "0.5000", "0.7500"], ["0.8000", "0.7000", ""]]


def test_what_is_outside_the_constraints_stands_below_what_is_within():
    study = Study.parse({**STUDY.plain(), **HEAD})
    found = judged(study, {"score": 0.9, "val_acc_head": 0.6}, {"score": 0.5, "val_acc_head": 0.7})
    assert [(row[1], row[-1]) for row in leaderboard(found).rows] == [("1", "finished"), ("0", "outside constraints")]
    assert found.best is not None and found.best.number == 1 and [t.number for t in found.top] == [1]


def test_the_first_objective_ranks():
    study = Study.parse({**STUDY.plain(), "objectives": ["val_acc_tail", "score"]})
    assert [row[1] for row in leaderboard(judged(study, *FRONT[:3])).rows] == ["1", "2", "0"]


def test_the_best_of_each_branch_says_out_of_how_many():
    space = SPACES["methods"]
    symbol, branch = Study(space=space).branch
    first, second, third, *_ = branch.labels
    template = results(*trial(0, 0.5)).trials[0]
    labels = [first, first, second]
    trials = [
        replace(template, number=n, settings={symbol: label, "T1": 3}, score=n / 4, **judgement(STUDY, n / 4, {}))
        for n, label in enumerate(labels)
    ]
    grid = by_label(replace(results(), study=Study(space=space), trials=tuple(trials)))
    assert grid is not None and grid.title == f"Best by {symbol} (budgets differ: --per-branch makes them equal)"
    assert grid.heads == [symbol, "score", "trial", "trials", "epochs", "settings"]
    assert grid.rows[:3] == [
        [second, "0.5000", "2", "1", "16", "T1=3"],
        [first, "0.2500", "1", "2", "32", "T1=3"],
        [third, "", "", "0", "0", ""],
    ]
    fair = Study.parse({"space": space.plain(), "per_branch": 2})
    assert by_label(replace(results(), study=fair)).title == f"Best by {symbol}"
    assert by_label(results()) is None
