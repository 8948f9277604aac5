"""Studies and runs -> MLflow, and back. The only importer of mlflow.

One writer thread takes events off a queue and writes them in batches, so that a slow server slows nothing. Points
keep the event's own time, and MLflow counts a point once: to deliver a log again is harmless.
"""

import contextlib
import os
import queue
import re
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import mlflow
from mlflow.artifacts import load_text
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException

from lt_core.config import TrainConfig
from lt_core.value import InputError
from tuning.events import Asked, Ended, EpochDone, Event, Started, Told, is_name

ANSWER_SECONDS = 8
FLUSH_SECONDS = 0.5
STATUS = {"diverged": "FAILED", "failed": "FAILED", "interrupted": "KILLED"}


class Recorder:
    """Delivers a study's (or a single run's) events to MLflow from a thread of its own. Nothing here raises."""

    def __init__(self, uri: str, experiment: str, artifacts: Path, *, nested: bool) -> None:
        self._uri, self._experiment, self._artifacts, self._nested = uri, experiment, artifacts, nested
        self._queue: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._writer: _Writer | None = None
        self._thread = threading.Thread(target=self._work, name="mlflow-writer", daemon=True)
        self._thread.start()
        self.failure = ""

    def put(self, event: Event) -> None:
        """Take an event; it is written soon."""
        self._queue.put(event)

    def close(self, seconds: float) -> None:
        """Wait until all is written, but no longer than this; `failure` then says what could not be delivered."""
        self._queue.put(None)
        self._thread.join(seconds)
        if self._thread.is_alive():
            self.failure = self.failure or f"MLflow took more than {seconds:g} s"

    def _work(self) -> None:
        last = False
        while not last:
            batch, last = self._next_batch()
            delay = 0.5
            while not self._deliver(batch):
                if last or self._closing():
                    return
                time.sleep(delay)
                delay = min(2 * delay, 10.0)

    def _next_batch(self) -> tuple[deque[Event], bool]:
        """All events that arrive within a moment of the first, and whether they are the last."""
        first = self._queue.get()
        time.sleep(FLUSH_SECONDS if first is not None else 0)
        found = [first]
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self._queue.get_nowait())
        return deque(event for event in found if event is not None), None in found

    def _closing(self) -> bool:
        with contextlib.suppress(queue.Empty):
            event = self._queue.get_nowait()
            self._queue.put(event)
            return event is None
        return False

    def _deliver(self, batch: deque[Event]) -> bool:
        try:
            if self._writer is None:
                self._writer = _Writer(self._uri, self._experiment, self._artifacts, nested=self._nested)
            self._writer.write(batch)
        except Exception as error:  # whatever a server does, the search goes on; the event log has it all
            self.failure = _without_secrets(str(error).splitlines()[0])
            return False
        self.failure = ""
        return True


@dataclass
class _OpenRun:
    """A run being written: its id and what is not yet flushed."""

    run_id: str
    numerics: str = ""
    metrics: list[Metric] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    epochs: list[EpochDone] = field(default_factory=list)
    open: bool = True


