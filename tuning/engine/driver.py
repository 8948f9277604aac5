"""One stage of a study while it runs: hands out trainings, takes their reports, decides who stops. Not here: Ray.

Every event is in the study's log before anything else follows from it.
"""

import errno
import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lt_core.value import InputError
from search_spaces.study import Study
from tuning.engine.cluster import unshared
from tuning.engine.library import Found, Library
from tuning.engine.measures import named
from tuning.engine.stages import Stage
from tuning.engine.trainable import patience
from tuning.engine.trunks import Trunks
from tuning.log.events import Asked, EpochDone, EventLog, History, StopReason, Told, TrialRecord, now
from tuning.log.outcome import judged
from tuning.log.results import best_trial
from tuning.log.store import Store, checkpoint_name
from tuning.shell.uris import without_secrets

FULL = os.strerror(errno.ENOSPC)  # as workers say it, whose errors come as text
REUSABLE = ("finished", "early_stopped", "diverged")


@dataclass(frozen=True)
class Session:
    """What one start of a study works with: its log, the checkpoint store, the data folder, what trained before."""

    log: EventLog
    store: str
    root: Path
    library: Library
    system_metrics: bool = False

    @property
    def history(self) -> History:
        """What the log says."""
        return self.log.history


class Driver:
    """Between a stage, which says what is wanted, and Ray, which runs it."""

    def __init__(
        self, session: Session, stage: Stage, device: str, study: Study | None = None, trunks: Trunks | None = None
    ) -> None:
        """study: that judges the trials, and keeps the best one's checkpoint; None where a stage does neither.

        trunks: what trainings go on from.
        """
        self._device, self._study, self._trunks = device, study, trunks or Trunks(())
        self._session, self._stage, self._history = session, stage, session.history
        self._store = Store(session.store)
        self._probe = f"probe-{secrets.token_hex(4)}"
        self._store.write(self._probe, b"readable")
        self._backlog = [t.asked.trial for t in self._history.of_kind(stage.kind) if t.told is None]
        self._waiting: dict[int, list[int]] = {}  # a running trial -> trials with an equal config
        self._troubles: dict[int, str] = {}  # of a trial: what Ray said last
        self._end: Exception | None = None
        self.interrupted = False

    @property
    def over(self) -> bool:
        """Whether all is handed out and no duplicate waits for its twin."""
        return self._stage.over and not self._backlog and not self._waiting

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
            self._end = InputError(unshared(self._session.store, report["unshared"]))
        if trial.told is not None or self._end:
            return True
        result = report.get("result")
        new = result is not None and result["epoch"] == len(trial.epochs) + 1
        if result is not None and new:
            self._session.log.emit(EpochDone(number, result, report["numerics"], report.get("system", {})))
        if "stop_reason" in report:
            self._tell(_told(number, report))
        elif new and (reason := self._stage.verdict(trial)):
            self._tell(Told(number, reason))
        return trial.told is not None

    def trouble(self, number: int, said: str) -> None:
        """Ray says why a trial's worker is gone; it may try again. A full disk is no trial's fault: the stage ends."""
        self._troubles[number] = without_secrets(said)
        if FULL in said:
            self._end = OSError(errno.ENOSPC, FULL, self._session.store)

    def lost(self, number: int) -> None:
        """Ray gave a trial up, after its retries."""
        if self._history.trials[number].told is None and not self._end:
            self._tell(Told(number, "failed", error=self._troubles.get(number, "its worker process died")))

    def check_end(self) -> None:
        """End the stage between two events, so that no event is cut in two: KeyboardInterrupt if the user asked for
        it, InputError where the store turned out not to be shared, OSError where it is full."""
        if self._end:
            raise self._end
        if self.interrupted:
            raise KeyboardInterrupt

    def close(self) -> None:
        """Leave nothing of its own in the store."""
        with suppress(OSError):
            self._store.delete(self._probe)

    def _next_number(self) -> int | None:
        if not self._backlog:
            self._backlog = self._proposed()
        return self._backlog.pop(0) if self._backlog else None

    def _proposed(self) -> list[int]:
        events: Sequence[Asked] = self._stage.propose(len(self._history.trials))
        for event in events:
            self._session.log.emit(event)
        return [event.trial for event in events]

    def _settled(self, trial: TrialRecord) -> bool:
        """Whether a trial needs no worker: an equal one has trained or trains, or it is to stop where it is."""
        twin = self._history.twin(trial)
        if twin is not None and twin.told is None:
            self._waiting.setdefault(twin.asked.trial, []).append(trial.asked.trial)
        elif twin is not None and twin.stop_reason in REUSABLE:
            self._reuse(trial, twin)
        elif found := self._session.library.find(trial):
            self._take_over(trial, found)
        elif reason := self._reason_to_end(trial):
            self._tell(Told(trial.asked.trial, reason))
        else:
            self._inherit(trial)
            return False
        return True

    def _inherit(self, trial: TrialRecord) -> None:
        """Copy the epochs that a training has of its trunk, where that left its state: they come before its phase."""
        trunk = self._trunks.trunk_of(trial.config.id)
        if trunk is None or len(trial.epochs) >= trunk.epochs or not self._store.exists(trunk.name):
            return
        donor = self._history.asked_for(trial.asked.kind, trunk.config.id)
        for epoch in donor.epochs[len(trial.epochs) : trunk.epochs] if donor else ():
            own = {**epoch.result, "seconds": 0.0, "score": None, "best_epoch": None}
            self._session.log.emit(EpochDone(trial.asked.trial, own, epoch.numerics))

    def _reuse(self, trial: TrialRecord, twin: TrialRecord) -> None:
        """Copy the epochs of this study's equal trial, and its end: the rungs have judged them."""
        assert twin.told is not None
        for _ in twin.epochs[len(trial.epochs) :]:
            self._copy_epoch(trial, twin)
        self._tell(_taken_over(twin.told, trial.asked, twin.number))

    def _take_over(self, trial: TrialRecord, found: Found) -> None:
        """Copy another study's whole training up to where a rung stops it: what a home has changes no suggestion."""
        assert found.trial.told is not None
        while len(trial.epochs) < len(found.trial.epochs):
            if self._reason_to_end(trial) == "early_stopped":  # a budget ends no copy, which costs nothing
                return self._tell(Told(trial.number, "early_stopped", reused_from=found.origin))
            self._copy_epoch(trial, found.trial)
        return self._tell(_taken_over(found.trial.told, trial.asked, found.origin))

    def _copy_epoch(self, trial: TrialRecord, source: TrialRecord) -> None:
        """The next epoch of an equal training, at no cost."""
        epoch = source.epochs[len(trial.epochs)]
        self._session.log.emit(EpochDone(trial.number, {**epoch.result, "seconds": 0.0}, epoch.numerics))

    def _reason_to_end(self, trial: TrialRecord) -> StopReason | None:
        """Why the stage ends a training where it is; None before its first epoch."""
        return self._stage.verdict(trial) if trial.epochs else None

    def _tell(self, event: Told) -> None:
        """End a trial, and with it the duplicates that waited for it."""
        before = self._best()
        trial = self._history.trials[event.trial]
        outcomes = judged(self._study, trial) if self._study else {}
        self._session.log.emit(replace(event, outcomes=outcomes))
        self._stage.told(trial)
        if event.stop_reason != "budget":  # with more to spend, it goes on
            self._clear_checkpoints(event.trial, before)
        for number in self._waiting.pop(event.trial, []):
            if not self._settled(self._history.trials[number]):
                self._backlog.append(number)  # its twin did not end as it might have

    def _best(self) -> int | None:
        """The trial whose checkpoint is kept: the best so far."""
        best = best_trial(self._study, self._history) if self._study else None
        return best.asked.trial if best else None

    def _clear_checkpoints(self, number: int, before: int | None) -> None:
        """Delete the checkpoint of a trial that ended, unless it is the best now; then that of the best before."""
        useless = before if self._best() == number else number
        if useless is not None:
            with suppress(OSError):  # a checkpoint that is left over harms nobody
                self._store.delete(checkpoint_name(useless))

    def _assignment(self, trial: TrialRecord) -> dict[str, Any]:
        trunk = self._trunks.trunk_of(trial.config.id)
        return {
            "trial": trial.asked.trial,
            "config": trial.asked.config,
            "epochs_done": len(trial.epochs),
            "store": self._session.store,
            "probe": self._probe,
            "root": str(self._session.root),
            "test": trial.asked.kind != "trial",
            "reads": trial.asked.reads,
            "exits": {str(epochs): name for epochs, name in self._trunks.exits(trial.config.id).items()},
            "trunk": {"name": trunk.name, "config": trunk.config.plain()} if trunk else None,
            "device": self._device,
            "system_metrics": self._session.system_metrics,
            "patience": self._patience(),
        }

    def _patience(self) -> float | None:
        """Seconds that an epoch may take; None while no trial has told what one takes."""
        longest = self._history.longest_epoch
        return patience(longest) if longest else None


def _taken_over(told: Told, asked: Asked, origin: int | str) -> Told:
    """An equal training's end as a training's own; a trial has no test values, whatever it is taken over from."""
    if asked.kind == "trial":
        return Told(asked.trial, told.stop_reason, reused_from=origin)
    test = {**told.test, **named(told.evaluations, told.series, asked.reads)}
    return replace(told, trial=asked.trial, test=test, reused_from=origin, time=now())


def _told(number: int, report: Mapping[str, Any]) -> Told:
    """A trial's end as its worker reports it."""
    fields = ("test", "test_series", "evaluations", "series", "error")
    given = {name: report[name] for name in fields if name in report}
    if "error" in given:  # which the record shows, and which may name the store
        given["error"] = without_secrets(given["error"])
    return Told(number, report["stop_reason"], **given)
