"""How long `report` and `export` take on a record of many trials, and how much memory.

    python benchmarks/large_record.py [--trials 2000] [--epochs 32] [--http]

The record is written by this recorder from a made-up event log, into SQLite; with --http it is read through `mlflow
server --workers 1`. Both commands are run as a user runs them: a process each, imports included.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

from record_rate import server

from search_spaces.demo import DEMO
from search_spaces.study import Study
from tuning.engine.stages import asked
from tuning.log.events import Asked, Ended, EpochDone, Event, Started, Told
from tuning.record.identity import Identity
from tuning.record.recorder import Recorder

DELIVERY_SECONDS = 3600.0
COMMANDS = (["report", "large", "--out", "report"], ["export", "large", "--no-model", "--out", "export"])


def study_of(trials: int, epochs: int) -> Study:
    """The demo's study, of another length."""
    return Study(space=DEMO.scaled(epochs / DEMO.base.epochs), trials=trials)


def events(study: Study) -> Iterator[Event]:
    """A study's log: random settings, half of the trials stopped at a rung."""
    draw, identity = random.Random(0), Identity(Path())
    started = {"study.yaml": study.dump()}
    yield Started("large", "large_record.py", identity.tags(study.space.base), experiment="large", artifacts=started)
    for number in range(study.wanted):
        settings = (
            study.space.paper
            if number == 0
            else {
                "T1": draw.randrange(study.space.base.epochs // 2),
                "epsilon": 10 ** draw.uniform(-8, -1),
                "alpha": 10 ** draw.uniform(1, 5),
            }
        )
        role, config = "" if number else "paper", study.space.config(settings)
        question = asked(number, "trial", role, settings, config, study, identity)
        yield question
        yield from _course(question, study, draw)
    yield Ended("finished", artifacts=started)


def _course(question: Asked, study: Study, draw: random.Random) -> Iterator[Event]:
    stopped = bool(question.role == "" and draw.random() < 0.5)
    last = draw.choice(study.effective_rungs.epochs) if stopped else study.space.base.epochs
    best, best_epoch = 0.0, None
    for epoch in range(1, last + 1):
        accuracy = 0.9 - 0.5 / epoch + draw.gauss(0, 0.01)
        if epoch > question.settings["T1"] and accuracy > best:
            best, best_epoch = accuracy, epoch
        val = dict.fromkeys(("acc", "acc_macro", "acc_worst", "acc_head", "acc_tail"), accuracy)
        result = {"epoch": epoch, "train_loss": 1 / epoch, "lr": 0.1, "seconds": 0.5, "val": val, "diverged": False}
        yield EpochDone(question.trial, {**result, "score": best or None, "best_epoch": best_epoch}, "cpu x threads=1")
    yield Told(question.trial, "early_stopped" if stopped else "finished")


def record(events: Sequence[Event], log: Path, home: Path) -> None:
    """Make a log, without waiting for the disk, then the record."""
    log.parent.mkdir(parents=True)
    with log.open("w") as file:
        file.writelines(json.dumps({"event": type(event).__name__, **asdict(event)}) + "\n" for event in events)
    recorder = Recorder(f"sqlite:///{home / 'mlflow.db'}", home / "artifacts", log)
    for event in events:
        recorder.put(event)
    recorder.close(DELIVERY_SECONDS)
    assert not recorder.failure, recorder.failure


def timed(arguments: list[str], home: Path, uri: str = "") -> None:
    """Run a command and tell wall time, CPU time and the most memory that any command took so far."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    command = [sys.executable, "-m", "tuning.cli", *arguments]
    uri = uri or f"sqlite:///{home / 'mlflow.db'}"
    where = {"PYTHONPATH": str(Path(__file__).parents[1]), "LT_HOME": str(home), "MLFLOW_TRACKING_URI": uri}
    subprocess.run(command, cwd=home, env=os.environ | where, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{' '.join(arguments)}: {wall:.1f} s, CPU {cpu:.1f} s, at most {after.ru_maxrss / 1024:.0f} MB")


def main() -> None:
    """Make the record, read it twice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=32)
    parser.add_argument("--http", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        started = time.monotonic()
        log = home / "studies" / "large" / "events.jsonl"
        record(list(events(study_of(given.trials, given.epochs))), log, home)
        print(f"{given.trials} trials of up to {given.epochs} epochs written in {time.monotonic() - started:.0f} s")
        with server(home) if given.http else nullcontext(f"sqlite:///{home / 'mlflow.db'}") as uri:
            for command in COMMANDS:
                timed(command, home, uri)


if __name__ == "__main__":
    main()
