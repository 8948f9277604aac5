"""The best configs of a study in the record: trials of full length by score, and what each recipe did on fresh seeds.

Reads only the runs that it needs, so that a study of thousands of trials is nearly as quick as one of ten.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from lt_core.config import TrainConfig
from lt_core.value import InputError, unknown
from search_spaces.space import Setting
from search_spaces.study import Study
from tuning.log.outcome import dominates, feasible, judged_by
from tuning.record.reading import Record, settings_of
from tuning.record.runs import RecordedRun
from tuning.reports.confirmation import CONTROL, EXACT
from tuning.reports.statistics import paired_difference

BY = ("score", "confirmed")  # what ranks configs
FRESH = ("score", "test_acc", "test_acc_macro")  # what is read of confirming runs


@dataclass(frozen=True)
class Winner:
    """One of the best configs: its run in the search, and what the same recipe did on fresh seeds.

    fresh: metric -> seed -> value, of `score` (val), `test_acc` and, where that chooses, `test_acc_macro`.
    diverged: the fresh seeds that did, and have no values.
    """

    rank: int
    run: RecordedRun
    config: TrainConfig
    settings: Mapping[str, Setting]
    fresh: Mapping[str, Mapping[int, float]]
    diverged: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """best, best-2, ..."""
        return "best" if self.rank == 1 else f"best-{self.rank}"

    @property
    def trial(self) -> int:
        """Its number in the study."""
        return int(self.run.tags["lt.trial"])

    @property
    def score(self) -> float:
        """The search's."""
        return self.run.metrics["score"]

    @property
    def best_epoch(self) -> int:
        """The epoch of the score."""
        return int(self.run.metrics["best_epoch"])

    def identity(self, name: str) -> str:
        """config_id, recipe_id, data_id, core_id or numerics of its run."""
        return self.run.tags[f"lt.{name}"]

    def document(self) -> dict[str, Any]:
        """As plain data: identities, score, and mean, deviation and 95 % t interval over fresh seeds."""
        names = ("config_id", "recipe_id", "data_id", "core_id", "numerics")
        return {
            "rank": self.rank,
            "trial": self.trial,
            "run_id": self.run.run_id,
            **{name: self.identity(name) for name in names},
            "seed": self.config.seed,
            "settings": dict(self.settings),
            "score": self.score,
            "best_epoch": self.best_epoch,
            "confirmed": {metric: summary(values) for metric, values in self.fresh.items()} or None,
            "diverged": list(self.diverged),
        }


def summary(values: Mapping[int, float]) -> dict[str, Any]:
    """Mean, standard deviation and 95 % t interval, cut to [0, 1], of accuracies by seed; of one seed only the mean."""
    found = paired_difference(values, dict.fromkeys(values, 0.0))
    spread = {"std": found.deviation, "low": max(0.0, found.low), "high": min(1.0, found.high)} if found else {}
    by_seed = {str(seed): values[seed] for seed in sorted(values)}
    return {"mean": sum(values.values()) / len(values), **spread, "by_seed": by_seed}


@dataclass(frozen=True)
class Winners:
    """The best configs of one study, best first. `experiment` is its space's name, `run_id` the study's own run.

    objectives: what it chose by, the first of them first. constraints: in words. by: what ranks them, one of BY.
    """

    study: str
    study_id: str
    run_id: str
    experiment: str
    experiment_id: str
    objectives: tuple[str, ...]
    constraints: tuple[str, ...]
    best: tuple[Winner, ...]
    by: str = "score"


def winners(uri: str, name: str, top: int, by: str = "score") -> Winners:
    """The `top` best configs of the newest study of a name in the record, within its constraints; each config once.

    Of several objectives only those on the Pareto front, the best in the first objective first. `by` is one of BY: the
    search's score, or the mean score on fresh seeds, of those configs that have one on all of them. InputError where
    the record has no such study, or none of its trials can be ranked.
    """
    if by not in BY:
        raise unknown("--by", by, BY)
    record = Record(uri)
    parent = record.newest(name)
    study = record.study(parent)
    trials, confirming = record.whole_trials(parent, _key(study.objectives[0])), record.confirming(parent)
    best = _best(trials, study, top) if by == "score" else _confirmed(_best(trials, study), confirming)[:top]
    if not best:
        within = f" within {' and '.join(map(str, study.constraints))}" if study.constraints else ""
        missing = "trial of full length" if by == "score" else "config that is confirmed on fresh seeds"
        raise InputError(f"study {name} has no {missing}{within} to export yet")
    return Winners(
        study=name,
        study_id=parent.data.tags["lt.study_id"],
        run_id=parent.info.run_id,
        experiment=record.experiment(parent),
        experiment_id=parent.info.experiment_id,
        objectives=study.objectives,
        constraints=tuple(map(str, study.constraints)),
        best=tuple(_winner(rank, run, record, study, confirming) for rank, run in enumerate(best, 1)),
        by=by,
    )


