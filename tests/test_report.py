import io

import pytest
from rich.console import Console
from test_confirmation import THREE, confirm
from test_events import asked, epoch
from test_results import PAPER, TRIALS, results, trial

from search_spaces.demo import DEMO
from tuning.confirmation import confirmed_grid
from tuning.events import Ended, Told
from tuning.grid import Grid
from tuning.report import leaderboard

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
