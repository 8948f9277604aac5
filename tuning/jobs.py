"""A verb as a job on a Ray cluster: it goes on when this machine is switched off."""

import logging
import shlex
from collections.abc import Sequence

from ray.job_submission import JobSubmissionClient

from lt_core.value import InputError
from tuning.cluster import shipped_packages
from tuning.uris import without_secrets

VERBS = ("search", "train")


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
    there = ["--address", "auto"] if arguments[0] == "search" else []
    command = shlex.join(["python", "-m", "tuning.cli", *arguments, *there])
    # The job connects with a runtime environment of its own, which equals this one.
    environment = {**shipped_packages(), "env_vars": {"RAY_OVERRIDE_JOB_RUNTIME_ENV": "1"}}
    try:
        return JobSubmissionClient(address).submit_job(entrypoint=command, runtime_env=environment)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise InputError(f"--address {address} is no Ray dashboard that takes jobs: {error}") from None
