"""Reading studies back from MLflow, and from nothing else: as results for reports, as runs with their configs."""

import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from mlflow.entities import Run

from lt_core.config import TrainConfig
from lt_core.value import InputError, nearest
from search_spaces.domains import AnyDomain, Branch, Choice, Domains, Int, Setting
from search_spaces.study import Study
from tuning.log.events import Kind, is_name
from tuning.log.outcome import judged_by
from tuning.log.results import Results, Trial, classes, judgement
from tuning.record.queries import AT_ONCE, MOST_RUNS, Queries, ended_by, length, recorded
from tuning.record.runs import TWIN, RecordedRun

PAGE = 100  # runs, where few are wanted of many


def address(uri: str, study: str | None) -> str:
    """Where the UI shows a study, after the server's address: the newest of a name, or of all; '' where there is none.

    InputError where the record has no study of the name.
    """
    record = Record(uri)
    runs = [record.newest(study)] if study else record.studies("", 1)
    return "".join(f"/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}" for run in runs)


def read_study(uri: str, name: str, *, courses: bool = True) -> Results:
    """The newest study of a name. `courses`: with what only pictures show, running scores and accuracies by class.

    InputError where the record has no such study, or one of whose start it has too little.
    """
    record = Record(uri)
    parent = record.newest(name)
    study = record.study(parent)
    runs = {run.info.run_id: run for run in record.children(parent)}
    trials = [_trial(run, study, _stop_reason(run, runs)) for run in runs.values()]
    trials = [record.counted(run, trial) for run, trial in zip(runs.values(), trials, strict=True)]
    tags = parent.data.tags
    in_order = tuple(sorted(trials, key=lambda trial: trial.number))
    remarks = tuple((record.text(parent.info.run_id, "remarks.txt") or "").splitlines())
    ended = tags["lt.stop_reason"] == "finished"
    results = Results(name, study, tags.get("lt.command", ""), in_order, ended, tags, remarks)
    return record.with_courses(results, runs.values()) if courses else results


class Record(Queries):
    """An MLflow server or database, read."""

    def newest(self, study: str) -> Run:
        """A study's own run, the newest of its name; InputError where there is none."""
        found = self.studies(f" and tags.`lt.study` = '{study}'", 1) if is_name(study) else []
        if not found:
            known = [run.data.tags["lt.study"] for run in self.studies("", 1000)]
            raise InputError(f"the record has no study `{study}`{nearest(study, known)}")
        return found[0]

    def study(self, parent: Run) -> Study:
        """What a study was asked for."""
        text = self.text(parent.info.run_id, "study.yaml")
        if text is None:
            raise InputError(f"the record lacks the study.yaml of study {parent.info.run_name}: it cannot be reported")
        return Study.load(text)

    def experiment(self, run: Run) -> str:
        """The name of the experiment that a run stands in."""
        return self._client.get_experiment(run.info.experiment_id).name

    def whole_trials(self, parent: Run, metric: str) -> Iterator[RecordedRun]:
        """The trials of full length by a metric, the largest first, read as they are asked for."""
        ours = f"tags.`lt.study_id` = '{parent.data.tags['lt.study_id']}' and tags.`lt.kind` = 'trial'"
        order, token = [f"metrics.`{metric}` DESC"], None
        while token != "":
            page = self._client.search_runs([parent.info.experiment_id], ours, 1, PAGE, order, token)
            yield from map(recorded, filter(_is_whole, page))
            token = page.token or ""

    def confirming(self, parent: Run) -> list[RecordedRun]:
        """The confirming runs that finished or diverged."""
        found = [recorded(run) for run in self.children(parent, " and tags.`lt.kind` = 'confirm'")]
        return [run for run in found if run.stop_reason in ("finished", "diverged")]

    def trial(self, study: str, number: int) -> RecordedRun:
        """A run of the newest study of a name by its number; InputError where there is none."""
        found = self.children(self.newest(study), f" and tags.`lt.trial` = '{number}'")
        if not found:
            raise InputError(f"study {study} has no trial {number} in the record")
        return recorded(found[0])

    def tagged(self, tag: str, value: str) -> list[RecordedRun]:
        """All trainings that finished or diverged, of whatever study or table, with a tag; the newest first."""
        wanted = f"tags.`{tag}` = '{value}' and tags.`lt.kind` != 'study'"
        found = self._client.search_runs(self._experiments(), wanted, max_results=MOST_RUNS)
        return [run for run in map(recorded, found) if run.stop_reason in ("finished", "diverged")]

    def config(self, run_id: str) -> TrainConfig:
        """What a run trained; InputError where the record lacks it."""
        text = self.text(run_id, "config.yaml")
        if text is None:
            raise InputError(f"the record has no config.yaml of the MLflow run {run_id}")
        return TrainConfig.load(text)

    def counted(self, run: Run, trial: Trial) -> Trial:
        """A trial with its epochs counted, where it has not ended, and its end not summed them up."""
        if "epochs_trained" in run.data.metrics or "train_loss" not in run.data.metrics:
            return trial
        seconds = {point.step: point.value for point in self._client.get_metric_history(run.info.run_id, "seconds")}
        scores = self.course(run.info.run_id)
        best = max(scores, key=lambda epoch: scores[epoch], default=None)
        return replace(trial, epochs=max(seconds, default=0), seconds=sum(seconds.values()), best_epoch=best)

    def with_courses(self, results: Results, runs: Iterable[Run]) -> Results:
        """Results with what is drawn: the running scores of some trials, the confirmed configs class by class."""
        run_ids = {int(run.data.tags["lt.trial"]): run.info.run_id for run in runs}
        searched = [trial.number for trial in results.shown]
        confirming = [trial.number for trial in results.of_kind("confirm") if trial.stop_reason == "finished"]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            courses = dict(zip(searched, pool.map(lambda n: self.course(run_ids[n]), searched), strict=True))
            texts = pool.map(lambda n: self.text(run_ids[n], "evaluations.json"), confirming)
            found = {n: json.loads(text) for n, text in zip(confirming, texts, strict=True) if text}
        trials = tuple(replace(trial, scores=courses.get(trial.number, {})) for trial in results.trials)
        return replace(results, trials=trials, classes=classes(found))


