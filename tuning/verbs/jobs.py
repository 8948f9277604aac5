"""A verb as a job on a Ray cluster, which goes on when this machine is switched off: start, look, read, stop."""

import asyncio
import contextlib
import logging
import shlex
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ray.job_submission import JobDetails, JobSubmissionClient

from lt_core.value import InputError, nearest
from tuning.engine.cluster import shipped_packages
from tuning.shell.uris import without_secrets

VERBS = ("search", "ablate", "train")
STOP_SECONDS = 30  # for a job to end in order; Ray's own 3 would cut it
ANSWER_SECONDS = 10


@dataclass(frozen=True)
class Job:
    """A job of a cluster: its id, Ray's word for its state, the command, and seconds since 1970 (0: not yet)."""

    id: str
    state: str
    command: str
    started: float
    ended: float


def submit(address: str, arguments: Sequence[str]) -> str:
    """Start `lt-tune ARGUMENTS` on the head of a cluster, against that cluster; gives the job's id.

    `address` is the cluster's dashboard, http://HEAD:8265. InputError where none answers.
    """
    logging.getLogger("ray").setLevel(logging.WARNING)
    if not arguments or arguments[0] not in VERBS:
        raise InputError(f"submit takes one of {', '.join(VERBS)} and its options, not `{' '.join(arguments[:1])}`")
    if secret := next((each for each in arguments if without_secrets(each) != each), ""):
        raise InputError(
            f"{without_secrets(secret)} has a password, which the cluster's dashboard would show to all: "
            "set MLFLOW_TRACKING_URI, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, on its head"
        )
    there = ["--address", "auto"] if arguments[0] != "train" else []
    command = shlex.join(["python", "-m", "tuning.cli", *arguments, *there])
    # The job connects with a runtime environment of its own, which equals this one.
    variables = {"RAY_OVERRIDE_JOB_RUNTIME_ENV": "1", "RAY_JOB_STOP_WAIT_TIME_S": str(STOP_SECONDS)}
    environment = {**shipped_packages(), "env_vars": variables}
    with _asking(address) as client:
        return client.submit_job(entrypoint=command, runtime_env=environment)


def status(address: str, job: str | None) -> list[Job]:
    """One job of a cluster, or all, the newest first. InputError where there is none of that id."""
    with _asking(address) as client:
        found = [_job(details) for details in client.list_jobs() if details.submission_id]
    known = {each.id: each for each in found}
    if job is not None and job not in known:
        raise InputError(f"there is no job {job} at {address}{nearest(job, known)}")
    return [known[job]] if job is not None else sorted(found, key=lambda each: -each.started)


def logs(address: str, job: str, follow: bool) -> Iterator[str]:
    """What a job has printed, in pieces; `follow`: and what it will print, to its end."""
    status(address, job)
    with _asking(address) as client:
        if not follow:
            yield client.get_job_logs(job)
            return
        with asyncio.Runner() as runner:
            pieces = aiter(client.tail_job_logs(job))
            while (piece := runner.run(anext(pieces, None))) is not None:
                yield piece


def stop(address: str, job: str) -> Job:
    """Interrupt a job, which keeps what it has, and wait for its end."""
    status(address, job)
    with _asking(address) as client:
        client.stop_job(job)
    deadline = time.monotonic() + STOP_SECONDS + ANSWER_SECONDS
    while (found := status(address, job)[0]).state in ("PENDING", "RUNNING") and time.monotonic() < deadline:
        time.sleep(0.5)
    return found


def _job(details: JobDetails) -> Job:
    command = without_secrets(details.entrypoint).removeprefix("python -m tuning.cli ")
    times = [(at or 0) / 1000 for at in (details.start_time, details.end_time)]
    return Job(str(details.submission_id), str(details.status), f"lt-tune {command}", *times)


@contextlib.contextmanager
def _asking(address: str) -> Iterator[JobSubmissionClient]:
    """A client of a cluster's dashboard. InputError where it does not answer, or not as one does."""
    try:
        yield JobSubmissionClient(address)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise InputError(f"--address {address} is no Ray dashboard that takes jobs: {error}") from None
