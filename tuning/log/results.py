"""A study as far as it went, as plain values: what the event log and the record both give, and reports read.

Not here: reading the record (record), tables and figures (reports).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, TypeVar

from search_spaces.space import Setting
from search_spaces.study import Study
from tuning.log.events import History, Kind, TrialRecord
from tuning.log.outcome import dominates, feasible, judged, metric

MOST_CURVES = 100  # whose course is drawn, and hence read from the record


@dataclass(frozen=True)
class Trial:
    """One training of a study, searched or confirming.

    settings: the space's symbols that it has. length: the epochs of a whole training; epochs: those that it has.
    stop_reason: why it ended, a reused one like its twin; `running`, or `interrupted` where its study ended before it.
    judged: what its study judges it by, at the epoch of its score: `score`, other objectives, what constraints name.
    objectives: their values, the primary one first; empty where one is missing. feasible: within the constraints.
    values: the last value of each val metric (val_acc, val_acc_tail, ...), and those of its end (test_acc, ...).
    scores: the running score by epoch, from the last phase on; the record gives it of the trials that are drawn only.
    seconds: of all its epochs.
    numerics: what its numbers depend on: device, threads, precision; `none` before its first epoch.
    """

    number: int
    kind: Kind
    role: str
    settings: Mapping[str, Setting]
    seed: int
    config_id: str
    recipe_id: str
    length: int
    epochs: int
    stop_reason: str
    score: float | None
    best_epoch: int | None
    reused: bool = False
    judged: Mapping[str, float] = field(default_factory=dict)
    objectives: tuple[float, ...] = ()
    feasible: bool = True
    values: Mapping[str, float] = field(default_factory=dict)
    scores: Mapping[int, float] = field(default_factory=dict)
    seconds: float = 0.0
    numerics: str = "none"
    error: str = ""

    @property
    def state(self) -> str:
        """Why it ended, in words."""
        if self.stop_reason == "finished" and not self.feasible:
            return "outside constraints"
        return "reused" if self.reused else self.stop_reason.replace("_", " ")


@dataclass(frozen=True)
class Classes:
    """The test accuracy of each class, by the number of the trial; None of a class without a test image."""

    names: tuple[str, ...]
    train_images: tuple[int, ...]
    accuracy: Mapping[int, tuple[float | None, ...]]


@dataclass(frozen=True)
class Results:
    """A study's trainings by number.

    ended: it ended by itself, and does not go on. tags: what identifies it. remarks: what its driver said at its end.
    classes: of the confirming runs, where they were evaluated class by class.
    """

    name: str
    study: Study
    command: str
    trials: tuple[Trial, ...]
    ended: bool
    tags: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    classes: Classes | None = None

    def of_kind(self, kind: Kind) -> list[Trial]:
        """The trainings of a kind, by number."""
        return [trial for trial in self.trials if trial.kind == kind]

    @cached_property
    def ranked(self) -> list[Trial]:
        """The searched trials: those of full length by the first objective, best first, then those outside the
        constraints, then the others as they were asked for."""
        return sorted(ranked(self.of_kind("trial")), key=_place)

    @property
    def able(self) -> list[Trial]:
        """The trials of full length within the constraints, best first."""
        return [trial for trial in self.ranked if trial.stop_reason == "finished" and trial.feasible]

    @property
    def best(self) -> Trial | None:
        """The first of them."""
        return next(iter(self.able), None)

    @cached_property
    def front(self) -> list[Trial]:
        """Those than which no other is better in one objective and as good in all, best first."""
        able = [
            trial for trial in self.ranked if trial.stop_reason == "finished" and trial.feasible and trial.objectives
        ]
        return [t for t in able if not any(dominates(other.objectives, t.objectives) for other in able)]

    @cached_property
    def shown(self) -> list[Trial]:
        """The searched trials whose course is drawn: all, or every n-th where they are over 100."""
        trials = self.of_kind("trial")
        return trials[:: -(-len(trials) // MOST_CURVES) or 1]

    @cached_property
    def top(self) -> list[Trial]:
        """The configs that the search found, best first: of full length, each once, without the paper's setting."""
        seen = {trial.recipe_id for trial in self.of_kind("trial") if trial.role == "paper"}
        found: list[Trial] = []
        for trial in self.able:
            if trial.recipe_id not in seen:
                seen.add(trial.recipe_id)
                found.append(trial)
        return found