class _Writer:
    def __init__(self, uri: str, experiment: str, artifacts: Path, *, nested: bool) -> None:
        self._client = mlflow.MlflowClient(uri)
        self._experiment_id = _experiment_id(self._client, experiment, artifacts if _is_local(uri) else None)
        self._nested = nested
        self._parent: str | None = None
        self._study_tags: dict[str, str] = {}
        self._known: dict[str, str] = {}  # trial number -> run id, of an earlier start
        self._runs: dict[int, _OpenRun] = {}

    def write(self, batch: deque[Event]) -> None:
        """Write a batch and empty it; after a failure, what is left of it may be given again."""
        while batch:
            self._take(batch[0])
            batch.popleft()
        for run in self._runs.values():
            self._flush(run)

    def _take(self, event: Event) -> None:
        match event:
            case Started():
                self._start_study(event)
            case Asked():
                self._start_run(event)
            case EpochDone():
                self._add_epoch(self._runs[event.trial], event)
            case Told():
                self._end_run(event)
            case Ended():
                self._end_study(event)

    def _start_study(self, event: Started) -> None:
        self._study_tags = {"lt.study": event.study, "lt.study_id": event.study_id}
        ours = f"tags.`lt.study_id` = '{event.study_id}'"
        found = self._client.search_runs([self._experiment_id], ours, max_results=50_000)
        self._known = {r.data.tags["lt.trial"]: r.info.run_id for r in found}
        if not self._nested:
            return
        self._parent = self._known.get("none") or self._create(
            event.study,
            event.time,
            {**event.tags, **self._study_tags, "lt.kind": "study", "lt.trial": "none"},
        )
        self._client.set_tag(self._parent, "lt.stop_reason", "running")
        self._client.update_run(self._parent, "RUNNING")

    def _start_run(self, event: Asked) -> None:
        if event.trial in self._runs:
            return
        tags = {**event.tags, **self._study_tags, "lt.kind": event.kind, "lt.trial": str(event.trial)}
        run_id = self._known.get(str(event.trial))
        if run_id is None:
            name = event.role if event.kind == "run" else f"{event.kind} {event.trial} {event.role}".strip()
            run_id = self._create(name, event.time, {**tags, "lt.stop_reason": "running"})
            params = [Param(key, str(value)) for key, value in event.params.items()]
            self._client.log_batch(run_id, params=params)
            self._client.log_text(run_id, TrainConfig.parse(event.config).dump(), "config.yaml")
        else:
            self._client.update_run(run_id, "RUNNING")
        self._runs[event.trial] = _OpenRun(run_id)

    def _create(self, name: str, time_ms: int, tags: dict[str, str]) -> str:
        if self._parent is not None:
            tags = {**tags, "mlflow.parentRunId": self._parent}
        source = {"mlflow.user": os.environ.get("USER", "unknown"), "mlflow.source.name": "lt-tune"}
        run = self._client.create_run(self._experiment_id, time_ms, {**tags, **source}, name)
        return run.info.run_id

    def _add_epoch(self, run: _OpenRun, event: EpochDone) -> None:
        result = event.result
        values = {"train_loss": result["train_loss"], "lr": result["lr"], "seconds": result["seconds"]}
        values |= {f"val_{name}": value for name, value in result["val"].items()}
        if result["score"] is not None:
            values["score"] = result["score"]
        run.metrics += [Metric(key, value, event.time, result["epoch"]) for key, value in values.items()]
        run.epochs.append(event)
        if event.numerics != run.numerics:
            run.numerics = run.tags["lt.numerics"] = event.numerics

    def _end_run(self, event: Told) -> None:
        run = self._runs[event.trial]
        run.tags["lt.stop_reason"] = event.stop_reason if event.reused_from is None else "reused"
        if event.reused_from is not None:
            run.tags["lt.reused_from"] = self._runs[event.reused_from].run_id
        if event.error:
            run.tags["lt.error"] = event.error[:5000]
        last = run.epochs[-1].result if run.epochs else {"epoch": 0, "best_epoch": None}
        values = _end_values(run.epochs, event)
        run.metrics += [Metric(key, value, event.time, last["epoch"]) for key, value in values.items()]
        self._flush(run)
        status = "FINISHED" if event.reused_from is not None else STATUS.get(event.stop_reason, "FINISHED")
        self._client.set_terminated(run.run_id, status, event.time)
        run.open = False

    def _end_study(self, event: Ended) -> None:
        for run in self._runs.values():
            if run.open:
                run.tags["lt.stop_reason"] = event.stop_reason
                self._flush(run)
                self._client.set_terminated(run.run_id, STATUS.get(event.stop_reason, "FINISHED"), event.time)
        if self._parent is None:
            return
        for name, text in event.artifacts.items():
            self._client.log_text(self._parent, text, name)
        for key, value in event.metrics.items():
            self._client.log_metric(self._parent, key, value, event.time, 0)
        self._client.set_tag(self._parent, "mlflow.note.content", event.note)
        self._client.set_tag(self._parent, "lt.stop_reason", event.stop_reason)
        self._client.set_terminated(self._parent, STATUS.get(event.stop_reason, "FINISHED"), event.time)

    def _flush(self, run: _OpenRun) -> None:
        for start in range(0, len(run.metrics), 1000):
            self._client.log_batch(run.run_id, metrics=run.metrics[start : start + 1000])
        if run.tags:
            self._client.log_batch(run.run_id, tags=[RunTag(key, value) for key, value in run.tags.items()])
        run.metrics, run.tags = [], {}


