import os
import signal
import time
import urllib.request

import psutil
import pytest
from recording import free_port

from tuning.pages import CHOICES, start_page


def test_the_start_page_makes_our_choices_before_mlflow_s_script_runs():
    page = start_page("<html><head><script src=main.js></script></head></html>")
    ours, theirs = page.split("</script>", 1)
    assert all(f"localStorage['{key}'] ??= '{value}';" in ours for key, value in CHOICES.items())
    assert theirs.startswith("<script src=main.js>")


@pytest.mark.slow
def test_ctrl_c_ends_the_page_and_leaves_nothing_running(lt):
    port = free_port()
    process = lt.start("ui", "--port", port, "--no-browser")
    assert process.stdout.readline() == f"the record is at http://127.0.0.1:{port} (Ctrl-C ends)\n"
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
        page = answer.read().decode()
    assert all(key in page for key in CHOICES)
    children = psutil.Process(process.pid).children(recursive=True)
    started = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, time.monotonic() - started < 15) == (0, True), err
    assert not psutil.wait_procs(children, timeout=5)[1]
