"""MLflow's runs as they are found: studies, their trainings, what hangs on these.

Imports neither torch nor what does: to find runs, nobody waits for it. Not here: what runs mean (reading.py).
"""

import tempfile
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run

from tuning.record.runs import TWIN, RecordedRun
from tuning.record.tracking import client

MOST_RUNS = 50_000  # that MLflow gives at once
AT_ONCE = 8  # requests


class Queries:
    """An MLflow server or database, asked for runs."""

    def __init__(self, uri: str) -> None:
        self._client: MlflowClient = client(uri)

    def studies(self, condition: str, most: int) -> list[Run]:
        """Studies' own runs, the newest first."""
        wanted = f"tags.`lt.kind` = 'study'{condition}"
        return list(self._client.search_runs(self._experiments(), wanted, max_results=most))

    def children(self, parent: Run, condition: str = "") -> list[Run]:
        """The runs of a study but for its own."""
        ours = f"tags.`lt.study_id` = '{parent.data.tags['lt.study_id']}'{condition}"
        found = self._client.search_runs([parent.info.experiment_id], ours, max_results=MOST_RUNS)
        return [run for run in found if run.data.tags["lt.kind"] != "study"]

    def text(self, run_id: str, name: str) -> str | None:
        """The text of an artifact; None where there is none."""
        if name not in [file.path for file in self._client.list_artifacts(run_id)]:
            return None
        with tempfile.TemporaryDirectory() as folder:
            return Path(self._client.download_artifacts(run_id, name, folder)).read_text(encoding="utf-8")

    def course(self, run_id: str, metric: str = "score") -> dict[int, float]:
        """A metric, the running score unless another is named, by epoch."""
        points = sorted(self._client.get_metric_history(run_id, metric), key=lambda point: point.step)
        return {point.step: point.value for point in points}

    def _experiments(self) -> list[str]:
        return [experiment.experiment_id for experiment in self._client.search_experiments()]


def ended_by(run: Run) -> str:
    """Why a training ended; of one taken over, why that ended whose epochs it has, as far as the record says so."""
    tags, metrics = run.data.tags, run.data.metrics
    if tags["lt.stop_reason"] != "reused":
        return tags["lt.stop_reason"]
    epochs = metrics.get("epochs_trained", 0) + metrics.get("epochs_reused", 0)
    return tags.get(TWIN, "finished" if epochs == length(run) else "reused")


def length(run: Run) -> int:
    """The epochs of a whole training. The param, which older runs have alone, may be a symbol of the space."""
    return int(run.data.tags.get("lt.epochs") or run.data.params["epochs"])


def recorded(run: Run) -> RecordedRun:
    """A run as plain data."""
    return RecordedRun(run.info.run_id, run.data.tags, run.data.params, run.data.metrics, ended_by(run))