def _is_whole(run: Run) -> bool:
    """Whether a run has its full length, trained or taken over, and did not diverge."""
    return ended_by(run) == "finished"


def _trial(run: Run, study: Study, stop_reason: str) -> Trial:
    """A run as reports read it, its epochs as its end summed them up."""
    tags, params, metrics = run.data.tags, run.data.params, run.data.metrics
    best_epoch = metrics.get("best_epoch")
    outcomes = {name: metrics[f"{name}_at_best"] for name in judged_by(study) if f"{name}_at_best" in metrics}
    return Trial(
        number=int(tags["lt.trial"]),
        kind=_kind(tags["lt.kind"]),
        role="" if tags["lt.role"] == "none" else tags["lt.role"],
        settings=settings_of(study.space.domains, params),
        seed=int(tags["lt.seed"]),
        config_id=tags["lt.config_id"],
        recipe_id=tags["lt.recipe_id"],
        length=length(run),
        epochs=int(metrics.get("epochs_trained", 0) + metrics.get("epochs_reused", 0)),
        stop_reason=stop_reason,
        score=metrics.get("score"),
        best_epoch=None if best_epoch is None else int(best_epoch),
        reused=tags["lt.stop_reason"] == "reused",
        values={name: value for name, value in metrics.items() if _is_value(name)},
        seconds=metrics.get("device_seconds", 0.0),
        numerics=tags["lt.numerics"],
        error=tags.get("lt.error", ""),
        **judgement(study, metrics.get("score"), outcomes),
    )


def _is_value(metric: str) -> bool:
    return metric.startswith(("val_", "test_")) and not metric.endswith("_at_best")


def _kind(text: str) -> Kind:
    return "confirm" if text == "confirm" else "trial"


def _stop_reason(run: Run, runs: Mapping[str, Run]) -> str:
    """Why a run ended; of a reused one, why that one ended whose epochs it has. Of other studies, whole ones are."""
    reason = run.data.tags["lt.stop_reason"]
    if reason != "reused":
        return reason
    if TWIN in run.data.tags:
        return run.data.tags[TWIN]
    twin = runs.get(run.data.tags.get("lt.reused_from", ""))
    return _stop_reason(twin, runs) if twin else "finished"


def settings_of(domains: Domains, params: Mapping[str, str]) -> dict[str, Setting]:
    """The settings that params spell out; those of an arm under its label only."""
    found: dict[str, Setting] = {}
    for symbol, domain in domains.items():
        setting = _setting(domain, params.get(symbol, "none"))
        if setting is not None:
            found[symbol] = setting
            found |= settings_of(domain.arm(setting).domains, params) if isinstance(domain, Branch) else {}
    return found


def _setting(domain: AnyDomain, text: str) -> Setting | None:
    """A domain's value as it was; None where a param says that the run has none."""
    if isinstance(domain, Choice | Branch):
        return text if text in domain.labels else None
    if text == "none":
        return None
    return int(text) if isinstance(domain, Int) else float(text)
