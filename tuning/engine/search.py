"""A study on Ray: its stages in turn, each a fresh Tuner whose searcher first re-issues what is unfinished.

Ray's own snapshots, restore and searcher pickles are not used: the event log is the truth.
"""

import json
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from search_spaces.study import Study
from tuning.engine.capacity import Resources, device_share, gpus_per_trial, slots
from tuning.engine.cluster import check_nodes
from tuning.engine.driver import Driver, Session
from tuning.engine.stages import ConfirmStage, SearchStage, Stage
from tuning.engine.suggest import RaySearcher
from tuning.engine.trainable import Trainable
from tuning.engine.trunks import Trunks
from tuning.log import limits
from tuning.log.events import Resumed
from tuning.log.results import best_trial
from tuning.record.identity import Identity

NODES_SECONDS = 10.0  # between two looks at whether Ray still has a node
RETRIES = 2  # of a trial whose worker process or node died; it goes on from its checkpoint


class _Scheduler(FIFOScheduler):
    """Ray's view of the rungs: the driver decides."""

    def __init__(self, driver: Driver) -> None:
        super().__init__()
        self._driver = driver

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        stop = self._driver.report(trial.config["trial"], json.loads(result["report"]))
        return TrialScheduler.STOP if stop else TrialScheduler.CONTINUE

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        super().on_trial_error(tune_controller, trial)
        if trial.error_file and Path(trial.error_file).exists():
            self._driver.trouble(trial.config["trial"], _cause(Path(trial.error_file).read_text(encoding="utf-8")))

    def __getstate__(self) -> dict[str, Any]:
        return {}


def _cause(errors: str) -> str:
    """The last line of what Ray wrote of a trial's errors: in tracebacks and in Ray's own words, that is the cause."""
    plain = re.sub(r"\x1b\[[\d;]*m", "", errors)
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    return f"its worker could not go on: {lines[-1][:500]}" if lines else "its worker process died"


class _LastReports(tune.Callback):
    """A report that says `done` never reaches a scheduler: it is taken here. The stage's early end is raised here."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._nodes_checked = time.monotonic()

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: Any, **info: Any) -> None:
        self._driver.report(trial.config["trial"], json.loads(result["report"]))

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        self._driver.check_end()
        if time.monotonic() > self._nodes_checked + NODES_SECONDS:
            check_nodes()
            self._nodes_checked = time.monotonic()

    def __getstate__(self) -> dict[str, Any]:
        return {}


def run_study(study: Study, session: Session, identity: Identity) -> None:
    """Search, then confirm, on the Ray that is connected. KeyboardInterrupt passes through; all is in the log."""
    share = device_share(study)
    _resume_cut(study, session, share)
    run_stage(SearchStage(study, session.history, identity, share), study, session)
    if study.confirm and best_trial(study, session.history) is not None:
        run_stage(ConfirmStage(study, session.history, identity), study, session)


def _resume_cut(study: Study, session: Session, share: float) -> None:
    """Trials that a smaller budget cut go on from their checkpoints."""
    if limits.used_up(study, session.history, share):
        return
    for trial in session.history.of_kind("trial"):
        if trial.stop_reason == "budget":
            session.log.emit(Resumed(trial.number))


def run_stage(
    stage: Stage,
    needs: Resources,
    session: Session,
    trainable: type[tune.Trainable] = Trainable,
    trunks: Trunks | None = None,
) -> None:
    """Run one stage to its end on the Ray that is connected. trunks: what trainings go on from."""
    gpus = gpus_per_trial(needs)
    study = needs if isinstance(needs, Study) and stage.kind == "trial" else None
    driver = Driver(session, stage, "cuda" if gpus else "cpu", study, trunks)
    scratch = tempfile.mkdtemp(prefix="lt-tune-")
    resources = {"cpu": needs.cpus, "gpu": gpus}
    tuner = tune.Tuner(
        tune.with_resources(trainable, resources),
        tune_config=tune.TuneConfig(
            search_alg=RaySearcher(driver),
            scheduler=_Scheduler(driver),
            num_samples=-1,
            max_concurrent_trials=slots(needs),
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            name="trials",
            storage_path=scratch,
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            failure_config=tune.FailureConfig(max_failures=RETRIES),
            callbacks=[_LastReports(driver)],
            verbose=0,
        ),
    )
    try:
        with _signals(driver):
            tuner.fit()
    finally:
        driver.close()
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def _signals(driver: Driver) -> Iterator[None]:
    """SIGINT and SIGTERM interrupt the stage at the next event; a second one ends it where it is."""

    def interrupt(number: int, frame: Any) -> None:
        driver.interrupted = True
        signal.signal(number, signal.default_int_handler)

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
