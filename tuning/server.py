"""The MLflow UI on the record: starts a server, waits until it answers, stops it cleanly."""

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import webbrowser

import typer

from lt_core.value import InputError
from tuning.home import Home
from tuning.tracking import check_answers, server_arguments

START_SECONDS = 60


def serve(home: Home, port: int, browser: bool) -> int:
    """Serve a database until Ctrl-C; of an MLflow server that runs already, only say (and open) the address."""
    check_answers(home.tracking_uri)
    if home.tracking_uri.startswith(("http://", "https://")):
        return _announce(home.tracking_uri, browser)
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise InputError(f"--port {port} is taken: give another")
    process = subprocess.Popen([sys.executable, *server_arguments(home.tracking_uri, home.artifacts, port)])
    try:
        address = f"http://127.0.0.1:{port}"
        _wait(process, address)
        _announce(address, browser)
        return process.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        process.terminate()
        process.wait(10)


def _announce(address: str, browser: bool) -> int:
    typer.echo(f"the record is at {address} (Ctrl-C ends)")
    if browser:
        webbrowser.open(address)
    return 0


def _wait(process: subprocess.Popen[bytes], address: str) -> None:
    for _ in range(START_SECONDS * 5):
        if process.poll() is not None:
            raise RuntimeError(f"the MLflow server ended with exit code {process.returncode}")
        try:
            urllib.request.urlopen(f"{address}/health", timeout=1).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError(f"the MLflow server did not answer at {address} within {START_SECONDS} s")
