from dataclasses import replace

import pytest
from test_events import asked, epoch, history

from search_spaces import SPACES, Int, Space, Study
from search_spaces.demo import DIGITS_IB
from tuning.log.events import Continued, Ended, Started, Told
from tuning.log.limits import end, exhausted, hopeless, spent, used_up


def study(**fields):
    return Study.parse({"space": SPACES["demo"].plain(), **fields})


def trained(number, epochs, seconds=36.0, how="finished", **told):
    return [
        asked(number, T1=number),
        *(epoch(number, e, 0.5, seconds=seconds) for e in range(1, epochs + 1)),
        Told(number, how, **told),
    ]


def test_what_is_spent_counts_trained_epochs_and_a_trial_s_share_of_a_device():
    copied = trained(1, 3, seconds=0.0, reused_from=0)
    found = spent(history(*trained(0, 4), *copied, asked(2, kind="confirm"), epoch(2, 1, seconds=99.0)), share=0.25)
    assert (found.epochs, found.device_hours) == (4, pytest.approx(4 * 36 / 3600 / 4))


def test_wall_time_runs_while_a_driver_does():
    day = 86_400_000
    events = [Started("s", "c", {}, time=0), asked(0), epoch(0, 1), Ended("interrupted"), Continued(), epoch(0, 2)]
    times = [0, 1000, 2000, 2500, day, day + 700]
    timed = [type(event)(**{**vars(event), "time": time}) for event, time in zip(events, times, strict=True)]
    assert history(*timed).running_ms == 3200


def test_confirming_takes_no_wall_time():
    searched = [Started("s", "c", {}, time=0), asked(0), epoch(0, 1), Told(0, "finished")]
    confirmed = [asked(1, kind="confirm"), epoch(1, 1), Told(1, "finished")]
    times = [0, 1000, 2000, 3000, 4000, 50_000, 90_000]
    events = zip([*searched, *confirmed], times, strict=True)
    assert history(*(type(event)(**{**vars(event), "time": time}) for event, time in events)).running_ms == 3000


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        ({"epochs": 5}, ""),
        ({"epochs": 4}, "the budget of 4 epochs is used up"),
        ({"device_hours": 0.04}, "the budget of 0.04 device hours is used up"),
        ({"device_hours": 0.041}, ""),
        ({"epochs": 99, "device_hours": 0.01}, "the budget of 0.01 device hours is used up"),
    ],
)
def test_a_budget_is_used_up_by_what_was_trained(budget, said):
    assert used_up(study(budget=budget), history(*trained(0, 4)), 1.0) == said


def test_a_finite_space_ends_when_all_of_it_was_tried():
    two = Study(space=Space(name="two", base=DIGITS_IB, domains={"T1": Int(path="phases.1.start", low=8, high=9)}))
    assert exhausted(two, history(asked(0, T1=8), asked(1, T1=8))) == ""
    assert exhausted(two, history(asked(0, T1=8), asked(1, T1=9))) == "all 2 points of the space were tried"
    assert exhausted(study(), history(asked(0, T1=8))) == ""


def test_a_study_whose_first_trials_all_fail_gives_up_with_their_error():
    failed = [e for n in range(5) for e in (asked(n, T1=n), Told(n, "failed", error="no such file"))]
    assert hopeless(history(*failed[:-2])) == ""
    assert hopeless(history(*failed)) == "the first 5 trials all failed: no such file"
    assert hopeless(history(*trained(9, 1), *failed)) == ""
    first = replace(failed[1], error="out of memory")
    assert hopeless(history(failed[0], first, *failed[2:])) == (
        "the first 5 trials all failed, 4 of them with the same error: no such file"
    )


def test_the_first_reason_is_told():
    assert end(study(trials=2), history(*trained(0, 1)), 1.0) == ""
    assert end(study(trials=1), history(*trained(0, 1)), 1.0) == "all trials were asked for"
