"""A study on Ray: its stages (search, then confirmation), going on after a crash.

The driver writes every event to the study's log before anything else follows from it. Ray's own snapshots, restore
and searcher pickles are not used: each start is a new Tuner whose searcher first re-issues what is unfinished.
"""

import json
import re
import secrets
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from ray import tune
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from lt_core.config import TrainConfig
from lt_core.value import InputError
from search_spaces.controls import plain_cross_entropy
from search_spaces.study import Study
from tuning.cluster import gpus_per_trial, slots, unshared
from tuning.events import Asked, EpochDone, EventLog, History, Kind, Told, TrialRecord, now
from tuning.identity import Identity, params
from tuning.report import best_trial
from tuning.rungs import stops
from tuning.store import Store
from tuning.suggest import Adviser, RaySearcher
from tuning.trainable import Trainable, checkpoint_name

RETRIES = 2  # of a trial whose worker process or node died; it goes on from its checkpoint


# --- the stages -------------------------------------------------------------------------------------


class Stage(Protocol):
    """What one pass of Ray is for: which trainings it wants, and what it makes of their results."""

    kind: Kind

    def propose(self, number: int) -> Asked | None:
        """The next training wanted, None when there are no more."""
        ...

    def told(self, trial: TrialRecord) -> None:
        """Hear of a training's end."""
        ...

    def stops(self, trial: TrialRecord) -> bool:
        """Whether a training is to end after its last epoch."""
        ...


class SearchStage:
    """The trials of a study: the paper's setting, the user's points, then what Optuna advises."""

    kind: Kind = "trial"

    def __init__(self, study: Study, history: History, identity: Identity) -> None:
        self._study, self._history, self._identity = study, history, identity
        self._adviser = Adviser(study, history.of_kind("trial"))
        self._rungs = study.effective_rungs

    def propose(self, number: int) -> Asked | None:
        """The sampler's next point; None once the study has its trials."""
        asked_before = len(self._history.of_kind("trial"))
        if asked_before >= self._study.trials:
            return None
        settings = self._adviser.ask(number)
        config = self._study.space.config(settings)
        role = "paper" if asked_before == 0 else ""
        return asked(number, "trial", role, settings, config, self._study, self._identity)

    def told(self, trial: TrialRecord) -> None:
        """Tell Optuna."""
        self._adviser.tell(trial)

    def stops(self, trial: TrialRecord) -> bool:
        """Whether the rungs stop it. The paper's setting runs to its end: the study is to be compared with it."""
        return trial.asked.role != "paper" and stops(self._rungs, self._history, trial)


class ConfirmStage:
    """The best config, the paper's setting and plain CE on the same fresh seeds, test values included."""

    kind: Kind = "confirm"

    def __init__(self, study: Study, history: History, identity: Identity) -> None:
        self._study, self._history, self._identity = study, history, identity
        self._wanted = list(_confirmations(study, history))

    def propose(self, number: int) -> Asked | None:
        """The first wanted training that was not asked for yet."""
        known = {(t.asked.role, t.config.id) for t in self._history.of_kind("confirm")}
        for role, settings, config in self._wanted:
            if (role, config.id) not in known:
                return asked(number, "confirm", role, settings, config, self._study, self._identity)
        return None

    def told(self, trial: TrialRecord) -> None:
        """Nothing follows from a single one."""

    def stops(self, trial: TrialRecord) -> bool:
        """Never: a mean needs whole trainings."""
        return False


def _confirmations(study: Study, history: History) -> Iterator[tuple[str, dict[str, Any], TrainConfig]]:
    """Role, settings and config of each training that confirms; a best trial that is the paper's is not repeated."""
    paper = study.space.config(study.space.paper)
    roles: list[tuple[str, dict[str, Any], TrainConfig]] = [
        ("paper", study.space.paper, paper),
        ("CE", {}, plain_cross_entropy(paper)),
    ]
    best = best_trial(history)
    if best is not None and best.config.id != paper.id:
        roles.insert(0, ("best", best.asked.settings, best.config))
    for seed in range(study.space.base.seed + 1, study.space.base.seed + 1 + study.confirm):
        for role, settings, config in roles:
            yield role, settings, config.model_copy(update={"seed": seed})


def asked(
    number: int,
    kind: Kind,
    role: str,
    settings: Mapping[str, Any],
    config: TrainConfig,
    study: Study,
    identity: Identity,
) -> Asked:
    """The event that asks for one training of a study."""
    symbols = {symbol: settings.get(symbol, "none") for symbol in study.space.domains}
    return Asked(
        trial=number,
        kind=kind,
        role=role,
        settings=dict(settings),
        config=config.plain(),
        params={**symbols, **params(config)},
        tags={**identity.tags(config), "lt.role": role or "none"},
    )


# --- in the driver ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Session:
    """What one start of a study works with: its log, the checkpoint store, the data folder."""

    log: EventLog
    store: str
    root: Path

    @property
    def history(self) -> History:
        """What the log says."""
        return self.log.history


