"""One MLflow run while it is written: what is not yet sent, what its end sums up, whether it is whole."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.utils.mlflow_tags import MLFLOW_LOGGED_ARTIFACTS

from tuning.log.events import EpochDone, StopReason, Told
from tuning.record.runs import TWIN
from tuning.record.tracking import reason

STATUS = {"diverged": "FAILED", "failed": "FAILED", "interrupted": "KILLED"}
LACKS = "lt.lacks"  # the tag of a run whose artifacts found no place
PAUSE_SECONDS = 60.0  # after their store failed, until it is tried again
AT_ONCE = 1000  # metrics, params and tags that MLflow takes in one request


def dataset_input(described: Mapping[str, Any]) -> DatasetInput:
    """A dataset (datasets.py) as MLflow has it."""
    profile = json.dumps(described["profile"])
    dataset = Dataset(described["name"], described["digest"], "lt-tune", described["source"], profile=profile)
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])


class Artifacts:
    """Files of runs. Where their store cannot be reached, the rest of the record goes on without them."""

    def __init__(self, client: MlflowClient) -> None:
        self._client = client
        self._again_at = 0.0
        self.failure = ""

    def text(self, run_id: str, name: str, text: str) -> bool:
        """Keep a text under a name, and say whether that was possible."""
        return self._kept(lambda: self._client.log_text(run_id, text, name))

    def folder(self, run_id: str, folder: str) -> bool:
        """Keep the files of a folder, where there is one, and say whether that was possible."""
        if not folder or not Path(folder).is_dir():  # a log that was moved may name one that is not here
            return True
        return self._kept(lambda: self._client.log_artifacts(run_id, folder))

    def _kept(self, write: Callable[[], None]) -> bool:
        if time.monotonic() < self._again_at:
            return False
        try:
            write()
        except Exception as error:  # of the store's own kind: MLflow's, boto's, the file system's
            self.failure = f"artifacts: {reason(error)}"
            self._again_at = time.monotonic() + PAUSE_SECONDS
            return False
        return True


class OpenRun:
    """A run that is being written. Nothing is sent before `send`; what a failure leaves is sent with the next.

    lacked: whether an earlier writer found no place for its artifacts.
    """

    def __init__(self, client: MlflowClient, artifacts: Artifacts, run_id: str, *, lacked: bool) -> None:
        self.run_id = run_id
        self.tags: dict[str, str] = {}
        self.params: dict[str, str] = {}
        self.metrics: list[Metric] = []
        self.inputs: list[DatasetInput] = []
        self._client, self._artifacts = client, artifacts
        self._lacked, self._lacks, self._ended = lacked, False, False
        self._epochs, self._inherited, self._seconds, self._best_epoch = 0, 0, 0.0, None

    def keep(self, name: str, text: str) -> None:
        """Keep a text as an artifact."""
        self._lacks |= not self._artifacts.text(self.run_id, name, text)

    def keep_folder(self, folder: str) -> None:
        """Keep the files of a folder as artifacts; tables in JSON are listed as `log_table` lists its own."""
        self._lacks |= not self._artifacts.folder(self.run_id, folder)
        if folder and (tables := sorted(Path(folder).glob("*.json"))):
            listed = [{"path": path.name, "type": "table"} for path in tables]
            self.tags[MLFLOW_LOGGED_ARTIFACTS] = json.dumps(listed)

    def add(self, event: EpochDone) -> None:
        """Take an epoch in."""
        result = event.result
        values = {"train_loss": result["train_loss"], "lr": result["lr"], "seconds": result["seconds"]}
        values |= {f"val_{name}": value for name, value in result["val"].items()}
        if result["score"] is not None:
            values["score"] = result["score"]
        values |= event.system
        self.metrics += [Metric(key, value, event.time, result["epoch"]) for key, value in values.items()]
        self.tags["lt.numerics"] = event.numerics
        self._epochs, self._best_epoch = result["epoch"], result["best_epoch"]
        self._seconds += result["seconds"]
        self._inherited += result["seconds"] == 0  # copied from another run, or a trunk

    def sum_up(self, event: Told) -> None:
        """Take its end in, once. The running score's last point is the run's."""
        if self._ended:
            return
        reused = event.reused_from is not None
        self.tags["lt.stop_reason"] = "reused" if reused else event.stop_reason
        self.tags |= {TWIN: event.stop_reason} if reused else {}
        if event.error:
            self.tags["lt.error"] = event.error[:5000]
        values: dict[str, float] = {
            "epochs_trained": self._epochs - self._inherited,
            "epochs_reused": self._inherited,
            "device_seconds": self._seconds,
            **{f"{name}_at_best": value for name, value in event.outcomes.items()},
            **event.test,
        }
        if self._best_epoch is not None:
            values["best_epoch"] = self._best_epoch
        # At step 0: MLflow draws what has no other step as bars.
        self.metrics += [Metric(key, value, event.time, 0) for key, value in values.items()]
        self.metrics += [Metric("epoch_test_acc", acc, event.time, i) for i, acc in enumerate(event.test_series, 1)]
        self._ended = True

    def resume(self) -> None:
        """Run again, after its end."""
        self._client.set_tag(self.run_id, "lt.stop_reason", "running")
        self._client.update_run(self.run_id, "RUNNING")
        self._ended = False

    def send(self) -> None:
        """Write what is not yet written."""
        if self.inputs:
            self._client.log_inputs(self.run_id, self.inputs)
        self.inputs = []
        params = [Param(key, value) for key, value in self.params.items()]
        tags = [RunTag(key, value) for key, value in self.tags.items()]
        first = AT_ONCE - len(params) - len(tags)
        if params or tags or self.metrics:
            self._client.log_batch(self.run_id, self.metrics[:first], params, tags)
        for start in range(first, len(self.metrics), AT_ONCE):
            self._client.log_batch(self.run_id, self.metrics[start : start + AT_ONCE])
        self.params, self.tags, self.metrics = {}, {}, []

    def terminate(self, stop_reason: StopReason, time_ms: int) -> None:
        """Send the rest, then end it: whoever finds a run ended, and no tag that it lacks something, finds it whole."""
        if self._lacks:
            self.tags[LACKS] = "artifacts"
        self.send()
        self._client.set_terminated(self.run_id, STATUS.get(stop_reason, "FINISHED"), time_ms)
        if self._lacked and not self._lacks:
            self._client.delete_tag(self.run_id, LACKS)
