import re
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from mlflow import MlflowClient
from recording import ENDED, EVENTS, STARTED, Recording, Server, free_port, runs, series, snapshot, undisturbed, until

from tuning.record.tracking import check_answers

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    return snapshot(undisturbed())


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("server"))
    yield running
    running.kill()


def test_a_server_that_is_lost_and_comes_back_gets_everything(server, expected):
    recording = Recording(server.uri, *EVENTS[:3])
    until(lambda: MlflowClient(server.uri).get_experiment_by_name("mine"))
    until(lambda: len(runs(server.uri)) == 2 and series(server.uri, runs(server.uri)["0"], "val_acc"))
    server.kill()
    for event in EVENTS[3:9]:
        started = time.monotonic()
        recording.put(event)
        assert time.monotonic() - started < 2  # to wait for the server would take longer
        time.sleep(0.1)  # several batches
    until(lambda: recording.recorder.failure)
    assert "s3cret" not in recording.recorder.failure and "user" not in recording.recorder.failure
    recording.put(*EVENTS[9:])
    server.start()
    recording.put(ENDED)
    assert recording.close(120) == ""
    assert snapshot(server.uri) == expected
    check_answers(server.uri)


def test_a_server_that_stays_away_costs_no_time_and_no_secret():
    started = time.monotonic()
    recording = Recording(f"http://user:s3cret@127.0.0.1:{free_port()}", *EVENTS * 100)
    assert time.monotonic() - started < 10
    until(lambda: recording.recorder.failure)
    failure = recording.close(20)
    assert time.monotonic() - started < 60
    assert re.search("refused|Max retries", failure)
    assert "s3cret" not in failure and "user:" not in failure


def test_a_server_that_never_answers_does_not_hold_the_end_up():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        recording = Recording(f"http://127.0.0.1:{silent.getsockname()[1]}", STARTED)
        started = time.monotonic()
        assert recording.close(0.5) == "MLflow took more than 0.5 s"
        assert time.monotonic() - started < 20
