"""Metric points per second that reach `mlflow server --workers 1` over HTTP, and how long training waits for them: this
recorder against Ray Tune's own MLflow callback, which gets fewer reports because it takes as long.

    python benchmarks/record_rate.py [--trials 100] [--epochs 100] [--reports 50]

Both write 8 metrics an epoch to the same server, one after the other; what is told is that every point is there once.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "1"}

from mlflow import MlflowClient
from ray.air.integrations.mlflow import MLflowLoggerCallback
from ray.tune.experiment import Trial

from search_spaces.demo import DIGITS_IB
from tuning.log.events import Asked, Ended, EpochDone, Event, Started, Told
from tuning.record.recorder import Recorder
from tuning.record.server import server_arguments, server_environment

METRICS = 8
PORT = 5055
SERVER_SECONDS = 120
VAL = ("acc", "acc_macro", "acc_worst", "acc_head", "acc_tail")


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """A server on SQLite with one worker."""
    arguments = server_arguments(folder / "artifacts", PORT)
    environment = server_environment(f"sqlite:///{folder / 'mlflow.db'}")
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, *arguments], env=environment, stdout=log, stderr=log)
    try:
        uri = f"http://127.0.0.1:{PORT}"
        _wait_for(f"{uri}/health")
        yield uri
    finally:
        process.terminate()
        process.wait()


def _wait_for(address: str) -> None:
    deadline = time.monotonic() + SERVER_SECONDS
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(address, timeout=1).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise TimeoutError(f"no server within {SERVER_SECONDS} s")


def study(trials: int, epochs: int) -> Iterator[Event]:
    """What a study's log holds, its trials side by side."""
    yield Started("benchmark", "record_rate.py", {}, experiment="benchmark")
    for trial in range(trials):
        yield Asked(trial, "trial", "", {}, DIGITS_IB.plain(), {"alpha": str(trial)}, {})
    for epoch in range(1, epochs + 1):
        for trial in range(trials):
            val = dict.fromkeys(VAL, (trial + epoch / 7) % 1)
            result = {"epoch": epoch, "train_loss": 1 / epoch, "lr": 0.1, "seconds": 0.5, "val": val}
            yield EpochDone(trial, {**result, "score": None, "best_epoch": None, "diverged": False}, "cpu")
    yield from (Told(trial, "finished") for trial in range(trials))
    yield Ended("finished")


def ours(uri: str, folder: Path, trials: int, epochs: int) -> tuple[float, float]:
    """Seconds until all is in the record, and those that putting it there took of the training's."""
    log = folder / "events.jsonl"
    recorder, waited, started = Recorder(uri, folder / "artifacts", log), 0.0, time.perf_counter()
    with log.open("a") as file:
        for event in study(trials, epochs):
            print(json.dumps({"event": type(event).__name__, **asdict(event)}), file=file, flush=True)
            before = time.perf_counter()
            recorder.put(event)
            waited += time.perf_counter() - before
    recorder.close(3600)
    assert not recorder.failure, recorder.failure
    return time.perf_counter() - started, waited


def check(uri: str, trials: int, epochs: int) -> None:
    """Every point is there once."""
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("benchmark")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], "tags.`lt.kind` = 'trial'", max_results=trials + 1)
    assert len(runs) == trials
    for run in runs:
        steps = [point.step for point in client.get_metric_history(run.info.run_id, "val_acc")]
        assert sorted(steps) == list(range(1, epochs + 1))


def rays(uri: str, reports: int) -> float:
    """Seconds that Ray's callback takes for its reports, which is what Tune's loop waits."""
    callback = MLflowLoggerCallback(tracking_uri=uri, experiment_name="ray")
    callback.setup()
    trial = Trial("benchmark", config={"alpha": 1}, stub=True)
    callback.log_trial_start(trial)
    started = time.perf_counter()
    for epoch in range(1, reports + 1):
        named = {f"m{i}": (i + epoch / 7) % 1 for i in range(METRICS)}
        callback.log_trial_result(epoch, trial, {**named, "training_iteration": epoch, "timesteps_total": 0})
    seconds = time.perf_counter() - started
    callback.log_trial_end(trial)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--reports", type=int, default=50)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, server(Path(name)) as uri:
        seconds, waited = ours(uri, Path(name), given.trials, given.epochs)
        check(uri, given.trials, given.epochs)
        points = given.trials * given.epochs * METRICS
        rate = points / seconds
        print(f"lt-tune: {points} points in {seconds:.1f} s: {rate:.0f} points/s; training waited {waited:.3f} s")
        slow = given.reports * METRICS / rays(uri, given.reports)
        print(f"Ray's MLflowLoggerCallback: {slow:.0f} points/s, all of them waited for; ratio {rate / slow:.1f}")


if __name__ == "__main__":
    main()
