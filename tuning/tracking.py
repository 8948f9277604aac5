"""The tracking server or database: whether it answers, its client, its experiments; and reading a study back."""

import os
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mlflow
from mlflow.entities import Run
from mlflow.exceptions import MlflowException, RestException

from lt_core.config import TrainConfig
from lt_core.value import InputError
from tuning.events import is_name
from tuning.uris import database_file, is_server, without_secrets

ANSWER_SECONDS = 8
REFUSALS = ("BAD_REQUEST", "INVALID_PARAMETER_VALUE", "INVALID_STATE", "RESOURCE_DOES_NOT_EXIST")


def check_answers(uri: str) -> None:
    """InputError within 10 s where a tracking URI is none, cannot be written or does not answer."""
    file = database_file(uri)
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
        return reason(error)
    return ""


def client(uri: str) -> mlflow.MlflowClient:
    """MLflow's client. A database that is not there yet appears whole: whoever is killed meanwhile leaves no half."""
    file = database_file(uri)
    if file is not None and not file.exists():
        part = file.with_name(f"{file.name}.{os.getpid()}.part")
        mlflow.MlflowClient(f"sqlite:///{part}").search_experiments(max_results=1)
        if file.exists():  # another process was faster
            part.unlink()
        else:
            part.rename(file)
    return mlflow.MlflowClient(uri)


def _is_database(file: Path) -> bool:
    """Whether a file is SQLite's (an empty one may become so), and can be written."""
    if not file.is_file() or not os.access(file, os.R_OK | os.W_OK):
        return False
    with file.open("rb") as stream:
        return stream.read(16) in (b"", b"SQLite format 3\0")


def experiment_id(client: mlflow.MlflowClient, name: str, artifacts: Path | None) -> str:
    """The id of an experiment, which is made where there is none; its artifacts lie in a folder, or where the server
    has them. InputError where it was deleted."""
    found = client.get_experiment_by_name(name)
    if found is not None and found.lifecycle_stage == "deleted":
        raise InputError(f"the experiment {name} is deleted in MLflow: restore it there")
    if found is not None:
        return found.experiment_id
    location = (artifacts / name).as_uri() if artifacts else None
    # The kind decides which pages the UI shows: without it, those for chatbots.
    return client.create_experiment(name, location, {"mlflow.experimentKind": "custom_model_development"})


def is_refusal(error: Exception, uri: str) -> bool:
    """Whether something will never be taken, however often it is sent. A proxy's 404 is none: it may pass."""
    if isinstance(error, InputError):
        return True
    by_mlflow = isinstance(error, RestException if is_server(uri) else MlflowException)
    return by_mlflow and getattr(error, "error_code", "") in REFUSALS


def reason(error: Exception) -> str:
    """The first line of what an error says, without secrets."""
    return without_secrets(next((line for line in str(error).splitlines() if line.strip()), type(error).__name__))


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
    record = client(uri)
    experiments = [e.experiment_id for e in record.search_experiments()]
    study_id = _newest_study(record, experiments, study).data.tags["lt.study_id"]
    ours = f"tags.`lt.study_id` = '{study_id}' and tags.`lt.kind` = 'trial' and tags.`lt.stop_reason` = 'finished'"
    runs = record.search_runs(experiments, ours, max_results=50_000)
    for run in sorted(runs, key=lambda r: (-r.data.metrics["score"], int(r.data.tags["lt.trial"]))):
        yield _recorded(record, run)


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
