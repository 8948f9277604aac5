"""A study killed with kill -9 at random moments and gone on with, against the same study undisturbed: the same table,
bit for bit, every trial trained once, one MLflow run each, none left RUNNING. Where a study ends before it was killed
so often, another one is begun.

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
from collections.abc import Iterator
from itertools import count
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


def disturbed(home: Path, moments: Iterator[float], most: int) -> int:
    """Run the study, killed at each of so many moments at most, until it ends by itself; the number of kills."""
    kills = 0
    while kills < most and killed(home, moment := next(moments), *going_on(home)):
        kills += 1
        log = home / "studies/night/events.jsonl"
        events = log.read_bytes().count(b"\n") if log.exists() else 0
        print(f"kill {kills} after {moment:.1f} s, {events} events in the log", flush=True)
    return kills


def check(home: Path, wanted: dict[str, Any]) -> int:
    """Hold the study that was killed against the undisturbed one; the number of its trainings."""
    assert table(finished(home, *going_on(home))) == table(wanted), "the tables differ"
    lines = (home / "studies/night/events.jsonl").read_text().splitlines()
    asked = [event["trial"] for event in map(json.loads, lines) if event["event"] == "Asked"]
    assert asked == list(range(len(asked))), asked
    check_record(home, len(asked))
    return len(asked)


def main() -> None:
    """Print each kill's moment and what the log held, and of each study whether its table is the undisturbed one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draws = random.Random(options.seed)
    begun = time.perf_counter()
    wanted = finished(Path(tempfile.mkdtemp()))
    length = time.perf_counter() - begun
    print(f"undisturbed: {length:.0f} s", flush=True)
    moments = (draws.uniform(2, 0.6 * length) for _ in count())
    left = options.kills
    while left > 0:
        home = Path(tempfile.mkdtemp())
        kills = disturbed(home, moments, left)
        trainings = check(home, wanted)
        left -= kills
        print(f"{kills} kills: the same table, bit for bit; {trainings} trainings, one run each, none RUNNING")


if __name__ == "__main__":
    main()
