"""A study's events, a real record of them, a real MLflow server: for the tests of what writes and reads the record."""

import json
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

from conftest import empty_database
from mlflow import MlflowClient
from mlflow.entities import Run
from test_events import asked, epoch

from search_spaces.controls import plain_cross_entropy
from search_spaces.demo import DEMO
from tuning.log.events import Asked, Ended, EpochDone, Event, Kind, Started, Told
from tuning.record.identity import Identity, params
from tuning.record.recorder import Recorder
from tuning.record.server import server_arguments, server_environment

SPACE = DEMO.scaled(4 / 16)  # 4 epochs, the second phase from the third on
assert (SPACE.base.epochs, SPACE.base.phases[1].start) == (4, 2)


def database(folder: Path) -> str:
    return f"sqlite:///{shutil.copy(empty_database(), folder / 'mlflow.db')}"


def ask(trial: int, kind: Kind = "trial", role: str = "", seed: int = 0, **settings: Any) -> Asked:
    config = SPACE.config(settings).model_copy(update={"seed": seed})
    config = plain_cross_entropy(config) if role == "CE" else config
    symbols = dict.fromkeys(SPACE.domains, "none") if role == "CE" else SPACE.point(settings)
    event = asked(trial, config, kind, role, **({} if role == "CE" else symbols))
    tags = {**Identity(Path()).tags(config), "lt.role": role or "none"}
    return replace(event, params={**symbols, **params(config)}, tags=tags)


def epochs(trial: int, *scores: float | None, **fields: Any) -> list[EpochDone]:
    """Epochs from the first on; the running score is None before the last phase, then the best so far."""
    return [epoch(trial, number, score, **fields) for number, score in enumerate(scores, 1)]


STARTED = Started("mine-1", "lt-tune search", Identity(Path()).tags(SPACE.base), experiment="mine")
BEST = epochs(0, None, None, 0.625, 0.75)
EVENTS: list[Event] = [
    STARTED,
    ask(0, role="paper"),
    *BEST[:2],
    ask(1, T1=0, alpha=20.5),
    *epochs(1, 0.25, 0.375),
    Told(1, "early_stopped"),
    *BEST[2:],
    Told(0, "finished"),
    ask(2, T1=1),
    *epochs(2, None, 0.125),
    epoch(2, 3, 0.125, train_loss=math.nan, val={"acc": 0.0}, diverged=True),
    Told(2, "diverged"),
    ask(3, T1=0),
    Told(3, "failed", error="OutOfMemoryError: no room"),
    ask(4),
    *(replace(e, trial=4, result={**e.result, "seconds": 0.0}) for e in BEST),
    Told(4, "finished", reused_from=0),
    ask(5, "confirm", "paper", seed=1),
    *epochs(5, None, None, 0.5, 0.5),
    Told(5, "finished", {"test_acc": 0.875, "test_acc_last": 0.8125}),
    ask(6, "confirm", "CE", seed=1),
    *epochs(6, 0.5, 0.5, 0.5, 0.5),
    Told(6, "finished", {"test_acc": 0.25, "test_acc_last": 0.25}),
]
ENDED = Ended("finished", "**Leaderboard**", {"score": 0.75}, {"study.yaml": "trials: 5\n", "leaderboard.csv": "a,b\n"})


def write_log(path: Path, events: list[Event]) -> Path:
    """Append events to a log, without waiting for the disk."""
    with path.open("a") as file:
        file.writelines(json.dumps({"event": type(e).__name__, **asdict(e)}) + "\n" for e in events)
    return path


class Recording:
    """A recorder of a log in a folder of its own."""

    def __init__(self, uri: str, *events: Event) -> None:
        self.log = Path(mkdtemp()) / "events.jsonl"
        self.recorder = Recorder(uri, artifacts_of(uri), self.log)
        self.put(*events)

    def put(self, *events: Event) -> None:
        """Put events into the log, at once, and tell the recorder."""
        write_log(self.log, list(events))
        for event in events:
            self.recorder.put(event)

    def close(self, seconds: float = 60) -> str:
        """Gives what could not be delivered."""
        self.recorder.close(seconds)
        return self.recorder.failure