def _winner(rank: int, run: RecordedRun, record: Record, study: Study, confirming: Sequence[RecordedRun]) -> Winner:
    settings = settings_of(study.space.domains, run.params)
    own = [each for each in confirming if _confirms(each, run)]
    diverged = sorted(int(each.tags["lt.seed"]) for each in own if each.stop_reason == "diverged")
    return Winner(rank, run, record.config(run.run_id), settings, _fresh(own), tuple(diverged))


def _confirmed(ranked: Sequence[RecordedRun], confirming: Sequence[RecordedRun]) -> list[RecordedRun]:
    """Those that have a score on as many fresh seeds as any, the best mean first."""
    found = [_fresh(each for each in confirming if _confirms(each, run)).get("score", {}) for run in ranked]
    seeds = max(map(len, found), default=0)
    means = {i: fmean(scores.values()) for i, scores in enumerate(found) if scores and len(scores) == seeds}
    return [ranked[i] for i in sorted(means, key=means.__getitem__, reverse=True)]


def _best(trials: Iterable[RecordedRun], study: Study, top: int = sys.maxsize) -> list[RecordedRun]:
    """The best of trials that come by the first objective, each config once, the earlier of equals first."""
    several, key = len(study.objectives) > 1, _key(study.objectives[0])
    able: list[RecordedRun] = []
    configs: set[str] = set()
    for run in trials:
        if not several and len(configs) >= top and run.metrics[key] < able[-1].metrics[key]:
            break  # all that tie with the last one are here
        if all(_key(name) in run.metrics for name in study.objectives) and feasible(study, _judged(run, study)):
            able.append(run)
            configs.add(run.tags["lt.config_id"])
    once: dict[str, RecordedRun] = {}
    for run in sorted(able, key=lambda run: (-run.metrics[key], int(run.tags["lt.trial"]))):
        once.setdefault(run.tags["lt.config_id"], run)
    found = list(once.values())
    return (_front(found, study) if several else found)[:top]


def _front(runs: Sequence[RecordedRun], study: Study) -> list[RecordedRun]:
    """Those than which no other is better in one objective and as good in all."""
    values = [[run.metrics[_key(name)] for name in study.objectives] for run in runs]
    return [run for run, own in zip(runs, values, strict=True) if not any(dominates(other, own) for other in values)]


def _judged(run: RecordedRun, study: Study) -> dict[str, float]:
    """What a trial came to in the metrics that its study judges by."""
    names = ["score", *judged_by(study)]
    return {name: run.metrics[_key(name)] for name in names if _key(name) in run.metrics}


def _key(metric: str) -> str:
    """Under which key the record has a metric at the epoch of the score."""
    return metric if metric == "score" else f"{metric}_at_best"


def _confirms(run: RecordedRun, trial: RecordedRun) -> bool:
    """Whether a run is of a trial's config: of equal params, as other training images change its recipe."""
    return run.tags["lt.role"] not in (CONTROL, EXACT) and _seedless(run.params) == _seedless(trial.params)


def _fresh(confirming: Iterable[RecordedRun]) -> dict[str, dict[int, float]]:
    """Metric -> seed -> value of one config's confirming runs that finished."""
    found: dict[str, dict[int, float]] = {}
    for run in (run for run in confirming if run.stop_reason == "finished"):
        for metric in (name for name in FRESH if name in run.metrics):
            found.setdefault(metric, {})[int(run.tags["lt.seed"])] = run.metrics[metric]
    return found


def _seedless(params: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in params.items() if name != "seed"}
