"""The events of a log -> MLflow: a parent run for a study, a child run for each training.

Points keep the event's own time, and MLflow counts a point once: to write events again is harmless. Runs that the
record has whole are passed over. Not here: when to write, and what to do about a server that fails (recorder.py).
"""

import getpass
import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlflow.entities import Metric, Run, ViewType

from lt_core.config import TrainConfig
from tuning.log.events import Asked, Ended, EpochDone, Event, Kind, Resumed, Started, Told
from tuning.record import tracking
from tuning.record.openrun import LACKS, Artifacts, OpenRun, dataset_input
from tuning.record.views import TAG, View, views

STUDY = "none"  # the trial number of a study's own run
MOST_TEXT = 8000  # characters of a tag
CUT = "\n\n(The rest stands in the artifacts.)"


@dataclass(frozen=True)
class _Known:
    """What the record has of a run."""

    run_id: str
    status: str
    end_time: int | None
    lacks: bool
    deleted: bool
    cut: bool

    @classmethod
    def of(cls, run: Run) -> "_Known":
        deleted = run.info.lifecycle_stage == "deleted"
        cut = run.data.tags.get("lt.stop_reason") == "budget"
        return cls(run.info.run_id, run.info.status, run.info.end_time, LACKS in run.data.tags, deleted, cut)

    @property
    def whole(self) -> bool:
        """Whether nothing is left to write: its end is the last that is written. What a user deleted stays so.

        What a budget cut may go on.
        """
        return self.deleted or (self.status in ("FINISHED", "FAILED") and not self.lacks and not self.cut)


