"""The MLflow UI on the record: starts a server, waits until it answers, stops it cleanly."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import webbrowser
from pathlib import Path

import typer

from lt_core.value import InputError
from tuning.record.reading import address as address_of
from tuning.record.tracking import check_answers
from tuning.shell.home import Home
from tuning.shell.uris import is_server, without_secrets

START_SECONDS = 180


def serve(home: Home, study: str | None, port: int, browser: bool, as_json: bool) -> int:
    """Serve a database until Ctrl-C; of an MLflow server that runs already, only say (and open) the address.

    study: whose page that is; None is the newest's. InputError where the record has none of its name.
    """
    check_answers(home.tracking_uri)
    shown = address_of(home.tracking_uri, study)
    if is_server(home.tracking_uri):
        _announce(home.tracking_uri.rstrip("/") + shown, "", browser, as_json)
        return 0
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise InputError(f"--port {port} is taken: give another")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    typer.echo("starting the MLflow server", err=True)
    address, log = f"http://127.0.0.1:{port}", home.path / "mlflow-server.log"
    process = _start(home, port, log)
    try:
        if not _answers(process, address):
            if process.poll() is None:
                said = f"the MLflow server did not answer within {START_SECONDS} s; its log is {log}"
            else:
                said = f"the MLflow server ended before it answered; {log} says why"
            typer.echo(f"error: {said}", err=True)
            return 1
        _announce(address + shown, " (Ctrl-C ends)", browser, as_json)
        return process.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        _stop(process)


def _start(home: Home, port: int, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as said:
        return subprocess.Popen(
            [sys.executable, *server_arguments(home.artifacts, port)],
            env=server_environment(home.tracking_uri),
            stdout=said,
            stderr=said,
        )


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the server to end, which takes uvicorn a while when pages are open, and make it."""
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _announce(address: str, hint: str, browser: bool, as_json: bool) -> None:
    shown = without_secrets(address)
    typer.echo(json.dumps({"address": shown}) if as_json else f"the record is at {shown}{hint}")
    if browser:
        webbrowser.open(address)


def _answers(process: subprocess.Popen[bytes], address: str) -> bool:
    """Wait until the server answers; False where it ended, or took too long."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"{address}/health", timeout=1).close()
            return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    return False


def server_arguments(artifacts: Path, port: int) -> list[str]:
    """Python's arguments for an MLflow server with one worker: more lose TCP_NODELAY and are slower."""
    place = ["--workers", "1", "--host", "127.0.0.1", "--port", str(port)]
    return ["-m", "mlflow", "server", "--app-name", "lt-tune", "--artifacts-destination", artifacts.as_uri(), *place]


def server_environment(uri: str) -> dict[str, str]:
    """Its environment, which names the database: a command line, and any secret in it, is for all to read."""
    return {**os.environ, "MLFLOW_BACKEND_STORE_URI": uri, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
