import json
import signal
import socket
import time
import urllib.request

import psutil
import pytest
from recording import Server, deliver, every, free_port, study

from tuning.record import server
from tuning.record.pages import CHOICES


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=lambda sent: sent.name)
def test_a_signal_ends_the_page_and_leaves_nothing_running(lt, sent):
    port = free_port()
    process = lt.start("ui", "--port", port, "--no-browser")
    assert process.stdout.readline() == f"the record is at http://127.0.0.1:{port} (Ctrl-C ends)\n"
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
        page = answer.read().decode()
    assert all(key in page for key in CHOICES)
    children = psutil.Process(process.pid).children(recursive=True)
    started = time.monotonic()
    code, _, err = lt.end(process, sent)
    assert (code, time.monotonic() - started < 15) == (0, True), err
    assert len(children) > 1 and not psutil.wait_procs(children, timeout=5)[1]


@pytest.mark.slow
def test_a_server_that_ends_at_once_is_told_with_its_log(lt):
    with socket.socket() as held:  # bound, and not listening: free to whoever looks, not to the server
        held.bind(("127.0.0.1", 0))
        code, out, err = lt.here("ui", "--no-browser", "--port", str(held.getsockname()[1]))
    log = lt.home / "mlflow-server.log"
    assert (code, out) == (1, "")
    assert err.endswith(f"error: the MLflow server ended before it answered; {log} says why\n")
    assert "address already in use" in log.read_text().lower()


def test_a_server_that_does_not_answer_in_time_is_told_and_ended(lt, monkeypatch):
    monkeypatch.setattr(server, "START_SECONDS", 0)
    port = free_port()
    code, out, err = lt.here("ui", "--no-browser", "--port", str(port))
    assert (code, out) == (1, "")
    assert err.endswith(f"did not answer within 0 s; its log is {lt.home / 'mlflow-server.log'}\n")
    assert not [process for process in psutil.process_iter(["cmdline"]) if str(port) in (process.info["cmdline"] or [])]


def test_of_a_server_that_runs_the_address_of_the_study_is_said(lt, tmp_path):
    running = Server(tmp_path, "--static-prefix", "/team", prefix="/team")
    deliver(running.uri, study("a-1", 0.5, time_ms=1))
    deliver(running.uri, study("b-1", 0.5, time_ms=2))
    for name, option in (("a-1", ["a-1"]), ("b-1", [])):
        (run,) = [run for run in every(running.uri) if run.info.run_name == name]
        shown = (
            f"http://***@127.0.0.1:{running.port}/team/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}"
        )
        code, out, err = lt.here("ui", *option, "--no-browser", "--tracking-uri", running.uri)
        assert (code, out) == (0, f"the record is at {shown}\n"), err
    _, out, _ = lt.here("ui", "--no-browser", "--json", "--tracking-uri", running.uri)
    assert json.loads(out) == {"address": shown}
    code, _, err = lt.here("ui", "c-1", "--no-browser", "--tracking-uri", running.uri)
    assert code == 2 and "the record has no study `c-1`" in err
    running.kill()