def _place(trial: Trial) -> tuple[int, float]:
    """Which part of a leaderboard a trial stands in, and how far up."""
    if trial.stop_reason != "finished":
        return 2, 0.0
    return (0 if trial.feasible else 1), -trial.objectives[0] if trial.objectives else 0.0


def judgement(study: Study, score: float | None, outcomes: Mapping[str, float]) -> dict[str, Any]:
    """The fields of a trial that say how its study judges it; `outcomes` are those beside the score."""
    found = {**({} if score is None else {"score": score}), **outcomes}
    values = tuple(found[name] for name in study.objectives if name in found)
    whole = values if len(values) == len(study.objectives) else ()
    return {"judged": found, "objectives": whole, "feasible": feasible(study, found)}


class Ranked(Protocol):
    """What can be ranked: a trial, as the log, the record or a report has it."""

    @property
    def number(self) -> int:
        """Its place in the order of asking."""
        ...

    @property
    def score(self) -> float | None:
        """What it is ranked by; None before its last phase."""
        ...

    @property
    def stop_reason(self) -> str:
        """Only `finished` is ranked: a score of fewer epochs is another thing."""
        ...


T = TypeVar("T", bound=Ranked)


def ranked(trials: Iterable[T]) -> list[T]:
    """Trials of full length by score, best first, the earlier of equals before; then the others by number."""
    in_order = sorted(trials, key=lambda trial: trial.number)
    full = [trial for trial in in_order if trial.stop_reason == "finished"]
    best_first = sorted(full, key=lambda trial: -_score(trial))
    return best_first + [trial for trial in in_order if trial.stop_reason != "finished"]


def best(trials: Iterable[T]) -> T | None:
    """The trial of full length with the best score, the first of them where several have it."""
    return next((trial for trial in ranked(trials) if trial.stop_reason == "finished"), None)


def best_trial(study: Study, history: History) -> TrialRecord | None:
    """The trial of full length, within the constraints, that is best in the first objective, the first of equals."""
    full = [trial for trial in history.of_kind("trial") if trial.stop_reason == "finished"]
    able = [trial for trial in full if feasible(study, {"score": trial.score, **judged(study, trial)})]
    return max(able, key=lambda trial: metric(trial, study.objectives[0]) or 0.0, default=None)


def _score(trial: Ranked) -> float:
    assert trial.score is not None  # a whole training has one
    return trial.score


def of_history(name: str, study: Study, history: History) -> Results:
    """What an event log says."""
    command = history.started.command if history.started else ""
    over = history.ended is not None
    trials = tuple(_trial(study, history.trials[n], over=over) for n in sorted(history.trials))
    ended = history.ended is not None and history.ended.stop_reason == "finished"
    tags = history.started.tags if history.started else {}
    told = {trial.number: trial.told.evaluations for trial in history.of_kind("confirm") if trial.told}
    return Results(name, study, command, trials, ended, tags, classes=classes(told))


def classes(evaluations: Mapping[int, Mapping[str, Any]]) -> Classes | None:
    """What evaluations (evaluations.py) by trial say of each class at the epoch that val chose, or else at the last."""
    known = {number: found for number, found in evaluations.items() if found}
    if not known:
        return None
    first = next(iter(known.values()))
    tests = {number: found["test"] for number, found in known.items()}
    accuracy = {number: tuple(test.get("best_val", test["last"])["class_acc"]) for number, test in tests.items()}
    return Classes(tuple(first["classes"]), tuple(first["train_images"]), accuracy)


def _trial(study: Study, trial: TrialRecord, *, over: bool) -> Trial:
    asked, told, last = trial.asked, trial.told, trial.last
    results = [epoch.result for epoch in trial.epochs]
    val = {f"val_{name}": value for result in results for name, value in result["val"].items()}  # the last counts
    return Trial(
        number=asked.trial,
        kind=asked.kind,
        role=asked.role,
        settings=asked.settings,
        seed=trial.config.seed,
        config_id=trial.config.id,
        recipe_id=trial.config.recipe_id,
        length=trial.config.epochs,
        epochs=len(results),
        stop_reason="interrupted" if told is None and over else trial.stop_reason,
        score=last["score"],
        best_epoch=last["best_epoch"],
        reused=told is not None and told.reused_from is not None,
        values={**val, **(told.test if told else {})},
        scores={result["epoch"]: result["score"] for result in results if result["score"] is not None},
        seconds=sum(result["seconds"] for result in results),
        numerics=trial.epochs[-1].numerics if trial.epochs else "none",
        error=told.error if told else "",
        **judgement(study, last["score"], judged(study, trial) if told else {}),
    )
