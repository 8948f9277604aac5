import json
import math
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lt_core import InputError, TrainConfig, override
from search_spaces.demo import DIGITS_IB
from tuning.log.events import (
    Asked,
    Ended,
    EpochDone,
    Event,
    EventLog,
    History,
    Kind,
    Started,
    StudyFolder,
    Told,
    folders,
    is_name,
    read_events,
)

examples = settings(max_examples=60, deadline=None, derandomize=True)


# --- events to test with, here and elsewhere --------------------------------------------------------


def asked(
    trial: int, config: TrainConfig = DIGITS_IB, kind: Kind = "trial", role: str = "", **settings: object
) -> Asked:
    return Asked(trial, kind, role, settings, config.plain(), {}, {})


def epoch(trial: int, number: int, score: float | None = None, **fields: object) -> EpochDone:
    accuracy = 0.1 if score is None else score
    val = {f"acc{name}": accuracy for name in ("", "_macro", "_worst", "_head", "_tail", "_few")}
    result = {"epoch": number, "train_loss": 1 / number, "lr": 0.1, "seconds": 0.5, "val": val, "score": score}
    best = {"best_epoch": None if score is None else number, "diverged": False}
    return EpochDone(trial, {**result, **best, **fields}, "cpu threads=1")


def history(*events: Event) -> History:
    found = History()
    for event in events:
        found.apply(event)
    return found


# --- the log ----------------------------------------------------------------------------------------

SOME = [
    Started("s", "lt-tune search", {"lt.config_id": "x"}),
    asked(0, role="paper", T1=8, epsilon=1e-3, label="naïve\u2028\n"),
    epoch(0, 1),
    asked(1, T1=3),
    epoch(1, 1, train_loss=math.inf),
    Told(1, "failed", error="Error: line 1\nline 2 \U0001f4a5"),
    epoch(0, 2, 0.75),
    Told(0, "finished", {"test_acc": 0.5}),
]


def write(path: Path, events: list[Event]) -> EventLog:
    log = EventLog(path, lambda event: None)
    for event in events:
        log.emit(event)
    return log


def reopened(path: Path) -> tuple[EventLog, list[Event]]:
    heard: list[Event] = []
    return EventLog(path, heard.append), heard


texts = st.text(max_size=20)
numbers = st.floats(allow_nan=False) | st.integers(-(2**53), 2**53)
scalars = st.none() | st.booleans() | numbers | texts
plain = st.dictionaries(texts, scalars | st.dictionaries(texts, scalars, max_size=2), max_size=3)
tags = st.dictionaries(texts, texts, max_size=3)
values = st.dictionaries(texts, st.floats(allow_nan=False), max_size=3)
times = st.integers(0, 2**45)
events = st.one_of(
    st.builds(Started, texts, texts, tags, time=times),
    st.builds(Asked, st.integers(0, 99), st.just("trial"), texts, plain, plain, plain, tags, time=times),
    st.builds(Ended, st.just("interrupted"), texts, values, tags, time=times),
)


@examples
@given(st.lists(events, min_size=1, max_size=4), st.floats(0, 1, exclude_max=True))
def test_a_log_torn_at_any_byte_holds_every_event_before_its_last_line(written, share):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "events.jsonl"
        write(path, written)
        text = path.read_bytes()
        start = text.rfind(b"\n", 0, -1) + 1  # of the last line
        os.truncate(path, start + int(share * (len(text) - start)))
        assert list(read_events(path)) == written[:-1]
        log, heard = reopened(path)
        assert heard == [event for event in written[:-1] if not isinstance(event, Ended)]
        log.emit(written[-1])
        assert path.read_bytes() == text and list(read_events(path)) == written


def test_a_log_that_is_read_again_is_the_same_history(tmp_path):
    log = write(tmp_path / "events.jsonl", SOME)
    again, heard = reopened(tmp_path / "events.jsonl")
    assert heard == SOME and log.history == again.history == history(*SOME)


def test_not_a_number_survives_the_log(tmp_path):
    write(tmp_path / "events.jsonl", [asked(0), epoch(0, 1, train_loss=math.nan)])
    (_, found) = read_events(tmp_path / "events.jsonl")
    assert isinstance(found, EpochDone) and math.isnan(found.result["train_loss"])


def test_an_event_is_on_the_disk_before_anything_follows_from_it(tmp_path, monkeypatch):
    path, order = tmp_path / "events.jsonl", []
    sync = os.fsync

    def fsync(file: int) -> None:
        order.append(("synced", os.fstat(file).st_ino == path.stat().st_ino and path.read_bytes().count(b"\n")))
        sync(file)

    monkeypatch.setattr(os, "fsync", fsync)
    log = EventLog(path, lambda event: order.append(("heard", log.history.events)))
    for event in SOME[:2]:
        log.emit(event)
    assert order == [("synced", 1), ("heard", 1), ("synced", 2), ("heard", 2)]


def test_a_log_is_one_line_of_json_an_event(tmp_path):
    write(tmp_path / "events.jsonl", SOME)
    lines = (tmp_path / "events.jsonl").read_text(encoding="utf-8").split("\n")
    assert [json.loads(line)["event"] for line in lines[:-1]] == [type(event).__name__ for event in SOME]
    assert lines[-1] == ""


def test_a_line_that_found_no_room_is_gone_when_there_is_room_again(tmp_path):
    path = tmp_path / "events.jsonl"
    log = write(path, SOME[:1])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 20, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            log.emit(SOME[1])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    log.emit(Ended("interrupted"))
    assert [type(event) for event in read_events(path)] == [Started, Ended]
    assert log.history.trials == {}