def deliver(uri: str, events: list[Event]) -> None:
    assert Recording(uri, *events).close() == ""


def study(name: str, *scores: float, time_ms: int) -> list[Event]:
    events: list[Event] = [replace(STARTED, study=name, study_id=f"{name}-{time_ms}", time=time_ms)]
    for trial, score in enumerate(scores):
        events += [ask(trial), *epochs(trial, None, None, score, score), Told(trial, "finished")]
    return events


@cache
def undisturbed() -> str:
    """A study that was recorded without a disturbance."""
    uri = database(Path(mkdtemp()))
    deliver(uri, [*EVENTS, ENDED])
    return uri


@cache
def artifacts_of(uri: str) -> Path:
    if not uri.startswith("sqlite:"):
        return Path(mkdtemp())
    return Path(uri.removeprefix("sqlite:///")).parent / "artifacts"


def every(uri: str) -> list[Run]:
    """All runs."""
    client = MlflowClient(uri)
    return client.search_runs([e.experiment_id for e in client.search_experiments()], max_results=1000)


def runs(uri: str) -> dict[str, Run]:
    """All runs by `lt.trial`; two of one number fail."""
    found = every(uri)
    by_trial = {run.data.tags["lt.trial"]: run for run in found}
    assert len(by_trial) == len(found)
    return by_trial


def series(uri: str, run: Run, metric: str) -> list[tuple[int, float]]:
    points = MlflowClient(uri).get_metric_history(run.info.run_id, metric)
    return [(point.step, point.value) for point in sorted(points, key=lambda point: (point.step, point.timestamp))]


def artifact(uri: str, run: Run, name: str) -> str:
    with TemporaryDirectory() as folder:
        return Path(MlflowClient(uri).download_artifacts(run.info.run_id, name, folder)).read_text(encoding="utf-8")


def snapshot(uri: str) -> dict[str, Any]:
    """All that the record says, with trial numbers in place of run ids."""
    found = runs(uri)
    numbers = {run.info.run_id: trial for trial, run in found.items()}
    return {
        trial: {
            "status": run.info.status,
            "name": run.info.run_name,
            "times": (run.info.start_time, run.info.end_time),
            "tags": {key: numbers.get(value, value) for key, value in run.data.tags.items()},
            "params": run.data.params,
            "metrics": {metric: str(series(uri, run, metric)) for metric in run.data.metrics},
            "artifacts": sorted(a.path for a in MlflowClient(uri).list_artifacts(run.info.run_id)),
        }
        for trial, run in found.items()
    }


def until(condition: Callable[[], Any], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Server:
    """A real MLflow server on a database, in its folder unless one is given; it may be killed and started again.

    options: more of its own. secret: before the host in its address.
    """

    def __init__(
        self, folder: Path, *options: str, store: str = "", secret: str = "user:s3cret@", prefix: str = "", **env: str
    ) -> None:
        self.port, self._folder = free_port(), folder
        self.uri = f"http://{secret}127.0.0.1:{self.port}{prefix}"
        self._health = f"http://127.0.0.1:{self.port}{prefix}/health"
        self._arguments = [*server_arguments(folder / "artifacts", self.port), *options]
        self._environment = server_environment(store or database(folder)) | env
        self.start()

    def start(self) -> None:
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *self._arguments],
                cwd=self._folder,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(self._answers, 120)

    def _answers(self) -> bool:
        assert self._process.poll() is None, (self._folder / "server.log").read_text()
        try:
            urllib.request.urlopen(self._health, timeout=1).close()
        except (urllib.error.URLError, OSError):
            return False
        return True

    def kill(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
