import json
import os

import pytest
from conftest import SECONDS
from mlflow.exceptions import MlflowException
from recording import (
    ENDED,
    EVENTS,
    STARTED,
    Server,
    ask,
    epochs,
    free_port,
    runs,
    series,
    snapshot,
    undisturbed,
    write_log,
)

from lt_core import InputError
from search_spaces import Study
from search_spaces.demo import DEMO
from tuning.log.events import Ended, StudyFolder, Told, lock
from tuning.record.sync import sync
from tuning.shell.home import Home
from tuning.verbs import studies

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def home(tmp_path, uri):
    return Home.at(tmp_path / "home", uri)


def study(home, *events, name="mine-1"):
    """The folder of a study with this log."""
    folder = StudyFolder(home.path, name)
    folder.path.mkdir(parents=True)
    folder.write_study(Study(space=DEMO).dump())
    write_log(folder.events_file, list(events))
    return folder


def said(home, what=None):
    return [(log.log.parent.name, log.runs, log.lacks) for log in sync(home, what)]


def test_a_study_that_never_reached_the_record_is_delivered_whole(home):
    study(home, *EVENTS, ENDED)
    assert said(home, "mine-1") == [("mine-1", 7, "")]
    assert snapshot(home.tracking_uri) == snapshot(undisturbed())


def test_what_is_there_is_not_delivered_again(home):
    study(home, *EVENTS, ENDED)
    list(sync(home, None))
    before = {trial: run.info.run_id for trial, run in runs(home.tracking_uri).items()}
    assert said(home) == [("mine-1", 0, "")]
    assert {trial: run.info.run_id for trial, run in runs(home.tracking_uri).items()} == before
    assert snapshot(home.tracking_uri) == snapshot(undisturbed())


@pytest.mark.parametrize("known", [1, 3, 9, 30])
def test_what_is_lacking_is_added(home, known):
    folder = study(home, *EVENTS[:known])
    list(sync(home, None))
    folder.events_file.unlink()
    write_log(folder.events_file, [*EVENTS, ENDED])
    assert said(home)[0][2] == ""
    assert snapshot(home.tracking_uri) == snapshot(undisturbed())


