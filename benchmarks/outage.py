"""A study whose MLflow server is killed in its middle and comes back later: every point is in the record once.

    python benchmarks/outage.py [--seconds 60] [--trials 150]

The server is `mlflow server --workers 1` on SQLite. The study is the demo's, with so many trials that it outlasts the
outage on 2 cores; where it does not, that is said, and `lt-tune sync` delivers what the record lacks.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from mlflow import MlflowClient
from record_rate import PORT, server

FIRST = 5  # trials that have ended when the server is killed


def events(home: Path, name: str) -> list[dict]:
    """Those of a kind in the study's log so far."""
    log = home / "studies/outage/events.jsonl"
    lines = log.read_text().splitlines() if log.exists() else []
    return [event for event in map(json.loads, lines) if event["event"] == name]


def search(home: Path, trials: int) -> subprocess.Popen[bytes]:
    """Start the study."""
    uri = f"http://127.0.0.1:{PORT}"
    options = [
        "--name",
        "outage",
        "--trials",
        str(trials),
        "--confirm",
        "0",
        "--home",
        str(home),
        "--tracking-uri",
        uri,
    ]
    command = [sys.executable, "-m", "tuning.cli", "search", "demo", *options]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def check(uri: str, home: Path) -> int:
    """How many epochs the record has; each of the log's must be there, once."""
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("demo")
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id], "tags.`lt.kind` = 'trial'", max_results=1000)
    assert {run.info.status for run in found} == {"FINISHED"}, Counter(run.info.status for run in found)
    trained = Counter(str(event["trial"]) for event in events(home, "EpochDone"))
    assert len(found) == len(trained)
    for run in found:
        steps = sorted(point.step for point in client.get_metric_history(run.info.run_id, "val_acc"))
        assert steps == list(range(1, trained[run.data.tags["lt.trial"]] + 1)), (run.data.tags["lt.trial"], steps)
    return sum(trained.values())


def main() -> None:
    """Kill the server when some trials have ended, start it again, and look at the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--trials", type=int, default=150)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        with server(home):
            study = search(home, options.trials)
            while len(events(home, "Told")) < FIRST:
                time.sleep(0.5)
        before = len(events(home, "EpochDone"))
        time.sleep(options.seconds)
        during, outlasted = len(events(home, "EpochDone")) - before, study.poll() is None
        with server(home) as uri:
            _, said = study.communicate()
            assert study.returncode == 0, said.decode()
            if not outlasted:
                command = [sys.executable, "-m", "tuning.cli", "sync", "outage", "--home", str(home)]
                subprocess.run([*command, "--tracking-uri", uri], check=True)
            epochs = check(uri, home)
    print(f"server away for {options.seconds:g} s; {during} epochs were trained meanwhile; outlasted: {outlasted}")
    print(f"{epochs} epochs of {options.trials} trials, each in the record once, all FINISHED")


if __name__ == "__main__":
    main()