def test_reading_a_log_changes_nothing(tmp_path):
    folder = StudyFolder(tmp_path, "s")
    write(folder.events_file, SOME)
    with folder.events_file.open("ab") as file:
        file.write(b'{"event":"Ended","stop')
    before = folder.events_file.read_bytes()
    assert folder.history() == history(*SOME)
    assert folder.events_file.read_bytes() == before


def test_no_log_is_no_history(tmp_path):
    assert StudyFolder(tmp_path, "s").history() == History()


# --- ends -------------------------------------------------------------------------------------------


def test_an_end_is_void_once_the_log_is_opened_again_and_goes_on(tmp_path):
    path = tmp_path / "events.jsonl"
    log = write(path, [*SOME[:3], Ended("interrupted", time=1)])
    assert log.history.ended == Ended("interrupted", time=1)
    again, heard = reopened(path)
    assert heard == SOME[:3]
    again.emit(SOME[3])
    assert again.history.ended is None
    assert StudyFolder(tmp_path, "s").history().ended is None


def test_a_study_that_ended_has_ended_for_those_who_only_read(tmp_path):
    folder = StudyFolder(tmp_path, "s")
    write(folder.events_file, [*SOME, Ended("finished", time=1)])
    assert folder.history().ended == Ended("finished", time=1)


# --- the history ------------------------------------------------------------------------------------


def test_a_history_has_each_trial_s_epochs_in_the_order_of_the_log():
    found = history(*SOME)
    zero, one = found.trials[0], found.trials[1]
    assert [e.result["epoch"] for e in zero.epochs] == [1, 2] and zero.arrivals == [3, 7]
    assert one.arrivals == [5] and found.events == 8
    assert (zero.stop_reason, one.stop_reason) == ("finished", "failed")
    assert zero.last["score"] == 0.75


def test_arrivals_are_the_same_when_a_log_with_ends_is_read_again(tmp_path):
    log = write(tmp_path / "e", [*SOME[:3], Ended("interrupted"), epoch(0, 2)])
    again, _ = reopened(tmp_path / "e")
    assert again.history.trials[0].arrivals == log.history.trials[0].arrivals == [3, 5]


def test_a_trial_that_was_only_asked_for_runs_and_has_no_score():
    trial = history(asked(0)).trials[0]
    assert trial.stop_reason == "running"
    assert trial.last == {"epoch": 0, "score": None, "best_epoch": None}


def test_a_trial_s_config_is_the_one_asked_for():
    config = override(DIGITS_IB, {"phases.1.start": 3})
    assert history(asked(0, config)).trials[0].config == config


def test_trials_of_a_kind_come_by_number():
    found = history(asked(2), asked(1, kind="confirm"), asked(0))
    assert [t.asked.trial for t in found.of_kind("trial")] == [0, 2]
    assert [t.asked.trial for t in found.of_kind("confirm")] == [1]
    assert found.of_kind("run") == []


def test_a_study_has_an_identity_of_its_own():
    assert Started("s", "", {}).study_id != Started("s", "", {}).study_id


# --- folders ----------------------------------------------------------------------------------------


def test_a_home_lists_its_studies_oldest_first(tmp_path):
    for age, name in enumerate(["b", "c", "a"]):
        folder = StudyFolder(tmp_path, name)
        folder.path.mkdir(parents=True)
        assert not folder.exists
        folder.write_study("x")
        os.utime(folder.study_file, (age, age))
    (tmp_path / "studies" / "no-study").mkdir()
    assert [folder.name for folder in folders(tmp_path)] == ["b", "c", "a"]
    assert all(folder.exists for folder in folders(tmp_path))


def test_an_empty_home_has_no_studies(tmp_path):
    assert folders(tmp_path / "none") == []


def test_a_description_is_kept_whole(tmp_path):
    folder = StudyFolder(tmp_path, "s")
    folder.path.mkdir(parents=True)
    folder.write_study("old")
    folder.write_study("nè\n")
    assert folder.study_file.read_bytes() == "nè\n".encode()
    assert [path.name for path in folder.path.iterdir()] == ["study.yaml"]


@pytest.mark.parametrize("name", ["a", "demo-1", "A.b_c-9", "x" * 100])
def test_a_name_that_can_be_a_folder_names_a_study(name):
    assert is_name(name)


@pytest.mark.parametrize("name", ["", ".", "..", "-a", "_a", "a/b", "a b", "a\n", "é", "x" * 101, "a'b"])
def test_no_other_text_does(name):
    assert not is_name(name)


# --- the lock ---------------------------------------------------------------------------------------

HOLD = """
import sys, time
from pathlib import Path
from tuning.log.events import StudyFolder
folder = StudyFolder(Path(sys.argv[1]), "s")
folder.lock()
print("locked", flush=True)
time.sleep(60)
"""


def test_a_study_is_one_process_s_until_that_dies(tmp_path):
    root = Path(__file__).parent.parent
    holder = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], cwd=root, stdout=subprocess.PIPE, text=True)
    with holder:
        assert holder.stdout is not None and holder.stdout.readline() == "locked\n"
        with pytest.raises(InputError, match="study s is being run by another process"):
            StudyFolder(tmp_path, "s").lock()
        StudyFolder(tmp_path, "other").lock()
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        StudyFolder(tmp_path, "s").lock()


def test_a_process_of_the_holder_s_does_not_keep_its_lock(tmp_path):
    folder = StudyFolder(tmp_path, "s")
    folder.lock()
    with subprocess.Popen(["sleep", "60"], close_fds=False) as child:
        del folder
        StudyFolder(tmp_path, "s").lock()
        child.kill()
