"""The tracking server or database: whether it answers, its client, its experiments."""

import os
import re
import threading
from pathlib import Path

import mlflow
import sqlalchemy
from mlflow.exceptions import MlflowException, RestException
from sqlalchemy.pool import NullPool

from lt_core.value import InputError
from tuning.shell.uris import database_file, is_server, without_secrets

ANSWER_SECONDS = 8
TRIAL = "lt-tune doctor"  # the experiment that says whether it can be written
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


def check_writes(uri: str, artifacts: Path) -> None:
    """InputError where runs or their artifacts cannot be written; tried in an experiment that is deleted again."""
    check_answers(uri)
    try:
        record = client(uri)
        found = record.get_experiment_by_name(TRIAL)
        if found is not None and found.lifecycle_stage == "deleted":
            record.restore_experiment(found.experiment_id)
        place = experiment_id(record, TRIAL, None if is_server(uri) else artifacts)
        try:
            run_id = record.create_run(place).info.run_id
            record.log_text(run_id, "written", "trial.txt")
            record.set_terminated(run_id)
        finally:
            record.delete_experiment(place)
    except Exception as error:  # MLflow's own, SQLAlchemy's, those of the artifact store
        raise InputError(f"the tracking URI {without_secrets(uri)} cannot be written: {reason(error)}") from None


def _probe(uri: str) -> str:
    """'' where MLflow answers, else why not."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    try:
        if "://" in uri and not is_server(uri):  # MLflow would try for minutes
            sqlalchemy.create_engine(uri, poolclass=NullPool).connect().close()
        mlflow.MlflowClient(uri).search_experiments(max_results=1)
    except ModuleNotFoundError as error:
        return f"its driver is not installed: {error}; for PostgreSQL: pip install 'lt-tune[postgresql]'"
    except Exception as error:  # MLflow's own, requests', SQLAlchemy's
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
    """What an error says, in one line without secrets; of an exchange that failed, the system's own words."""
    by_system = re.search(r"HTTPS?ConnectionPool.*\[Errno -?\d+\] ([A-Z][\w ]+)", str(error))
    lines = (line for line in str(error).splitlines() if line.strip())
    return by_system[1] if by_system else without_secrets(next(lines, type(error).__name__))
