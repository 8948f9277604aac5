"""A Run of the core under Ray: what Ray's worker processes import, hence without Optuna and MLflow."""

import faulthandler
import io
import json
import platform
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ray import tune

from lt_core.config import TrainConfig
from lt_core.identity import numerics
from lt_core.train import Run
from lt_core.value import InputError
from tuning.engine.evaluations import evaluations
from tuning.engine.measures import influences, named, without_nan
from tuning.engine.system_metrics import SystemMetrics
from tuning.log.store import Store, checkpoint_name

THREADS = 1  # of a trial: its numbers must not depend on how many run beside it
PATIENCE = 10  # times the longest epoch so far, after which a silent trial is killed and tried again
LEAST_PATIENCE = 120.0  # seconds
FIRST_PATIENCE = 6 * 3600.0  # seconds of a first epoch, when nobody knows yet what one takes
RETRIES = 2  # of a trial that raises an error; it goes on from its checkpoint


def patience(longest: float) -> float:
    """Seconds that an epoch may take where the longest took so many."""
    return max(LEAST_PATIENCE, PATIENCE * longest)


class Trainable(tune.Trainable):
    """One epoch a step, checkpointed to the study's store before it is reported.

    An error of the training is reported, after retries, not raised: the process lives on for the next trial. A step
    that hangs ends the process, so that Ray tries again in another one.
    """

    def setup(self, config: dict[str, Any]) -> None:
        """Take an assignment; all that can fail is left to the first step."""
        self._assignment = config
        self._run: Run | None = None
        self._system: SystemMetrics | None = None
        self._reported = config["epochs_done"]
        self._errors = 0

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next trial's assignment in the same process."""
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Train an epoch, or report one that a checkpoint holds and the log does not."""
        # A thread of C, not of Python: it ends a process that hangs with the interpreter's lock in its hands, too.
        faulthandler.dump_traceback_later(self._patience(), exit=True, file=sys.__stderr__ or sys.stderr)
        try:
            report = self._retried()
        finally:
            faulthandler.cancel_dump_traceback_later()
        return {"epoch": self._reported, "report": json.dumps(report), "done": "stop_reason" in report}

    def _patience(self) -> float:
        """By the trials so far; where there were none, by this one's own epochs, those of its checkpoint included."""
        if self._assignment["patience"] is not None:
            return self._assignment["patience"]
        own = [result.seconds for result in self._run.history] if self._run else []
        return patience(max(own)) if own else FIRST_PATIENCE

    def _retried(self) -> dict[str, Any]:
        """An epoch's report, begun again from the checkpoint after an error; in the end, the error's."""
        while True:
            try:
                return self._epoch()
            except OSError:
                raise  # of the machine, not of the trial: Ray tries again, in a new process, perhaps elsewhere
            except Exception as error:  # whatever it is, it is this trial's alone
                self._errors += 1
                self._run = None
                if self._errors > RETRIES or isinstance(error, InputError):
                    return {"stop_reason": "failed", "error": f"{type(error).__name__}: {error}"}

    def _epoch(self) -> dict[str, Any]:
        if self._run is None:
            if not self._shares_store():
                return {"unshared": platform.node(), "stop_reason": "failed"}
            self._run = self._start()
            self._system = SystemMetrics(self._run.device) if self._assignment.get("system_metrics") else None
        run = self._run
        report: dict[str, Any] = {"numerics": numerics(run.config, run.device, run.threads)}
        if run.epoch <= self._reported and not run.finished:  # below it: the checkpoint was lost, its epochs come again
            run.step()
            self._save(run)
            self._save_trunk(run)
        if self._reported < run.epoch:
            report["result"] = asdict(run.history[self._reported])
            report["system"] = self._system.sample() if self._system else {}
            self._reported += 1
        if run.finished and self._reported >= run.epoch:
            report |= self._end(run)
        return report

    def _shares_store(self) -> bool:
        """Whether the store is the driver's, and not a folder of the same name on this node."""
        try:
            return Store(self._assignment["store"]).read(self._assignment["probe"]) is not None
        except PermissionError:
            return False

    def _start(self) -> Run:
        assignment = self._assignment
        config, root = TrainConfig.parse(assignment["config"]), Path(assignment["root"])
        run = Run(config, root, assignment["device"], THREADS)
        store, trunk = Store(assignment["store"]), assignment.get("trunk")
        saved = store.read(checkpoint_name(assignment["trial"]))
        if saved is not None:
            run.load(io.BytesIO(saved))
        elif trunk is not None and (begun := store.read(trunk["name"])) is not None:
            run.load(io.BytesIO(begun), TrainConfig.parse(trunk["config"]))
        return run

    def _save(self, run: Run) -> None:
        stream = io.BytesIO()
        run.save(stream)
        Store(self._assignment["store"]).write(checkpoint_name(self._assignment["trial"]), stream.getvalue())

    def _save_trunk(self, run: Run) -> None:
        """Keep the state where other trainings branch off."""
        name = self._assignment.get("exits", {}).get(str(run.epoch))
        if name is not None:
            stream = io.BytesIO()
            run.save(stream)
            Store(self._assignment["store"]).write(name, stream.getvalue())

    def _end(self, run: Run) -> dict[str, Any]:
        diverged, reads = run.history[-1].diverged, self._assignment["reads"]
        stop_reason = "diverged" if diverged else "finished"
        if not self._assignment["test"] or (diverged and not reads):
            return {"stop_reason": stop_reason}
        found = run.evaluations()
        whole = without_nan(evaluations(run, found))
        series = {} if diverged else influences(run, reads)
        return {
            "stop_reason": stop_reason,
            "test": run.test(found) | named(whole, series, reads),
            "test_series": run.test_series,
            "evaluations": whole,
            "series": series,
        }
