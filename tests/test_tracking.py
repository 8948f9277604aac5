import re
import socket
import time

import pytest
from recording import free_port

from lt_core import InputError
from tuning.record import tracking
from tuning.record.tracking import check_answers

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
