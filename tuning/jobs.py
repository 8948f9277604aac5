"""A verb as a job on a Ray cluster: it goes on when this machine is switched off."""

import logging
import shlex
from collections.abc import Sequence

from ray.job_submission import JobSubmissionClient

from lt_core.value import InputError
from tuning.cluster import shipped_packages


def submit(address: str, arguments: Sequence[str]) -> str:
    """Start `lt-tune ARGUMENTS` on the head of a cluster, against that cluster; gives the job's id.

    `address` is the cluster's dashboard, http://HEAD:8265. InputError where none answers.
    """
    logging.getLogger("ray").setLevel(logging.WARNING)
    command = shlex.join(["python", "-m", "tuning.cli", *arguments, "--address", "auto"])
    # The job connects with a runtime environment of its own, which equals this one.
    environment = {**shipped_packages(), "env_vars": {"RAY_OVERRIDE_JOB_RUNTIME_ENV": "1"}}
    try:
        return JobSubmissionClient(address).submit_job(entrypoint=command, runtime_env=environment)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise InputError(f"--address {address} is no Ray dashboard that takes jobs: {error}") from None
