import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, TypeVar

import psutil
import pytest

os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_LOGGING_LEVEL": "WARNING"}  # read when it is imported
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's job in the background: children would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

T = TypeVar("T")
COMMAND = Path(sys.executable).with_name("lt-tune")
SECONDS = 240  # enough for one command on a busy machine of 2 cores
OURS = ("LT_", "MLFLOW_", "RAY_", "TUNE_")


@cache
def empty_database() -> Path:
    """An MLflow database without runs: making one takes seconds, copying it none."""
    from mlflow import MlflowClient

    path = Path(mkdtemp()) / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


class LtTune:
    """The command `lt-tune` as a user has it, in a folder of its own; its home is `lt-runs` there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "lt-runs"
        self.home.mkdir()
        shutil.copy(empty_database(), self.home / "mlflow.db")
        self.uri = f"sqlite:///{self.home / 'mlflow.db'}"
        self._started: list[subprocess.Popen[str]] = []

    def start(self, *arguments: object, **environment: str) -> subprocess.Popen[str]:
        """Start it in a process group of its own, as a shell does."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith(OURS)}
        process = subprocess.Popen(
            [str(COMMAND), *map(str, arguments)],
            cwd=self.folder,
            env=clean | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._started.append(process)
        return process

    def run(self, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, **environment)
        out, err = process.communicate(timeout=SECONDS)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def document(self, *arguments: object, **environment: str) -> dict[str, Any]:
        """Run it with --json; it must succeed."""
        done = self.run(*arguments, "--json", **environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def here(self, *arguments: object) -> tuple[int, str, str]:
        """Run it in this process, which has the imports done: exit code, stdout, stderr."""
        from tuning import cli

        out, err, terminate = io.StringIO(), io.StringIO(), signal.getsignal(signal.SIGTERM)
        with (
            contextlib.chdir(self.folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.MonkeyPatch.context() as patch,
        ):
            for key in [key for key in os.environ if key.startswith(OURS)]:
                patch.delenv(key)
            patch.setattr(sys, "argv", ["lt-tune", *map(str, arguments)])
            with pytest.raises(SystemExit) as ended:
                cli.main()
        signal.signal(signal.SIGTERM, terminate)
        return int(ended.value.code or 0), out.getvalue(), err.getvalue()

    def until(self, process: subprocess.Popen[str], condition: Callable[[], T]) -> T:
        """Wait until a condition holds while a command runs; gives what it gave."""
        deadline = time.monotonic() + SECONDS
        while not (found := condition()):
            if process.poll() is not None:
                pytest.fail(f"ended with {process.returncode} too early: {process.communicate()}")
            assert time.monotonic() < deadline, f"not within {SECONDS} s"
            time.sleep(0.02)
        return found

    def end(self, process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str, str]:
        """Send a signal to a command, Ctrl-C to its whole group; wait for its end: exit code, stdout, stderr."""
        send = os.killpg if number == signal.SIGINT else os.kill
        send(process.pid, number)
        out, err = process.communicate(timeout=SECONDS)
        return process.returncode, out, err

    def events(self, study: str, kind: str = "") -> list[dict[str, Any]]:
        """The whole lines of a study's log, of one kind or all."""
        path = self.home / "studies" / study / "events.jsonl"
        lines = path.read_text().split("\n")[:-1] if path.exists() else []
        return [event for event in map(json.loads, lines) if kind in ("", event["event"])]

    def runs(self, kind: str = "") -> list[Any]:
        """The runs in the record, of one kind or all, by trial number."""
        from mlflow import MlflowClient

        client = MlflowClient(self.uri)
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        found = [run for run in client.search_runs(experiments) if kind in ("", run.data.tags["lt.kind"])]
        numbers = {"none": -1}
        return sorted(found, key=lambda run: numbers.get(n := run.data.tags["lt.trial"]) or int(n))

    def artifacts(self, run: Any) -> list[Any]:
        """The files and folders that a run in the record has."""
        from mlflow import MlflowClient

        return MlflowClient(self.uri).list_artifacts(run.info.run_id)

    def series(self, run: Any, metric: str) -> dict[int, float]:
        """A metric of a run by epoch; a point that stands twice fails."""
        from mlflow import MlflowClient

        points = MlflowClient(self.uri).get_metric_history(run.info.run_id, metric)
        found = {point.step: point.value for point in points}
        assert len(found) == len(points)
        return found

    def close(self) -> None:
        for process in self._started:
            if process.poll() is None:
                children = psutil.Process(process.pid).children(recursive=True)
                for each in (process, *children):
                    each.kill()
            process.communicate()


def workers(driver: psutil.Process) -> list[psutil.Process]:
    """The processes below one that train trials."""
    found = []
    for child in driver.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if "Trainable" in child.name() and child.status() != psutil.STATUS_ZOMBIE:
                found.append(child)
    return found


@pytest.fixture
def lt(tmp_path: Path) -> Iterator[LtTune]:
    command = LtTune(tmp_path)
    yield command
    command.close()


@pytest.fixture(scope="module")
def lt_of_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LtTune]:
    command = LtTune(tmp_path_factory.mktemp("home"))
    yield command
    command.close()


class Refused:
    """`lt-tune` in this process, given input that it must refuse."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder, self._capsys, self._monkeypatch = folder, capsys, monkeypatch

    def __call__(self, *arguments: object) -> str:
        """The one sentence on stderr; nothing stands on stdout, and no study folder is left behind."""
        from tuning import cli

        before = self._studies()
        self._monkeypatch.setattr(sys, "argv", ["lt-tune", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = self._capsys.readouterr()
        assert (ended.value.code, out) == (2, "")
        assert err.startswith("error: ") and err.count("\n") == 1 and err.endswith("\n")
        assert self._studies() == before
        return err.removeprefix("error: ").rstrip("\n")

    def _studies(self) -> list[Path]:
        return sorted(self._folder.rglob("studies/*"))


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Refused:
    for key in [key for key in os.environ if key.startswith(OURS)]:
        monkeypatch.delenv(key)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.chdir(tmp_path)
    return Refused(tmp_path, capsys, monkeypatch)


@pytest.fixture
def uri(tmp_path: Path) -> str:
    """An empty MLflow record."""
    return f"sqlite:///{shutil.copy(empty_database(), tmp_path / 'mlflow.db')}"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting for batches to gather, nor for servers that do not answer."""
    from tuning.record import recorder

    monkeypatch.setattr(recorder, "FLUSH_SECONDS", 0.05)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


@pytest.fixture
def browser() -> Iterator[Any]:
    """The system's own Chromium, without a window, driven by Playwright."""
    from playwright.sync_api import sync_playwright

    found = next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )
    if found is None:
        pytest.skip("no Chromium here")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield chromium
        chromium.close()
