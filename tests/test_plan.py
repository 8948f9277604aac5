import pytest
from test_events import asked, epoch, history
from test_library import write

from search_spaces import SPACES, Study
from tuning.log.events import Asked, Told
from tuning.log.limits import spent
from tuning.record.identity import Identity
from tuning.reports.plan import calibrated, compared, plan
from tuning.shell.home import Home


@pytest.fixture
def home(tmp_path):
    return Home.at(tmp_path, None)


def study(**fields):
    return Study.parse({"space": SPACES["demo"].plain(), **fields})


def test_no_more_configs_are_confirmed_than_there_are_trials():
    assert [study(trials=n, confirm=2, confirm_top=9).confirming for n in (4, 9, 16)] == [12, 22, 22]


def test_a_plan_counts_trainings_epochs_and_hours(home):
    made = study(trials=9, confirm=2, budget={"epochs": 999})
    found = plan(made, home, history(), share=0.25, concurrent=4, seconds=36.0)
    assert (found.trials, found.rungs, found.most_epochs) == (9, (12, 14), 9 * 16)
    assert found.epochs == 16 + round(8 * (12 + 2 / 2 + 2 / 4))
    assert (found.confirming, found.confirm_epochs) == (10, 160)
    assert found.device_hours == pytest.approx((found.epochs + 160) * 36 * 0.25 / 3600)
    assert found.wall_hours == pytest.approx((found.epochs + 160) * 36 / 4 / 3600)
    assert found.standard_error == pytest.approx((0.25 / 300) ** 0.5) and found.val_images == 300
    assert found.document()["budget"]["epochs"] == 999


def test_a_plan_ends_with_the_budget_and_with_the_space(home):
    found = plan(study(trials=9, budget={"epochs": 100}), home, history(), 1.0, 1, None)
    assert (found.epochs, found.most_epochs) == (100, 100)
    domains = {"T1": {"kind": "int", "path": "phases.1.start", "low": 6, "high": 9}}
    small = Study.parse({"space": {**SPACES["demo"].plain(), "domains": domains}, "trials": 30})
    assert plan(small, home, history(), 1.0, 1, None).trials == 4


def test_an_extended_study_may_confirm_other_configs(home):
    confirmed = [
        event
        for n, role in enumerate(("best", "paper", "CE"), 4)
        for event in (asked(n, kind="confirm", role=role), epoch(n, 1, 0.5), Told(n, "finished"))
    ]
    done = history(*(e for n in range(4) for e in (asked(n), epoch(n, 1, 0.5), Told(n, "finished"))), *confirmed)
    assert plan(study(trials=4, confirm=1), home, done, 1.0, 1, None).confirming == 2
    assert plan(study(trials=8, confirm=1), home, done, 1.0, 1, None).confirming == 3


def test_without_rungs_all_epochs_are_expected(home):
    found = plan(study(rungs={"epochs": []}), home, history(), 1.0, 1, None)
    assert found.epochs == found.most_epochs == 256


def test_the_time_is_unknown_until_something_like_it_was_timed(home):
    unknown = plan(study(), home, history(), 1.0, 2, None)
    assert (unknown.seconds, unknown.device_hours, unknown.wall_hours) == (None, None, None)
    assert ["seconds per epoch", "unknown: --calibrate measures"] in unknown.grid().rows
    base = SPACES["demo"].base
    write(home.path, "a", Asked(0, "trial", "", {}, base.plain(), {}, {}), epoch(0, 1, seconds=2.0))
    assert plan(study(), home, history(), 1.0, 2, None).seconds == 2.0


def test_what_is_trained_already_is_counted(home):
    base = SPACES["demo"].base
    done = Asked(0, "trial", "", {}, base.plain(), {}, Identity(home.data).tags(base))
    write(home.path, "a", done, epoch(0, 1, 0.5), Told(0, "finished"))
    found = plan(study(trials=9, confirm=2, first=[{"T1": 3}]), home, history(), 1.0, 1, None)
    assert found.at_hand == 1
    assert (found.epochs, found.most_epochs) == (round(8 * (12 + 2 / 2 + 2 / 4)), 8 * 16)


def test_the_plan_of_a_study_that_has_begun_is_of_its_rest(home):
    begun = history(
        *(event for n in range(4) for event in (asked(n), epoch(n, 1, 0.5, seconds=1.0), Told(n, "early_stopped"))),
        *(asked(4, kind="confirm", role="paper"), epoch(4, 1, 0.5, seconds=1.0), Told(4, "finished")),
    )
    found = plan(study(trials=9, confirm=2), home, begun, 1.0, 1, None)
    assert (found.trials, found.done) == (9, 4)
    assert (found.epochs, found.most_epochs) == (round(5 * (12 + 2 / 2 + 2 / 4)), 5 * 16)
    assert (found.confirming, found.confirm_epochs) == (9, 144)
    assert ["trials", "9, 4 of them done"] in found.grid().rows
    assert plan(study(trials=9, budget={"epochs": 10}), home, begun, 1.0, 1, None).epochs == 6


def test_calibration_measures_an_epoch(home):
    assert 0 < calibrated(SPACES["demo"].base, home, "cpu") < 60


def test_a_plan_is_held_against_what_was_spent(home):
    foreseen = plan(study(trials=2), home, history(), 0.5, 1, 36.0).document()
    events = [asked(0), *(epoch(0, n, 0.5, seconds=72.0) for n in range(1, 11))]
    said = compared(foreseen, spent(history(*events), 0.5))
    assert said == "Planned: about 30 epochs of search; trained: 10. Planned: 9 min on the device; taken: 6 min."
    assert compared({}, spent(history(*events), 0.5)) == ""