class Driver:
    """One stage of a study while Ray runs it: hands out assignments, takes reports, decides who stops."""

    def __init__(self, session: Session, stage: Stage, device: str) -> None:
        self._device = device
        self._session, self._stage, self._history = session, stage, session.history
        self._store = Store(session.store)
        self._probe = f"probe-{secrets.token_hex(4)}"
        self._store.write(self._probe, b"readable")
        self._backlog = [t.asked.trial for t in self._history.of_kind(stage.kind) if t.told is None]
        self._waiting: dict[int, list[int]] = {}  # a running trial -> trials with an equal config
        self._all_proposed = False
        self._troubles: dict[int, str] = {}  # of a trial: what Ray said last
        self._refusal = ""
        self.interrupted = False

    @property
    def over(self) -> bool:
        """Whether all is handed out and no duplicate waits for its twin."""
        return self._all_proposed and not self._backlog and not self._waiting

    def next(self) -> Mapping[str, Any] | None:
        """The next assignment: what an earlier start left unfinished, then what the stage proposes."""
        while (number := self._next_number()) is not None:
            if not self._settled(self._history.trials[number]):
                return self._assignment(self._history.trials[number])
        return None

    def report(self, number: int, report: Mapping[str, Any]) -> bool:
        """Take a trial's report and say whether it is to stop. A report taken before changes nothing."""
        trial = self._history.trials[number]
        if "unshared" in report:
            self._refusal = unshared(self._session.store, report["unshared"])
        if trial.told is not None or self._refusal:
            return True
        result = report.get("result")
        new = result is not None and result["epoch"] == len(trial.epochs) + 1
        if result is not None and new:
            self._session.log.emit(EpochDone(number, result, report["numerics"]))
        if "stop_reason" in report:
            self._tell(_told(number, report))
        elif new and self._stage.stops(trial):
            self._tell(Told(number, "early_stopped"))
        return trial.told is not None

    def trouble(self, number: int, said: str) -> None:
        """Ray says why a trial's worker is gone; it may try again."""
        self._troubles[number] = said

    def lost(self, number: int) -> None:
        """Ray gave a trial up, after its retries."""
        if self._history.trials[number].told is None:
            self._tell(Told(number, "failed", error=self._troubles.get(number, "its worker process died")))

    def check_end(self) -> None:
        """End the stage between two events, so that no event is cut in two: KeyboardInterrupt if the user asked for
        it, InputError where the store turned out not to be shared."""
        if self._refusal:
            raise InputError(self._refusal)
        if self.interrupted:
            raise KeyboardInterrupt

    def close(self) -> None:
        """Leave nothing of its own in the store."""
        with suppress(OSError):
            self._store.delete(self._probe)

    def _next_number(self) -> int | None:
        if self._backlog:
            return self._backlog.pop(0)
        event = self._stage.propose(len(self._history.trials))
        if event is None:
            self._all_proposed = True
            return None
        self._session.log.emit(event)
        return event.trial

    def _settled(self, trial: TrialRecord) -> bool:
        """Whether a trial needs no worker: its twin has trained or trains the same config, or a rung stops it."""
        twin = self._twin(trial)
        if twin is not None and twin.told is None:
            self._waiting.setdefault(twin.asked.trial, []).append(trial.asked.trial)
        elif twin is not None:
            self._reuse(trial, twin)
        elif trial.epochs and self._stage.stops(trial):
            self._tell(Told(trial.asked.trial, "early_stopped"))
        else:
            return False
        return True

    def _twin(self, trial: TrialRecord) -> TrialRecord | None:
        earlier = (t for t in self._history.of_kind(trial.asked.kind) if t.asked.trial < trial.asked.trial)
        return next((t for t in earlier if t.config.id == trial.config.id and t.stop_reason != "failed"), None)

    def _reuse(self, trial: TrialRecord, twin: TrialRecord) -> None:
        number = trial.asked.trial
        for epoch in twin.epochs[len(trial.epochs) :]:
            self._session.log.emit(EpochDone(number, {**epoch.result, "seconds": 0.0}, epoch.numerics))
        assert twin.told is not None
        self._tell(replace(twin.told, trial=number, reused_from=twin.asked.trial, time=now()))

    def _tell(self, event: Told) -> None:
        """End a trial, and with it the duplicates that waited for it."""
        self._session.log.emit(event)
        trial = self._history.trials[event.trial]
        self._stage.told(trial)
        with suppress(OSError):  # a checkpoint that is left over harms nobody
            self._store.delete(checkpoint_name(event.trial))
        for number in self._waiting.pop(event.trial, []):
            self._reuse(self._history.trials[number], trial)

    def _assignment(self, trial: TrialRecord) -> dict[str, Any]:
        return {
            "trial": trial.asked.trial,
            "config": trial.asked.config,
            "epochs_done": len(trial.epochs),
            "store": self._session.store,
            "probe": self._probe,
            "root": str(self._session.root),
            "test": trial.asked.kind != "trial",
            "device": self._device,
        }


def _told(number: int, report: Mapping[str, Any]) -> Told:
    """A trial's end as its worker reports it."""
    given = {name: report[name] for name in ("test", "test_series", "error") if name in report}
    return Told(number, report["stop_reason"], **given)


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

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: Any, **info: Any) -> None:
        self._driver.report(trial.config["trial"], json.loads(result["report"]))

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        self._driver.check_end()

    def __getstate__(self) -> dict[str, Any]:
        return {}


def run_study(study: Study, session: Session, identity: Identity) -> None:
    """Search, then confirm, on the Ray that is connected. KeyboardInterrupt passes through; all is in the log."""
    _run_stage(SearchStage(study, session.history, identity), study, session)
    if study.confirm and best_trial(session.history) is not None:
        _run_stage(ConfirmStage(study, session.history, identity), study, session)


def _run_stage(stage: Stage, study: Study, session: Session) -> None:
    gpus = gpus_per_trial(study)
    driver = Driver(session, stage, device="cuda" if gpus else "cpu")
    scratch = tempfile.mkdtemp(prefix="lt-tune-")
    resources = {"cpu": study.cpus, "gpu": gpus}
    tuner = tune.Tuner(
        tune.with_resources(Trainable, resources),
        tune_config=tune.TuneConfig(
            search_alg=RaySearcher(driver),
            scheduler=_Scheduler(driver),
            num_samples=-1,
            max_concurrent_trials=slots(study),
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
