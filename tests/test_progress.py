import io

import pytest
from rich.console import Console
from test_events import asked, epoch, history
from test_results import TRIALS

from search_spaces import Study
from search_spaces.demo import DEMO
from tuning.reports.progress import Progress, TimeLeft, _duration

STUDY = Study(space=DEMO)


def told(left: TimeLeft, *steps: tuple[int, float], wanted: int = 100, running: int = 1) -> list[str]:
    return [left.text(done, wanted, running, now) for done, now in steps]


def test_the_time_before_the_first_epoch_does_not_count():
    assert told(TimeLeft(0), (0, 0), (0, 300), (1, 600), (11, 610))[-1] == "about 89 s left"


def test_nothing_is_told_before_it_means_something():
    assert told(TimeLeft(0), (0, 0), (1, 60), (2, 70), (3, 80)) == ["", "", "", "about 16 min left"]
    assert told(TimeLeft(0), (1, 0), (99, 1)) == ["", ""]  # too soon


def test_trials_that_run_beside_each_other_each_had_two_more_epochs():
    steps = ((1, 0), (4, 6), (8, 60), (9, 120))
    assert told(TimeLeft(0), *steps, running=4) == ["", "", "", "about 23 min left"]


def test_what_an_earlier_start_trained_does_not_count():
    assert told(TimeLeft(50), (50, 0), (51, 60), (61, 70))[-1] == "about 39 s left"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (89, "89 s"), (95, "2 min"), (5300, "88 min"), (12000, "3 h 20 min")]
)
def test_durations_are_round(seconds, text):
    assert _duration(seconds) == text


def test_the_view_shows_the_best_and_the_running_within_80_columns():
    console = Console(file=io.StringIO(), width=80)
    events = [asked(7, DEMO.config({}), T1=8, epsilon=4.429e-08, alpha=74280.0), epoch(7, 1, 0.5)]
    console.print(Progress(STUDY, history(*TRIALS, *events)).view())
    lines = console.file.getvalue().splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert "searching demo" in lines[0]
    assert lines[1].split(", ") == ["1 diverged", "1 early stopped", "1 failed", "3 finished", "2 running"]
    assert [line.split() for line in lines[3:]] == [
        ["best", "2", "2", "0.001", "1000", "16/16", "0.812", "0.812"],
        ["6", "6", "0.001", "1000", "13/16", "0.900", "0.900"],
        ["7", "8", "4.43e-08", "74300", "1/16", "0.500", "0.500"],
    ]
