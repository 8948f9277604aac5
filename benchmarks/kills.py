"""A study killed with kill -9 at random moments and gone on with, against the same study undisturbed: the same table,
bit for bit, every trial trained once, one MLflow run each, none left RUNNING.

    python benchmarks/kills.py [--kills 20] [--seed 0]
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

STUDY = ("search", "demo", "--name", "night", "--trials", "8", "--confirm", "1", "--concurrent", "1", "--json")


def command(home: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "tuning.cli", *STUDY, *more, "--home", str(home)]


def killed(home: Path, seconds: float, *more: str) -> bool:
    """Start the study, or go on with it, and kill its driver after a while; False where it ended before."""
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command(home, *more), stdout=quiet, stderr=quiet, start_new_session=True)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        return True
    return False


def table(document: dict[str, Any]) -> dict[str, Any]:
    return {key: document[key] for key in ("trials", "confirmed", "verdicts")}


def finished(home: Path, *more: str) -> dict[str, Any]:
    done = subprocess.run(command(home, *more), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


def going_on(home: Path) -> list[str]:
    """The option that a study needs once it has begun."""
    return ["--resume"] if (home / "studies/night/study.yaml").exists() else []


def check_record(home: Path, runs: int) -> None:
    """One run for each training and one for the study, all of them ended."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{home / 'mlflow.db'}")
    found = client.search_runs([e.experiment_id for e in client.search_experiments()])
    numbers = [run.data.tags["lt.trial"] for run in found]
    assert len(numbers) == len(set(numbers)) == runs + 1, numbers
    assert {run.info.status for run in found} == {"FINISHED"}, [run.info.status for run in found]


def main() -> None:
    """Print each kill's moment and what the log held, and at the end whether the tables are equal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draws = random.Random(options.seed)
    undisturbed, home = Path(tempfile.mkdtemp()), Path(tempfile.mkdtemp())
    begun = time.perf_counter()
    wanted = finished(undisturbed)
    length = time.perf_counter() - begun
    print(f"undisturbed: {length:.0f} s", flush=True)
    kills = 0
    while kills < options.kills:
        seconds = draws.uniform(2, 0.6 * length)
        if not killed(home, seconds, *going_on(home)):
            break
        kills += 1
        log = home / "studies/night/events.jsonl"
        events = log.read_bytes().count(b"\n") if log.exists() else 0
        print(f"kill {kills} after {seconds:.1f} s, {events} events in the log", flush=True)
    found = finished(home, *going_on(home))
    assert table(found) == table(wanted), "the tables differ"
    lines = (home / "studies/night/events.jsonl").read_text().splitlines()
    asked = [event["trial"] for event in map(json.loads, lines) if event["event"] == "Asked"]
    assert asked == list(range(len(asked))), asked
    check_record(home, len(asked))
    print(f"{kills} kills: the same table, bit for bit; {len(asked)} trainings, one run each, none RUNNING")


if __name__ == "__main__":
    main()