def test_a_log_from_elsewhere_is_delivered_as_it_is(home, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    log = write_log(tmp_path / "elsewhere" / "events.jsonl", [*EVENTS, ENDED])
    os.chmod(log, 0o444)
    before = log.read_bytes()
    assert said(home, str(log)) == [("elsewhere", 7, "")]
    assert snapshot(home.tracking_uri) == snapshot(undisturbed())
    assert log.read_bytes() == before and list(log.parent.iterdir()) == [log]


def test_all_logs_of_a_home_are_delivered_those_of_trainings_done_again_among_them(home):
    study(home, *EVENTS, ENDED)
    folder = home.path / "runs" / "one"
    folder.mkdir(parents=True)
    for name in ("events-1.jsonl", "events.jsonl"):
        alone = type(STARTED)("", "lt-tune train demo", {}, experiment="demo")
        write_log(folder / name, [alone, ask(0, "run", "demo"), *epochs(0, 0.5), Told(0, "finished")])
    assert sorted(said(home)) == [("mine-1", 7, ""), ("one", 1, ""), ("one", 1, "")]


def test_nothing_stays_running_of_a_study_that_was_cut_off(home):
    folder = study(home, *EVENTS[:5])
    list(sync(home, None))
    found = runs(home.tracking_uri)
    assert {run.info.status for run in found.values()} == {"KILLED"}
    assert {run.data.tags["lt.stop_reason"] for run in found.values()} == {"interrupted"}
    assert {run.info.end_time for run in found.values()} == {EVENTS[4].time}
    assert not any(isinstance(event, Ended) for event in [folder.history().ended])


def test_a_study_that_another_process_runs_is_left_to_it(home):
    folder = study(home, *EVENTS[:5])
    study(home, STARTED, ENDED, name="other-1")
    with lock(folder.path, "study mine-1"):
        assert [(name, lacks.partition(":")[0]) for name, _, lacks in said(home)] == [
            ("mine-1", "not yet"),
            ("other-1", ""),
        ]
        with pytest.raises(InputError, match="is being run by another process"):
            list(sync(home, "mine-1"))


def test_what_is_neither_study_nor_file_is_named(home):
    study(home, *EVENTS)
    with pytest.raises(InputError, match=r"there is no study mine-2 .*did you mean `mine-1`"):
        sync(home, "mine-2")
    with pytest.raises(InputError, match=r"there is no study \.\./x"):
        sync(home, "../x")


@pytest.mark.parametrize(("text", "says"), [("", "holds no event"), ("hello\n", "is no event log of this version")])
def test_a_file_that_is_no_log_is_refused(home, tmp_path, text, says):
    (tmp_path / "notes.txt").write_text(text)
    with pytest.raises(InputError, match=says):
        sync(home, str(tmp_path / "notes.txt"))


def test_a_server_that_does_not_answer_is_refused(home):
    study(home, *EVENTS)
    with pytest.raises(InputError, match="does not answer"):
        sync(Home(home.path, f"http://127.0.0.1:{free_port()}", home.data), None)


@pytest.mark.parametrize("text", ["{}\n", "[1]\n", "hello\n", '{"event": "Told"}\n', '{"event": "Never"}\n'])
def test_a_file_that_is_no_log_is_said_so_and_hides_no_other(home, text):
    study(home, name="broken-1").events_file.write_text(text)
    study(home, *EVENTS, ENDED)
    (_, _, first), (_, _, second) = said(home)
    assert first.endswith("events.jsonl is no event log of this version") and second == ""


def test_the_command_says_what_it_did(lt):
    home = Home.at(lt.home, lt.uri)
    log = study(home, *EVENTS, ENDED).events_file
    code, out, err = lt.here("sync")
    assert (code, out) == (0, "lt-runs/studies/mine-1/events.jsonl: 7 runs delivered\n"), err
    code, out, _ = lt.here("sync", "mine-1")
    assert (code, out) == (0, "lt-runs/studies/mine-1/events.jsonl: nothing was lacking\n")
    code, out, _ = lt.here("sync", log, "--json")
    assert (code, json.loads(out)) == (0, [{"log": str(log), "runs": 0, "lacks": ""}])
    with lock(log.parent, "study mine-1"):
        code, out, _ = lt.here("sync")
    assert code == 1 and "not delivered: not yet: the log" in out


@pytest.mark.slow
def test_a_record_that_cannot_be_read_at_the_very_end_costs_a_study_nothing(lt, monkeypatch):
    def fail(*given, **named):
        raise MlflowException("API request to http://u:s3cret@h/api failed")

    monkeypatch.setattr(studies, "export_configs", fail)
    code, out, err = lt.here("search", "demo", "--epochs", 4, "--trials", 2, "--confirm", 0)
    assert code == 0 and "Leaderboard" in out, err
    (said,) = [line for line in err.splitlines() if line.startswith("warning")]
    assert "its best config could not be read back (API request to http://***@h/api failed)" in said
    assert {run.info.status for run in lt.runs()} == {"FINISHED"}


@pytest.mark.slow
def test_a_study_whose_server_never_came_back_ends_well_and_is_delivered_afterwards(lt, tmp_path):
    server = Server(tmp_path)
    where = ("--tracking-uri", server.uri)
    search = lt.start("search", "demo", "--epochs", 8, "--trials", 4, "--confirm", 1, "--concurrent", 2, *where)
    lt.until(search, lambda: len(lt.events("demo-1", "EpochDone")) >= 6)
    server.kill()
    out, err = search.communicate(timeout=SECONDS)
    assert search.returncode == 0, err
    warning = [line for line in err.splitlines() if "warning" in line]
    assert len(warning) == 1 and "`lt-tune sync demo-1 --tracking-uri 'http://***@127.0.0.1:" in warning[0]
    assert "s3cret" not in out + err and "Confirmed on fresh seeds" in out

    server.start()
    code, out, err = lt.here("sync", "demo-1", *where)
    server_runs = runs(server.uri)
    told = {str(event["trial"]) for event in lt.events("demo-1", "Told")}
    assert code == 0 and server_runs.keys() == {"none", *told}, err
    assert {run.info.status for run in server_runs.values()} == {"FINISHED"}
    for trial in told:
        logged = [e["result"] for e in lt.events("demo-1", "EpochDone") if str(e["trial"]) == trial]
        assert series(server.uri, server_runs[trial], "val_acc") == [(e["epoch"], e["val"]["acc"]) for e in logged]
    assert "s3cret" not in "".join(path.read_text(errors="replace") for path in lt.home.rglob("*") if path.is_file())
    server.kill()
