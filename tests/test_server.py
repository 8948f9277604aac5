import json
import signal
import time
import urllib.request

import psutil
import pytest
from recording import Server, deliver, every, free_port, study

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


def test_of_a_server_that_runs_the_address_of_the_study_is_said(lt, tmp_path):
    server = Server(tmp_path, "--static-prefix", "/team", prefix="/team")
    deliver(server.uri, study("a-1", 0.5, time_ms=1))
    deliver(server.uri, study("b-1", 0.5, time_ms=2))
    for name, option in (("a-1", ["a-1"]), ("b-1", [])):
        (run,) = [run for run in every(server.uri) if run.info.run_name == name]
        shown = f"http://***@127.0.0.1:{server.port}/team/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}"
        code, out, err = lt.here("ui", *option, "--no-browser", "--tracking-uri", server.uri)
        assert (code, out) == (0, f"the record is at {shown}\n"), err
    _, out, _ = lt.here("ui", "--no-browser", "--json", "--tracking-uri", server.uri)
    assert json.loads(out) == {"address": shown}
    code, _, err = lt.here("ui", "c-1", "--no-browser", "--tracking-uri", server.uri)
    assert code == 2 and "the record has no study `c-1`" in err
    server.kill()
