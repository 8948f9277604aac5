import json
import re
import shlex
import sys
from pathlib import Path

import pytest
from test_confirmation import THREE, confirming
from test_events import asked, epoch, history
from test_results import TRIALS, trial

from search_spaces import Study
from search_spaces.demo import DEMO
from tuning.log.events import Ended, EventLog, Started, StudyFolder, Told, TrialRecord
from tuning.log.results import of_history
from tuning.reports.confirmation import confirmed, sentences
from tuning.shell.home import Home
from tuning.verbs import show
from tuning.verbs.studies import Outcome

STUDY = Study(space=DEMO)
CONFIRMED = [event for number, run in enumerate(THREE, 10) for event in confirming(number, *run)]
FINISHED = history(*TRIALS, *CONFIRMED, Ended("finished"))
INTERRUPTED = history(*TRIALS, Ended("interrupted"))
FAILED = history(*trial(0, None, "failed", length=0), Ended("finished"))


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("LT_HOME", "LT_DATA", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def home():
    return Home.at(None, None)


def shown(capsys, outcome, home, as_json=False):
    code = show.study(outcome, home, as_json)
    out, err = capsys.readouterr()
    return code, (json.loads(out) if as_json else out), err


def outcome(found, *, study=STUDY, export=None, warning=""):
    return Outcome("mine", study, found, export, warning)


# --- a study ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "code", "state"), [(FINISHED, 0, "finished"), (INTERRUPTED, 130, "interrupted"), (FAILED, 1, "failed")]
)
def test_the_exit_code_is_how_it_ended(capsys, home, found, code, state):
    assert shown(capsys, outcome(found), home)[0] == code
    got, document, err = shown(capsys, outcome(found), home, as_json=True)
    assert (got, document["state"], err) == (code, state, "")


def test_the_document_holds_every_trial_by_rank(capsys, home):
    _, document, _ = shown(capsys, outcome(FINISHED), home, as_json=True)
    assert [t["trial"] for t in document["trials"]] == [2, 0, 4, 1, 3, 5, 6]
    first = FINISHED.trials[2]
    assert document["trials"][0] == {
        "trial": 2,
        "settings": first.asked.settings,
        "score": 0.8125,
        "judged": {"score": 0.8125},
        "feasible": True,
        "best_epoch": 16,
        "epochs": 16,
        "stop_reason": "finished",
        "reused": False,
        "config_id": first.config.id,
    }
    assert document["trials"][4]["score"] is None


def test_the_document_holds_what_was_confirmed(capsys, home):
    file = Path("best.yaml")
    _, document, _ = shown(capsys, outcome(FINISHED, export=file), home, as_json=True)
    groups = confirmed(of_history("mine", STUDY, FINISHED))
    assert [group["config"] for group in document["confirmed"]] == ["best", "paper", "CE"]
    assert document["confirmed"][0]["test_acc"] == {"1": 0.875, "2": 0.625}
    assert document["verdicts"] == sentences(groups) and len(document["verdicts"]) == 3
    assert (document["study"], document["export"], document["go_on"]) == ("mine", "best.yaml", None)
    assert document["tracking_uri"] == home.tracking_uri


def test_the_text_holds_leaderboard_confirmation_and_what_to_type_next(capsys, home):
    file = home.path / "studies" / "mine" / "export" / "best.yaml"
    _, text, err = shown(capsys, outcome(FINISHED, export=file), home)
    for words in (
        "Leaderboard",
        "0.8125",
        "Confirmed on fresh seeds",
        *sentences(confirmed(of_history("mine", STUDY, FINISHED))),
    ):
        assert words in text
    assert "train it again: lt-tune train lt-runs/studies/mine/export/best.yaml\n" in text
    assert "compare in MLflow: lt-tune ui\n" in text and "go on:" not in text
    assert err == "" and "unconfirmed" not in text


@pytest.mark.parametrize("columns", [80, 68])
def test_a_narrow_terminal_has_the_settings_in_one_column(capsys, home, monkeypatch, columns):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    text = re.sub(r"\x1b\[[\d;]*m", "", shown(capsys, outcome(FINISHED), home)[1])
    assert ("settings" in text) is (columns == 68)
    assert max(map(len, text.split("Confirmed")[0].splitlines())) <= columns
    for word in ("0.8125", "16/16", "0 (paper)", "finished", "stopped", "diverged"):
        assert word in text


def test_a_failed_trial_s_error_is_told_as_it_is(capsys, home):
    found = history(*trial(0, 0.5), asked(1, T1=1, epsilon=0.1, alpha=10.0), Told(1, "failed", error="E: [bold]x[/y]"))
    found.apply(Ended("finished"))
    assert "trial 1 failed: E: [bold]x[/y]\n" in shown(capsys, outcome(found), home)[1]


def test_what_the_record_lacks_is_said_on_stderr_with_the_command_that_delivers_it(capsys, home):
    _, document, err = shown(capsys, outcome(FINISHED, warning="no answer"), home, as_json=True)
    assert document["state"] == "finished"
    said = " ".join(err.split())
    assert "no answer" in said and "`lt-tune sync mine` delivers it" in said


# --- the command that goes on -----------------------------------------------------------------------


def go_on(capsys, home, study=STUDY, found=INTERRUPTED):
    code, document, _ = shown(capsys, outcome(found, study=study), home, as_json=True)
    text = shown(capsys, outcome(found, study=study), home)[1]
    assert code == 130 and f"go on: {document['go_on']}\n" in text
    return shlex.split(document["go_on"])