class Writer:
    """Writes one log's events, oldest first."""

    def __init__(self, uri: str, artifacts: Path) -> None:
        self._uri, self._client = uri, tracking.client(uri)
        self._artifacts = Artifacts(self._client)
        self._location = None if tracking.is_server(uri) else artifacts
        self._started = Started("", "", {})
        self._datasets: dict[str, dict[str, Any]] = {}  # by data id
        self._experiment_id = ""
        self._study_tags: dict[str, str] = {}
        self._known: dict[str, _Known] = {}  # by trial number
        self._runs: dict[str, OpenRun] = {}  # by trial number, those not ended; the study's own among them
        self._cut: dict[str, OpenRun] = {}  # by trial number, those that a budget ended
        self._ids: dict[str, str] = {}  # by trial number, of all runs
        self._refused: dict[str, str] = {}  # by trial number, why the record does not take it
        self._trials: dict[str, Mapping[str, Any]] = {}  # by trial number, their params
        self._symbols: dict[str, None] = {}  # that some trial has, in the order of the space
        self._kinds: set[Kind] = set()
        self._views: dict[str, str] = {}  # their tags, as they are in the record
        self._unshown = False
        self._failed = False
        self.written = 0  # runs that were not whole

    @property
    def lacks(self) -> str:
        """What the record would not take although it answers, '' where it took all."""
        return "; ".join(list(self._refused.values())[:3]) or self._artifacts.failure

    def write(self, batch: deque[Event]) -> None:
        """Write a batch and empty it; after a failure, what is left of it may be given again."""
        if self._failed and self._study_tags:  # what seemed to fail may have been done
            self._known = self._runs_of_the_study()
        self._failed = True
        while batch:
            self._take(batch[0])
            batch.popleft()
        if self._unshown:
            self._show()
        for number, run in list(self._runs.items()):
            self._guarded(number, run.send)
        self._failed = False

    def _take(self, event: Event) -> None:
        match event:
            case Started():
                self._start_study(event)
            case Asked():
                self._guarded(str(event.trial), lambda: self._start_run(event))
            case EpochDone() if str(event.trial) in self._runs:
                self._runs[str(event.trial)].add(event)
            case Told() if str(event.trial) in self._runs:
                self._guarded(str(event.trial), lambda: self._end_run(event))
            case Resumed() if str(event.trial) in self._cut:
                self._guarded(str(event.trial), lambda: self._resume(str(event.trial)))
            case Ended():
                self._end_study(event)

    def _guarded(self, number: str, write: Callable[[], None]) -> None:
        """Write something of one run; if the record refuses it (a user deleted the run), the others go on."""
        try:
            write()
        except Exception as error:
            if not tracking.is_refusal(error, self._uri):
                raise
            self._refused[number] = f"run {number}: {tracking.reason(error)}"
            self._runs.pop(number, None)

    # --- which runs there are -------------------------------------------------------------------------

    def _start_study(self, event: Started) -> None:
        self._started, self._datasets = event, dict(event.datasets)
        self._experiment_id = tracking.experiment_id(self._client, event.experiment, self._location)
        self._study_tags = {"lt.study": event.study or "none", "lt.study_id": event.study_id}
        self._known = self._runs_of_the_study()
        known = self._known.get(STUDY)
        if known is not None and known.deleted:
            self._ids[STUDY] = known.run_id
        elif event.study:
            tags = {**event.tags, **self._how_made(), "lt.kind": "study", "lt.trial": STUDY}
            run = self._open(STUDY, event.study, event.time, tags)
            if known is None or not known.whole:  # else it has what its end says
                self._attach(run, event.datasets, event.artifacts)

    def _how_made(self) -> dict[str, str]:
        """The tags of a run that stands in no other: how it was made."""
        command, resume = self._started.command[:5000], self._started.resume[:5000]
        return {"lt.command": command, "lt.resume": resume, "mlflow.note.content": self._started.note}

    def _runs_of_the_study(self) -> dict[str, _Known]:
        ours = f"tags.`lt.study_id` = '{self._study_tags['lt.study_id']}'"
        found = self._client.search_runs([self._experiment_id], ours, ViewType.ALL, max_results=50_000)
        return {run.data.tags["lt.trial"]: _Known.of(run) for run in found}

    def _start_run(self, event: Asked) -> None:
        number = str(event.trial)
        self._describe(event)
        if event.kind == "trial":
            self._trials[number] = event.params
            self._symbols = {key: None for key in event.params if key in self._symbols or key in event.settings}
        self._kinds.add(event.kind)
        self._unshown = bool(self._started.study)
        if (known := self._known.get(number)) is not None and known.whole:
            self._ids[number] = known.run_id
            return
        name = event.role if event.kind == "run" else f"{event.kind} {number} {event.role}".strip()
        alone = STUDY not in self._ids
        tags = {**event.tags, **(self._how_made() if alone else {}), "lt.kind": event.kind, "lt.trial": number}
        run = self._open(number, name, event.time, tags)
        self.written += 1
        self._go_on(STUDY)
        self._go_on(number)
        run.params = {key: str(value) for key, value in event.params.items()}
        texts = {"config.yaml": TrainConfig.parse(event.config).dump(), **(self._started.artifacts if alone else {})}
        self._attach(run, [event.tags.get("lt.data_id", "")], texts)

    def _describe(self, event: Asked) -> None:
        """Take in datasets that a study did not begin with: its own run has them, too, though it may have ended."""
        new = {key: each for key, each in event.datasets.items() if key not in self._datasets}
        self._datasets |= new
        if STUDY in self._runs:
            self._runs[STUDY].inputs += [dataset_input(each) for each in new.values()]

    def _attach(self, run: OpenRun, data_ids: Iterable[str], texts: Mapping[str, str]) -> None:
        """What a run has from its start: the datasets that it may read, and texts."""
        run.inputs = [dataset_input(each) for key, each in self._datasets.items() if key in data_ids]
        for name, text in texts.items():
            run.keep(name, text)

    def _open(self, number: str, name: str, time_ms: int, tags: dict[str, str]) -> OpenRun:
        """A run to write to: the one that the record has, or a new one."""
        known = self._known.get(number)
        run_id = known.run_id if known else self._create(name, time_ms, {**tags, **self._study_tags})
        self._ids[number] = run_id
        return self._runs.setdefault(
            number, OpenRun(self._client, self._artifacts, run_id, lacked=known is not None and known.lacks)
        )

    def _create(self, name: str, time_ms: int, tags: dict[str, str]) -> str:
        parent = {"mlflow.parentRunId": self._ids[STUDY]} if STUDY in self._ids else {}
        source = {"mlflow.user": _user(), "mlflow.source.name": "lt-tune", "lt.stop_reason": "running"}
        return self._client.create_run(self._experiment_id, time_ms, {**tags, **source, **parent}, name).info.run_id

    def _go_on(self, number: str) -> None:
        """A run that has ended in the record, and is written to again, runs."""
        known, run = self._known.get(number), self._runs.get(number)
        if run is not None and known is not None and known.status != "RUNNING" and not known.deleted:
            run.resume()
            self._known[number] = replace(known, status="RUNNING")

    # --- how they are shown ---------------------------------------------------------------------------

    def _views_now(self) -> list[View]:
        study, study_id, trials = self._started.study, self._started.study_id, list(self._trials.values())
        return views(study, study_id, self._symbols, trials, self._kinds)

    def _show(self) -> None:
        """Keep the views of what was asked for by now, and their links on the page of a study that has not ended."""
        tags = {f"{TAG}{view.key}": view.tag(self._started.time) for view in self._views_now()}
        for key, value in tags.items():
            if self._views.get(key) != value:
                self._client.set_experiment_tag(self._experiment_id, key, value)
        known, run = self._known.get(STUDY), self._runs.get(STUDY)
        if self._views.keys() != tags.keys() and run is not None and not (known and known.status == "FINISHED"):
            run.tags["mlflow.note.content"] = self._page("")
        self._views, self._unshown = tags, False

    def _page(self, note: str) -> str:
        """What a study's page shows: its views, a note, of which there may be room for the first lines only, and how
        it was made."""
        compare = " · ".join(view.links(self._experiment_id) for view in self._views_now())
        links = f"Compare {compare}" if compare else ""
        room = MOST_TEXT - len(links) - len(self._started.note) - 4
        if len(note) > room:
            note = note[: room - len(CUT)].rpartition("\n")[0] + CUT
        return "\n\n".join(part for part in (links, note, self._started.note) if part)

    # --- how they end ---------------------------------------------------------------------------------

    def _end_run(self, event: Told) -> None:
        run = self._runs[str(event.trial)]
        run.sum_up(event)
        if event.evaluations:
            run.keep("evaluations.json", json.dumps(event.evaluations))
        if event.series:
            run.keep("series.json", json.dumps(event.series))
        reused = event.reused_from is not None
        if reused:
            run.tags["lt.reused_from"] = self._origin(str(event.reused_from))
        run.terminate("finished" if reused else event.stop_reason, event.time)
        ended = self._runs.pop(str(event.trial))
        if event.stop_reason == "budget":
            self._cut[str(event.trial)] = ended

    def _resume(self, number: str) -> None:
        """Go on with a run that a budget ended."""
        run = self._cut[number]
        run.resume()
        self._runs[number] = self._cut.pop(number)

    def _origin(self, trial: str) -> str:
        """The run id of a trial of this study, or of another (STUDY_ID/NUMBER, as is where the record has none)."""
        if trial in self._ids:
            return self._ids[trial]
        study_id, _, number = trial.partition("/")
        there = f"tags.`lt.study_id` = '{study_id}' and tags.`lt.trial` = '{number}'"
        everywhere = [experiment.experiment_id for experiment in self._client.search_experiments()]
        found = self._client.search_runs(everywhere, there, max_results=1)
        return found[0].info.run_id if found else trial

    def _end_study(self, event: Ended) -> None:
        for number, run in list(self._runs.items()):
            run.tags["lt.stop_reason"] = event.stop_reason
            if number == STUDY:
                self._guarded(number, lambda: self._end_parent(event))
            else:
                self._guarded(number, lambda run=run: run.terminate(event.stop_reason, event.time))
        self._runs = {}

    def _end_parent(self, event: Ended) -> None:
        run, known = self._runs[STUDY], self._known.get(STUDY)
        if known is not None and known.whole and known.end_time == event.time:
            return
        for name, text in event.artifacts.items():
            run.keep(name, text)
        run.keep_folder(event.folder)
        note = event.note.replace("](artifact:", f"](get-artifact?run_uuid={run.run_id}&path=")  # as MLflow's pages ask
        run.tags["mlflow.note.content"] = self._page(note)
        run.metrics += [Metric(key, value, event.time, 0) for key, value in event.metrics.items()]
        run.terminate(event.stop_reason, event.time)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "unknown"
