"""Studies and runs -> MLflow, and back. The only importer of mlflow but for its web pages.

One writer thread takes events off a queue and writes them in batches, so that a slow server slows nothing. Points
keep the event's own time, and MLflow counts a point once: to deliver a log again is harmless.
"""

import contextlib
import getpass
import os
import queue
import re
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import mlflow
from mlflow.entities import Metric, Param, Run, RunTag

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
        self._closed = threading.Event()
        self.failure = ""
        self._thread = threading.Thread(target=self._work, name="mlflow-writer", daemon=True)
        self._thread.start()

    def put(self, event: Event) -> None:
        """Take an event; it is written soon."""
        self._queue.put(event)

    def close(self, seconds: float) -> None:
        """Wait until all is written, but no longer than this; `failure` then says what could not be delivered."""
        self._closed.set()
        self._queue.put(None)
        self._thread.join(seconds)
        if self._thread.is_alive():
            self.failure = self.failure or f"MLflow took more than {seconds:g} s"

    def _work(self) -> None:
        last = False
        while not last:
            batch, last = self._next_batch()
            delay, last_try = 0.5, False
            while not self._deliver(batch):
                if last_try:
                    return
                last_try = self._closed.wait(delay)
                delay = min(2 * delay, 10.0)
        if self.failure:  # of the artifacts: they are tried once more
            self._deliver(deque())

    def _next_batch(self) -> tuple[deque[Event], bool]:
        """All events that arrive within a moment of the first, and whether they are the last."""
        first = self._queue.get()
        time.sleep(FLUSH_SECONDS if first is not None else 0)
        found = [first]
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self._queue.get_nowait())
        return deque(event for event in found if event is not None), None in found

    def _deliver(self, batch: deque[Event]) -> bool:
        try:
            if self._writer is None:
                self._writer = _Writer(self._uri, self._experiment, self._artifacts, nested=self._nested)
            self._writer.write(batch)
        except Exception as error:  # whatever a server does, the search goes on; the event log has it all
            self.failure = _reason(error)
            return False
        self.failure = self._writer.failure
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
        self._client = _client(uri)
        self._experiment_id = _experiment_id(self._client, experiment, artifacts if _is_local(uri) else None)
        self._nested = nested
        self._parent: str | None = None
        self._study_tags: dict[str, str] = {}
        self._known: dict[str, Run] = {}  # by trial number, those that the record has
        self._runs: dict[int, _OpenRun] = {}
        self._failed = False
        self._texts: list[tuple[str, str, str]] = []  # run id, file name, content: not yet written
        self._folders: list[tuple[str, Path]] = []  # run id, folder: its files are not yet written
        self.failure = ""

    def write(self, batch: deque[Event]) -> None:
        """Write a batch and empty it; after a failure, what is left of it may be given again."""
        if self._failed and self._study_tags:  # what seemed to fail may have been done
            self._known = self._runs_of_the_study()
        self._failed = True
        while batch:
            self._take(batch[0])
            batch.popleft()
        for run in self._runs.values():
            self._flush(run)
        self._failed = False
        self._write_artifacts()

    def _write_artifacts(self) -> None:
        """Write the artifacts; where their store cannot be reached, the rest of the record goes on without them."""
        self.failure = ""
        try:
            while self._texts:
                run_id, name, text = self._texts[0]
                self._client.log_text(run_id, text, name)
                self._texts.pop(0)
            while self._folders:
                run_id, folder = self._folders[0]
                self._client.log_artifacts(run_id, str(folder))
                self._folders.pop(0)
        except Exception as error:
            self.failure = f"artifacts: {_reason(error)}"

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
        self._known = self._runs_of_the_study()
        if not self._nested:
            return
        tags = {**event.tags, **self._study_tags, "lt.kind": "study", "lt.trial": "none"}
        run = self._known.get("none") or self._create(event.study, event.time, tags)
        self._parent = run.info.run_id
        self._reopen(run.info.run_id)

    def _runs_of_the_study(self) -> dict[str, Run]:
        ours = f"tags.`lt.study_id` = '{self._study_tags['lt.study_id']}'"
        found = self._client.search_runs([self._experiment_id], ours, max_results=50_000)
        return {run.data.tags["lt.trial"]: run for run in found}

    def _reopen(self, run_id: str) -> None:
        self._client.set_tag(run_id, "lt.stop_reason", "running")
        self._client.update_run(run_id, "RUNNING")

    def _start_run(self, event: Asked) -> None:
        if event.trial in self._runs:
            return
        tags = {**event.tags, **self._study_tags, "lt.kind": event.kind, "lt.trial": str(event.trial)}
        run = self._known.get(str(event.trial))
        if run is None:
            name = event.role if event.kind == "run" else f"{event.kind} {event.trial} {event.role}".strip()
            run = self._create(name, event.time, {**tags, "lt.stop_reason": "running"})
        elif run.info.status == "KILLED":
            self._reopen(run.info.run_id)
        self._texts.append((run.info.run_id, "config.yaml", TrainConfig.parse(event.config).dump()))
        if not run.data.params:
            params = [Param(key, str(value)) for key, value in event.params.items()]
            self._client.log_batch(run.info.run_id, params=params)
        self._runs[event.trial] = _OpenRun(run.info.run_id)

    def _create(self, name: str, time_ms: int, tags: dict[str, str]) -> Run:
        if self._parent is not None:
            tags = {**tags, "mlflow.parentRunId": self._parent}
        source = {"mlflow.user": _user(), "mlflow.source.name": "lt-tune"}
        return self._client.create_run(self._experiment_id, time_ms, {**tags, **source}, name)

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
        run.metrics += [Metric("epoch_test_acc", acc, event.time, i) for i, acc in enumerate(event.test_series, 1)]
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
        self._texts += [(self._parent, name, text) for name, text in event.artifacts.items()]
        if event.folder and Path(event.folder).is_dir():  # a log that was moved may name one that is not here
            self._folders.append((self._parent, Path(event.folder)))
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


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "unknown"


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
    client = _client(uri)
    experiments = [e.experiment_id for e in client.search_experiments()]
    study_id = _newest_study(client, experiments, study).data.tags["lt.study_id"]
    ours = f"tags.`lt.study_id` = '{study_id}' and tags.`lt.kind` = 'trial' and tags.`lt.stop_reason` = 'finished'"
    runs = client.search_runs(experiments, ours, max_results=50_000)
    for run in sorted(runs, key=lambda r: (-r.data.metrics["score"], int(r.data.tags["lt.trial"]))):
        yield _recorded(client, run)


