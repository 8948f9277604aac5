"""A function computed beside: in a process that has not begun threads, as the command line's has not."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).parent.parent
BEGIN = "import os, signal, sys, time\nfrom lt_core.value import InputError\nfrom tuning.shell.beside import Beside\n"


def run(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", BEGIN + code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_a_result_comes_from_another_process():
    done = run("pid = Beside(os.getpid).result()\nprint(pid not in (0, os.getpid()))")
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_what_is_imported_there_is_not_imported_here():
    code = "def there():\n    import sqlite3\n    return sqlite3.sqlite_version\n"
    done = run(code + "found = Beside(there).result()\nprint(bool(found), 'sqlite3' in sys.modules)")
    assert (done.stdout, done.stderr) == ("True False\n", "")


def test_an_error_is_raised_where_the_result_is_asked_for():
    code = "def there():\n    raise InputError('no such server', 'uri')\nbeside = Beside(there)\n"
    done = run(code + "try:\n    beside.result()\nexcept InputError as error:\n    print(error, error.path)")
    assert (done.stdout, done.stderr) == ("no such server uri\n", "")


def test_an_error_has_its_traceback_as_a_note():
    done = run("def there():\n    return {}['no such tag']\nBeside(there).result()")
    assert done.returncode == 1 and "KeyError: 'no such tag'" in done.stderr and "in there" in done.stderr


def test_an_error_that_no_pickle_holds_is_told_as_text():
    code = "class Odd(Exception):\n    def __init__(self, a, b):\n        super().__init__(a)\n"
    done = run(code + "def there():\n    raise Odd('first', 'second')\nBeside(there).result()")
    assert "RuntimeError: Traceback" in done.stderr and "Odd: first" in done.stderr


def test_a_process_that_died_is_told_by_its_exit_code():
    done = run("Beside(lambda: os.kill(os.getpid(), signal.SIGKILL)).result()")
    assert "RuntimeError: the process beside this one ended with exit code -9" in done.stderr


def test_where_nobody_waits_any_more_it_ends_by_itself():
    code = "beside = Beside(lambda: time.sleep(1) or 'x' * 2**20)\nprint(beside._process.pid, flush=True)\n"
    done = run(code + "os.kill(os.getpid(), signal.SIGKILL)")
    deadline = time.monotonic() + 20
    while psutil.pid_exists(int(done.stdout)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert done.stderr == ""


def test_a_result_that_nobody_asks_for_keeps_nobody_waiting():
    started = time.monotonic()
    assert run("Beside(lambda: time.sleep(50))").returncode == 0
    assert time.monotonic() - started < 30


def test_an_interrupt_ends_both_without_a_word_from_the_other():
    code = "beside = Beside(lambda: print('ready', flush=True) or time.sleep(50))\n"
    code = f"try:\n    {code}    beside.result()\nexcept KeyboardInterrupt:\n    print('interrupted')"
    process = subprocess.Popen(
        [sys.executable, "-c", BEGIN + code],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    (child,) = psutil.Process(process.pid).children()
    child.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (out, err) == ("interrupted\n", "")
    assert not child.is_running()