def test_a_study_of_a_shipped_space_goes_on_by_its_name(capsys, home):
    assert go_on(capsys, home) == ["lt-tune", "search", "demo", "--name", "mine", "--resume"]


def test_a_study_of_a_cluster_goes_on_there(capsys, home):
    found = history(Started("mine", "lt-tune search", {}, address="10.0.0.1:6379"), *TRIALS, Ended("interrupted"))
    assert go_on(capsys, home, found=found)[5:] == ["--resume", "--address", "10.0.0.1:6379"]


def test_a_study_of_a_user_s_space_goes_on_from_its_own_description(capsys, home):
    study = Study(space=DEMO.model_copy(update={"name": "own"}))
    command = go_on(capsys, home, study)
    assert command[2] == "lt-runs/studies/mine/study.yaml"


def test_a_study_that_cannot_be_read_does_not_hide_the_others(capsys, home):
    for name, log in (("good", ""), ("bad", "{not JSON}\n")):
        folder = StudyFolder(home.path, name)
        folder.study_file.parent.mkdir(parents=True)
        folder.study_file.write_text(STUDY.dump())
        (folder.study_file.parent / "events.jsonl").write_text(log)
    assert show.studies(home, as_json=True) == 0
    states = {line["study"]: line["state"] for line in json.loads(capsys.readouterr().out)}
    said = f"cannot be read: {StudyFolder(home.path, 'bad').events_file} is no event log of this version"
    assert states == {"good": "unfinished, 0 of 16 trials", "bad": said}


def test_another_home_is_named_with_what_the_shell_needs(capsys, tmp_path):
    assert go_on(capsys, Home.at(Path("my runs"), None))[-2:] == ["--home", "my runs"]


def test_another_record_is_named_without_its_password(capsys):
    command = go_on(capsys, Home.at(None, "http://user:s3cret@host:5000"))
    assert command[-2:] == ["--tracking-uri", "http://***@host:5000"]


def test_a_password_is_in_no_output(capsys):
    place = Home.at(None, "http://user:s3cret@host:5000")
    for as_json in (True, False):
        show.study(outcome(INTERRUPTED, warning="x"), place, as_json)
        show.run(one_run("finished"), None, place, as_json)
    show.studies(place, as_json=False)
    out, err = capsys.readouterr()
    assert "host:5000" in out and not re.search("s3cret|user", out + err)


# --- other verbs ------------------------------------------------------------------------------------


def one_run(how: str) -> TrialRecord:
    tests = {"test_acc": 0.875, "test_acc_last": 0.75} if how == "finished" else {}
    return history(asked(0, kind="run"), epoch(0, 1), epoch(0, 2, 0.5), Told(0, how, tests)).trials[0]


def test_a_run_is_shown_with_its_test_values(capsys, home):
    trained = one_run("finished")
    assert show.run(trained, None, home, as_json=True) == 0
    assert json.loads(capsys.readouterr().out) == {
        "config_id": trained.config.id,
        "stop_reason": "finished",
        "score": 0.5,
        "best_epoch": 2,
        "epochs": 2,
        "test_acc": 0.875,
        "test_acc_last": 0.75,
    }
    assert show.run(trained, None, home, as_json=False) == 0
    assert "test_acc: 0.875\n" in capsys.readouterr().out


def test_a_run_that_diverged_has_failed(capsys, home):
    assert show.run(one_run("diverged"), None, home, as_json=True) == 1
    assert json.loads(capsys.readouterr().out)["stop_reason"] == "diverged"


def test_studies_are_listed_with_their_state_and_command(capsys, home):
    for name, end in (("one", [Ended("finished")]), ("two", [])):
        folder = StudyFolder(home.path, name)
        folder.path.mkdir(parents=True)
        folder.write_study(STUDY.dump())
        log = EventLog(folder.events_file, lambda event: None)
        for event in (Started(name, "", {}), *trial(0, 0.5), *end):
            log.emit(event)
    assert show.studies(home, as_json=True) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(entry["study"], entry["state"]) for entry in listed] == [
        ("one", "finished, 1 of 16 trials"),
        ("two", "unfinished, 1 of 16 trials"),
    ]
    assert [entry["command"] for entry in listed] == [
        "lt-tune report one",
        "lt-tune search demo --name two --resume",
    ]
    assert show.studies(home, as_json=False) == 0
    assert all(entry["command"] in capsys.readouterr().out for entry in listed[:1])


def test_an_empty_home_says_how_to_begin(capsys, home):
    assert show.studies(home, as_json=True) == 0
    assert capsys.readouterr().out == "[]\n"
    assert show.studies(home, as_json=False) == 0
    assert "lt-tune search demo" in capsys.readouterr().out


# --- jobs -------------------------------------------------------------------------------------------


def test_a_job_that_was_started_is_shown_with_what_follows_it(capsys):
    follow = "lt-tune logs j-1 --follow --address http://head:8265"
    assert show.submitted("j-1", "http://head:8265", as_json=False) == 0
    assert capsys.readouterr().out == f"j-1\nfollow it: {follow}\n"
    show.submitted("j-1", "http://head:8265", as_json=True)
    assert json.loads(capsys.readouterr().out) == {"job": "j-1", "follow": follow}


def test_a_job_s_log_is_printed_as_it_is_or_in_one_document(capsys):
    assert show.logs("j-1", iter(["a\n", "b"]), as_json=False) == 0
    assert capsys.readouterr().out == "a\nb"
    show.logs("j-1", iter(["a\n", "b"]), as_json=True)
    assert json.loads(capsys.readouterr().out) == {"job": "j-1", "log": "a\nb"}