def _newest_study(client: mlflow.MlflowClient, experiments: list[str], study: str) -> Run:
    named = f"tags.`lt.kind` = 'study' and tags.`lt.study` = '{study}'"
    found = client.search_runs(experiments, named, max_results=1) if is_name(study) else []
    if not found:
        raise InputError(f"the record has no study `{study}`; `lt-tune list` names those of this home")
    return found[0]


def _recorded(client: mlflow.MlflowClient, run: Run) -> RecordedRun:
    with tempfile.TemporaryDirectory() as folder:
        text = Path(client.download_artifacts(run.info.run_id, "config.yaml", folder)).read_text(encoding="utf-8")
    return RecordedRun(run.info.run_id, run.data.tags, run.data.params, run.data.metrics, TrainConfig.load(text))


# --- the server -------------------------------------------------------------------------------------


def check_answers(uri: str) -> None:
    """InputError within 10 s where a tracking URI is none, cannot be written or does not answer."""
    file = _database_file(uri)
    if file is not None:
        if not file.parent.is_dir() or not os.access(file.parent, os.W_OK):
            raise InputError(f"the tracking URI {uri} cannot be used: {file.parent} is no folder that can be written")
        if file.exists() and not _is_database(file):
            raise InputError(f"the tracking URI {uri} cannot be used: {file} is no database that can be written")
        return
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(_probe(uri)), daemon=True)
    thread.start()
    thread.join(ANSWER_SECONDS)
    error = found[0] if found else f"no answer within {ANSWER_SECONDS} s"
    if error:
        raise InputError(f"the tracking URI {without_secrets(uri)} does not answer: {error}")


def _probe(uri: str) -> str:
    """'' where MLflow answers, else why not."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    try:
        mlflow.MlflowClient(uri).search_experiments(max_results=1)
    except Exception as error:  # MLflow's own, requests', SQLAlchemy's, a driver that is not installed
        return _reason(error)
    return ""


def _client(uri: str) -> mlflow.MlflowClient:
    """MLflow's client. A database that is not there yet appears whole: whoever is killed meanwhile leaves no half."""
    file = _database_file(uri)
    if file is not None and not file.exists():
        part = file.with_name(f"{file.name}.{os.getpid()}.part")
        mlflow.MlflowClient(f"sqlite:///{part}").search_experiments(max_results=1)
        if file.exists():  # another process was faster
            part.unlink()
        else:
            part.rename(file)
    return mlflow.MlflowClient(uri)


def _database_file(uri: str) -> Path | None:
    return Path(uri.removeprefix("sqlite:///").partition("?")[0]) if uri.startswith("sqlite:///") else None


def _is_database(file: Path) -> bool:
    """Whether a file is SQLite's (an empty one may become so), and can be written."""
    if not file.is_file() or not os.access(file, os.R_OK | os.W_OK):
        return False
    with file.open("rb") as stream:
        return stream.read(16) in (b"", b"SQLite format 3\0")


def _experiment_id(client: mlflow.MlflowClient, name: str, artifacts: Path | None) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        return found.experiment_id
    location = (artifacts / name).as_uri() if artifacts else None
    # The kind decides which pages the UI shows: without it, those for chatbots.
    return client.create_experiment(name, location, {"mlflow.experimentKind": "custom_model_development"})


def _is_local(uri: str) -> bool:
    return not uri.startswith(("http://", "https://"))


def _reason(error: Exception) -> str:
    return without_secrets(next((line for line in str(error).splitlines() if line.strip()), type(error).__name__))


def without_secrets(text: str) -> str:
    """A text whose URIs have lost their user and password."""
    in_queries = re.sub(r"(?i)([?&](?:pass\w*|pwd|pw|token|secret\w*|\w*key)=)[^&\s]*", r"\1***", text)
    return re.sub(r"//\S*@", "//***@", in_queries)


def server_arguments(uri: str, artifacts: Path, port: int) -> list[str]:
    """Python's arguments for an MLflow server on a database, with one worker: more lose TCP_NODELAY and are slower."""
    store = ["--backend-store-uri", uri, "--artifacts-destination", artifacts.as_uri()]
    place = ["--workers", "1", "--host", "127.0.0.1", "--port", str(port)]
    return ["-m", "mlflow", "server", "--app-name", "lt-tune", *store, *place]
