import errno
from dataclasses import replace
from pathlib import Path

import pytest
from test_events import epoch

from search_spaces import SPACES, Rungs, Study
from search_spaces.study import Budget
from tuning.engine.driver import Driver, Session
from tuning.engine.library import Library
from tuning.engine.stages import ConfirmStage, SearchStage
from tuning.log.events import Asked, EventLog, Kind, Started, Told, TrialRecord
from tuning.record.identity import Identity

STUDY = Study(space=SPACES["demo"].scaled(2 / 16), trials=1, confirm=1, confirm_top=1)
EVALUATIONS = {"classes": ["a"], "train_images": [1], "test": {"last": {"class_acc": [0.5]}}}
TESTED = Told(0, "finished", {"test_acc": 0.5}, test_series=[0.25, 0.5], evaluations=EVALUATIONS, series={"x": [1.0]})


def trained(home: Path, like: Asked, kind: Kind, epochs: int = 2) -> None:
    """What another command of this home trained: the same config, to its end, and tested."""
    log = EventLog(home / "runs" / like.tags["lt.config_id"] / "events.jsonl", lambda event: None)
    for event in (
        Started("", "lt-tune train", {}),
        replace(like, trial=0, kind=kind),
        *(epoch(0, number, 0.5) for number in range(1, epochs + 1)),
    ):
        log.emit(event)
    log.emit(TESTED)


@pytest.fixture
def session(tmp_path):
    folder = tmp_path / "studies" / "mine-1"
    log = EventLog(folder / "events.jsonl", lambda event: None)
    return Session(log, str(folder / "checkpoints"), tmp_path, Library(tmp_path, folder / "events.jsonl"))


def search(session: Session) -> TrialRecord:
    """The study's one trial, taken over: no worker is needed."""
    stage = SearchStage(STUDY, session.history, Identity(session.root))
    trained(session.root, stage.propose(0)[0], "run")
    driver = Driver(session, SearchStage(STUDY, session.history, Identity(session.root)), "cpu", STUDY)
    assert driver.next() is None and driver.over
    return session.history.trials[0]


def test_a_trial_takes_over_epochs_of_a_tested_run_but_none_of_its_test_values(session):
    trial = search(session)
    assert trial.told is not None and trial.told.reused_from is not None
    assert [e.result["score"] for e in trial.epochs] == [0.5, 0.5]
    told = trial.told
    assert (told.stop_reason, told.test, told.test_series, told.evaluations, told.series) == (
        "finished",
        {},
        [],
        {},
        {},
    )


@pytest.mark.parametrize("killed", [False, True])
def test_a_rung_stops_what_is_taken_over_where_it_would_have_stopped_it(session, killed):
    """A trial of .5 after one of .9, whole in another study, and its driver perhaps killed as it copied the rung."""
    made = STUDY.model_copy(update={"space": SPACES["demo"], "trials": 2})
    stage, history = SearchStage(made, session.history, Identity(session.root)), session.history
    session.log.emit(stage.propose(0)[0])
    for number in range(1, 17):
        session.log.emit(epoch(0, number, 0.9))
    session.log.emit(Told(0, "finished"))
    stage.told(history.trials[0])
    session.log.emit(stage.propose(1)[0])
    second = history.trials[1]
    rung = made.effective_rungs.of(second.config)[0]
    for number in range(1, rung + 1) if killed else ():
        session.log.emit(epoch(1, number, 0.5))
    trained(session.root, second.asked, "run", epochs=16)
    driver = Driver(session, SearchStage(made, session.history, Identity(session.root)), "cpu", made)
    assert driver.next() is None and driver.over
    assert second.told is not None and second.told.stop_reason == "early_stopped"
    assert isinstance(second.told.reused_from, str) and len(second.epochs) == rung < 16


def test_a_budget_that_is_used_up_ends_no_copy_which_costs_nothing(session):
    whole = Study(space=SPACES["demo"].scaled(2 / 16), trials=2, rungs=Rungs(epochs=()), budget=Budget(epochs=2))
    stage, history = SearchStage(whole, session.history, Identity(session.root)), session.history
    for number in (0, 1):
        session.log.emit(stage.propose(number)[0])
    for number in (1, 2):
        session.log.emit(epoch(0, number, 0.9))
    session.log.emit(Told(0, "finished"))
    second = history.trials[1]
    trained(session.root, second.asked, "run")
    driver = Driver(session, SearchStage(whole, session.history, Identity(session.root)), "cpu", whole)
    assert driver.next() is None and driver.over
    assert second.told is not None and (second.told.stop_reason, len(second.epochs)) == ("finished", 2)


def test_a_full_disk_ends_the_stage_and_no_trial(session):
    driver = Driver(session, SearchStage(STUDY, session.history, Identity(session.root)), "cpu", STUDY)
    assert driver.next() is not None
    driver.trouble(0, "its worker could not go on: OSError: [Errno 28] Error writing. No space left on device")
    driver.lost(0)
    assert session.history.trials[0].told is None
    with pytest.raises(OSError, match="No space left on device") as caught:
        driver.check_end()
    assert caught.value.errno == errno.ENOSPC


def test_another_trouble_ends_its_trial_alone(session):
    driver = Driver(session, SearchStage(STUDY, session.history, Identity(session.root)), "cpu", STUDY)
    assert driver.next() is not None
    driver.trouble(0, "its worker could not go on: OSError: bad")
    driver.lost(0)
    driver.check_end()
    told = session.history.trials[0].told
    assert told is not None and (told.stop_reason, told.error) == ("failed", "its worker could not go on: OSError: bad")


def test_a_confirming_run_takes_over_the_test_values_as_well(session):
    search(session)
    stage = ConfirmStage(STUDY, session.history, Identity(session.root))
    (wanted,) = stage.propose(1)
    trained(session.root, wanted, "run")
    again = replace(session, library=Library(session.root, session.root / "studies" / "mine-1" / "events.jsonl"))
    driver = Driver(again, ConfirmStage(STUDY, session.history, Identity(session.root)), "cpu", STUDY)
    assert driver.next() is not None  # the next one, which nobody trained
    told = session.history.trials[1].told
    assert told is not None and told.reused_from is not None
    assert (told.test, told.test_series, told.evaluations) == ({"test_acc": 0.5}, [0.25, 0.5], EVALUATIONS)
