"""What a search costs beside its training: trials of a made-up objective that takes no time, 10 reports each, recorded
in MLflow on SQLite, against plain Ray Tune with OptunaSearch and Ray's own MLflow callback.

    python benchmarks/overhead.py [--trials 500] [--rival-trials 100]

Prints trials per second of both, their ratio, and how much the driver's memory grew from trial 100 to the last. The
rival slows down with the trials, so fewer of them flatter it.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ |= {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",
}

import psutil
from ray import tune

EPOCHS = 10
FIRST = 100  # trials, from which on the memory is compared


def quality(T1: float, epsilon: float, alpha: float, epoch: int) -> float:
    """A made-up accuracy in [0, 1] of IB's symbols, which rises with the epochs."""
    distance = (T1 - 6) ** 2 / 100 + (math.log10(epsilon) + 3) ** 2 / 50 + (math.log10(alpha) - 3) ** 2 / 20
    return max(0.0, 0.9 - distance) * (1 - math.exp(-epoch / 4))


class MadeUp(tune.Trainable):
    """As the core's trainable reports, without training."""

    def setup(self, config: dict[str, Any]) -> None:
        self.assignment, self.epoch = config, config["epochs_done"]

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        self.epoch += 1
        loss = self.assignment["config"]["phases"][1]
        score = quality(loss["start"], loss["loss"]["epsilon"], loss["loss"]["alpha"], self.epoch)
        val = dict.fromkeys(("acc", "acc_macro", "acc_worst", "acc_head", "acc_tail", "acc_medium", "acc_few"), score)
        result = {"epoch": self.epoch, "train_loss": 1 - score, "lr": 0.1, "seconds": 0.0, "val": val}
        result |= {"score": score, "best_epoch": self.epoch, "diverged": False}
        report: dict[str, Any] = {"numerics": "made up", "result": result}
        if self.epoch == EPOCHS:
            report["stop_reason"] = "finished"
        return {"epoch": self.epoch, "report": json.dumps(report), "done": self.epoch == EPOCHS}


def ours(trials: int) -> tuple[float, float]:
    """Trials per second, and megabytes that the driver grew by after the first hundred."""
    from search_spaces import SPACES, Rungs, Study
    from tuning.engine.cluster import connected
    from tuning.engine.driver import Session
    from tuning.engine.library import Library
    from tuning.engine.search import run_stage
    from tuning.engine.stages import SearchStage
    from tuning.log.events import Ended, Event, EventLog, Started, Told
    from tuning.record.identity import Identity
    from tuning.record.recorder import Recorder

    home = Path(tempfile.mkdtemp())
    study = Study(space=SPACES["demo"], trials=trials, rungs=Rungs(epochs=())).scaled(EPOCHS / 16)
    recorder = Recorder(f"sqlite:///{home / 'mlflow.db'}", home / "artifacts", home / "events.jsonl")
    memory: list[float] = []

    def listen(event: Event) -> None:
        recorder.put(event)
        if isinstance(event, Told):
            memory.append(psutil.Process().memory_info().rss / 2**20)

    log = EventLog(home / "events.jsonl", listen)
    identity = Identity(home)
    log.emit(Started("overhead", "", identity.tags(study.space.base), experiment="overhead"))
    session = Session(log, str(home / "store"), home, Library(home))
    with connected(None):
        started = time.perf_counter()
        run_stage(SearchStage(study, log.history, identity), study, session, MadeUp)
        log.emit(Ended("finished"))
        recorder.close(600)
        seconds = time.perf_counter() - started
    assert not recorder.failure and len(memory) == trials, recorder.failure
    return trials / seconds, memory[-1] - memory[min(FIRST, trials) - 1]


def objective(config: dict[str, Any]) -> None:
    for epoch in range(1, EPOCHS + 1):
        score = quality(config["T1"], config["epsilon"], config["alpha"], epoch)
        names = ("acc", "acc_macro", "acc_worst", "acc_head", "acc_tail", "acc_medium", "acc_few")
        tune.report({"score": score, "train_loss": 1 - score, "lr": 0.1, **{f"val_{name}": score for name in names}})


def rival(trials: int) -> tuple[float, float]:
    """The same by Ray's own parts, with reused actors."""
    import ray
    from ray.air.integrations.mlflow import MLflowLoggerCallback
    from ray.tune.search.optuna import OptunaSearch

    home = Path(tempfile.mkdtemp())
    ray.init(log_to_driver=False, include_dashboard=False, logging_level="CRITICAL")
    memory: list[float] = []

    class Memory(tune.Callback):
        def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
            memory.append(psutil.Process().memory_info().rss / 2**20)

    started = time.perf_counter()
    space = {"T1": tune.randint(0, 8), "epsilon": tune.loguniform(1e-8, 0.1), "alpha": tune.loguniform(10, 1e5)}
    tuner = tune.Tuner(
        tune.with_resources(objective, {"cpu": 1}),
        param_space=space,
        tune_config=tune.TuneConfig(
            search_alg=OptunaSearch(metric="score", mode="max"),
            num_samples=trials,
            max_concurrent_trials=os.cpu_count(),
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            storage_path=str(home),
            verbose=0,
            callbacks=[MLflowLoggerCallback(f"sqlite:///{home / 'mlflow.db'}", experiment_name="overhead"), Memory()],
        ),
    )
    tuner.fit()
    seconds = time.perf_counter() - started
    ray.shutdown()
    return trials / seconds, memory[-1] - memory[min(FIRST, trials) - 1]


SIDES = {"lt-tune": ours, "Ray's own": rival}


def measured(side: str, trials: int) -> list[float]:
    """One side in a process of its own, whose main module this is: Ray then ships what is defined here."""
    done = subprocess.run(
        [sys.executable, __file__, "--side", side, "--trials", str(trials)], capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--rival-trials", type=int, default=100)
    parser.add_argument("--side", choices=list(SIDES), help="only this one, as two numbers")
    options = parser.parse_args()
    if options.side:
        print(json.dumps(SIDES[options.side](options.trials)))
        return
    rates = []
    for side, trials in zip(SIDES, (options.trials, options.rival_trials), strict=True):
        rate, grown = measured(side, trials)
        rates.append(rate)
        print(
            f"{side}: {rate:.1f} trials/s over {trials} trials; memory +{grown:.0f} MB after the first {FIRST}",
            flush=True,
        )
    print(f"ratio {rates[0] / rates[1]:.1f}")


if __name__ == "__main__":
    main()
