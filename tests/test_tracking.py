import re
import socket
import time

import pytest
from recording import SPACE, deliver, free_port, study, undisturbed

from lt_core import InputError
from tuning import tracking
from tuning.tracking import check_answers, finished_trials

pytestmark = pytest.mark.usefixtures("quick")


def refusal(uri: str) -> str:
    started = time.monotonic()
    with pytest.raises(InputError) as caught:
        check_answers(uri)
    assert time.monotonic() - started < 10
    said = str(caught.value)
    assert said.startswith("the tracking URI ") and "\n" not in said
    return said


def test_a_dead_port_is_refused_in_time(monkeypatch):
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES")
    assert "does not answer" in refusal(f"http://127.0.0.1:{free_port()}")


@pytest.mark.parametrize("credentials", ["user@", "user:s3cret@", "user:s3@cret@", "user:s3/cret@"])
def test_a_refusal_names_no_secret(credentials):
    said = refusal(f"http://{credentials}127.0.0.1:{free_port()}")
    assert "does not answer" in said and not re.search("user|s3|cret", said)


def test_a_port_that_never_answers_is_refused(monkeypatch):
    monkeypatch.setattr(tracking, "ANSWER_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        said = refusal(f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert said.endswith("does not answer: no answer within 1 s")


@pytest.mark.parametrize(
    "uri",
    ["nothing://s3cret:s3cret@x", "postgresql+nodriver://user:s3cret@localhost/db", "mysql://localhost/db?pw=s3cret"],
)
def test_what_mlflow_cannot_speak_to_is_refused(uri):
    said = refusal(uri)
    assert "no answer within" not in said and "s3cret" not in said


def test_a_database_that_is_there_or_can_be_made_is_good(tmp_path, uri):
    check_answers(uri)
    check_answers(f"sqlite:///{tmp_path / 'new.db'}")
    (tmp_path / "empty.db").touch()
    check_answers(f"sqlite:///{tmp_path / 'empty.db'}?timeout=5")
    assert not (tmp_path / "new.db").exists()


def test_a_database_that_cannot_be_is_refused(tmp_path):
    (tmp_path / "file").write_text("this is no database")
    assert "is no folder" in refusal(f"sqlite:///{tmp_path / 'none' / 'mlflow.db'}")
    assert "is no folder" in refusal(f"sqlite:///{tmp_path / 'file' / 'mlflow.db'}")
    assert "is no database" in refusal(f"sqlite:///{tmp_path / 'file'}")
    assert "is no database" in refusal(f"sqlite:///{tmp_path}")


# --- reading ----------------------------------------------------------------------------------------


def test_finished_trials_come_best_first_the_earlier_of_equals_before(uri):
    deliver(uri, study("a", 0.5, 0.75, 0.25, 0.75, time_ms=1))
    found = list(finished_trials(uri, "a"))
    assert [run.tags["lt.trial"] for run in found] == ["1", "3", "0", "2"]
    assert [run.metrics["score"] for run in found] == [0.75, 0.75, 0.5, 0.25]
    assert found[0].config == SPACE.base


def test_neither_confirming_runs_nor_those_that_stopped_early_nor_reused_ones_are_among_them():
    assert [run.tags["lt.trial"] for run in finished_trials(undisturbed(), "mine-1")] == ["0"]


def test_the_newest_study_of_a_name_counts(uri):
    deliver(uri, study("a", 0.5, time_ms=2))
    deliver(uri, study("a", 0.25, time_ms=3))
    deliver(uri, study("a", 0.75, time_ms=1))
    assert [run.metrics["score"] for run in finished_trials(uri, "a")] == [0.25]


@pytest.mark.parametrize("name", ["none", "mine-1' OR '1' = '1", "", "mine-1\n"])
def test_a_study_that_the_record_has_not_is_refused(name):
    with pytest.raises(InputError, match="the record has no study"):
        list(finished_trials(undisturbed(), name))