def _end_values(epochs: list[EpochDone], event: Told) -> dict[str, float]:
    """What is logged once, at a run's end."""
    results = [epoch.result for epoch in epochs]
    reused = event.reused_from is not None
    values: dict[str, float] = {
        "epochs_trained": 0 if reused else len(results),
        "epochs_reused": len(results) if reused else 0,
        "device_seconds": sum(result["seconds"] for result in results),
        **event.test,
    }
    if results and results[-1]["score"] is not None:
        values |= {"score": results[-1]["score"], "best_epoch": results[-1]["best_epoch"]}
    return values


# --- reading ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RecordedRun:
    """What the record says of one run of a study."""

    run_id: str
    tags: dict[str, str]
    params: dict[str, str]
    metrics: dict[str, float]
    config: TrainConfig


def finished_trials(uri: str, study: str) -> Iterator[RecordedRun]:
    """The trials of the newest study of a name that reached their full length, best score first.

    InputError where the record has no such study.
    """
    client = mlflow.MlflowClient(uri)
    experiments = [e.experiment_id for e in client.search_experiments()]
    study_id = _newest_study(client, experiments, study).data.tags["lt.study_id"]
    ours = f"tags.`lt.study_id` = '{study_id}' and tags.`lt.kind` = 'trial' and tags.`lt.stop_reason` = 'finished'"
    runs = client.search_runs(experiments, ours, max_results=50_000)
    for run in sorted(runs, key=lambda r: (-r.data.metrics["score"], int(r.data.tags["lt.trial"]))):
        yield _recorded(run)


def study_page(uri: str, study: str) -> str:
    """The path of a study's page in the MLflow UI. InputError where the record has no such study."""
    client = mlflow.MlflowClient(uri)
    run = _newest_study(client, [e.experiment_id for e in client.search_experiments()], study)
    return f"/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}"


def _newest_study(client: mlflow.MlflowClient, experiments: list[str], study: str) -> Run:
    named = f"tags.`lt.kind` = 'study' and tags.`lt.study` = '{study}'"
    found = client.search_runs(experiments, named, max_results=1) if is_name(study) else []
    if not found:
        raise InputError(f"the record has no study `{study}`; `lt-tune list` names those of this home")
    return found[0]


def _recorded(run: Run) -> RecordedRun:
    text = load_text(f"{run.info.artifact_uri}/config.yaml")
    return RecordedRun(run.info.run_id, run.data.tags, run.data.params, run.data.metrics, TrainConfig.load(text))


# --- the server -------------------------------------------------------------------------------------


def check_answers(uri: str) -> None:
    """InputError within 10 s where a tracking URI is none, cannot be written or does not answer."""
    if uri.startswith("sqlite:///"):
        folder = Path(uri.removeprefix("sqlite:///")).parent
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            raise InputError(f"the tracking URI {uri} cannot be used: {folder} is not a folder that can be written")
        return
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(_probe(uri)), daemon=True)
    thread.start()
    thread.join(ANSWER_SECONDS)
    error = found[0] if found else f"no answer within {ANSWER_SECONDS} s"
    if error:
        raise InputError(f"the tracking URI {_without_secrets(uri)} does not answer: {error}")


def _probe(uri: str) -> str:
    """'' where MLflow answers, else why not."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    try:
        mlflow.MlflowClient(uri).search_experiments(max_results=1)
    except (MlflowException, OSError, ValueError) as error:
        return _without_secrets(str(error).splitlines()[0])
    return ""


def _experiment_id(client: mlflow.MlflowClient, name: str, artifacts: Path | None) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        return found.experiment_id
    return client.create_experiment(name, (artifacts / name).as_uri() if artifacts else None)


def _is_local(uri: str) -> bool:
    return not uri.startswith(("http://", "https://"))


def _without_secrets(text: str) -> str:
    return re.sub(r"//[^/@\s]*@", "//***@", text)


def server_arguments(uri: str, artifacts: Path, port: int) -> list[str]:
    """Python's arguments for an MLflow server on a database, with one worker: more lose TCP_NODELAY and are slower."""
    store = ["--backend-store-uri", uri, "--artifacts-destination", artifacts.as_uri()]
    return ["-m", "mlflow", "server", *store, "--workers", "1", "--host", "127.0.0.1", "--port", str(port)]
