import threading
from collections.abc import Callable

import pytest
from recording import EVENTS, STARTED, epochs, runs, write_log

from lt_core import InputError
from tuning.engine.recording import Recording
from tuning.log.events import Ended, EventLog, Told, fold, read_events
from tuning.shell.home import Home

pytestmark = pytest.mark.usefixtures("quick")
ASKED = EVENTS[1]


@pytest.fixture
def home(tmp_path, uri):
    return Home.at(tmp_path, uri)


@pytest.fixture
def writers() -> Callable[[], set[threading.Thread]]:
    """The writers that are left of those that the test started; of an earlier test there may be one that waits."""
    before = set(threading.enumerate())
    return lambda: {thread for thread in threading.enumerate() if thread.name == "mlflow-writer"} - before


def recording(home: Home) -> Recording:
    return Recording(home, home.path / "events.jsonl", lambda: STARTED)


def test_what_is_logged_is_in_the_record_when_the_block_has_ended(home, writers):
    with recording(home) as found:
        found.log.emit(ASKED)
    assert (found.failure, found.interrupted) == ("", False)
    assert set(runs(home.tracking_uri)) == {"none", "0"} and not writers()


def test_a_log_begins_once_and_is_gone_on_with(home):
    for _ in range(2):
        with recording(home):
            pass
    assert [type(event).__name__ for event in read_events(home.path / "events.jsonl")] == ["Started", "Continued"]


def test_ctrl_c_ends_the_block_in_order(home):
    with recording(home) as found:
        found.log.emit(ASKED)
        raise KeyboardInterrupt
    assert found.interrupted
    assert {run.info.status for run in runs(home.tracking_uri).values()} == {"KILLED"}


def test_an_error_is_raised_once_the_log_and_the_record_say_that_it_was_interrupted(home, writers):
    found = recording(home)

    def fail() -> None:
        with found:
            found.log.emit(ASKED)
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert not found.interrupted and fold(home.path / "events.jsonl").ended == found.log.history.ended
    assert {run.info.status for run in runs(home.tracking_uri).values()} == {"KILLED"} and not writers()


def test_what_ended_before_stays_as_it_was(home):
    events = [STARTED, ASKED, *epochs(0, None, None, 0.5, 0.5), Told(0, "finished"), Ended("finished")]
    write_log(home.path / "events.jsonl", events)
    with recording(home):
        raise KeyboardInterrupt
    assert runs(home.tracking_uri)["0"].info.status == "FINISHED"


@pytest.mark.parametrize("text", ["x\n", '{"event":"Continued"}\n', '{"event":"Nope"}\n'])
def test_a_log_that_is_none_is_refused_and_left_as_it_is(home, writers, text):
    (home.path / "events.jsonl").write_text(text)
    with pytest.raises(InputError, match=r"events\.jsonl is no event log"):
        recording(home)
    assert (home.path / "events.jsonl").read_text() == text and not writers()


def test_a_log_whose_later_lines_cannot_be_read_leaves_no_thread(home, writers):
    EventLog(home.path / "events.jsonl", lambda event: None).emit(STARTED)
    with (home.path / "events.jsonl").open("a") as file:
        file.write('{"event":"Nope"}\n')
    with pytest.raises(InputError, match="no event log"):
        recording(home)
    assert not writers()
