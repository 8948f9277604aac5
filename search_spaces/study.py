"""A study: one search as a value, a space and how to search it. `study.yaml` in a study's folder is one."""

import re
from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from lt_core.config import TrainConfig, canonical, scaled_epochs
from lt_core.value import InputError, Value, short, wrong_at, wrong_first
from search_spaces.domains import Branch, Choice, Setting, everywhere
from search_spaces.samplers import SAMPLERS, SamplerName
from search_spaces.space import Space

TRIALS = 16  # where the study says nothing else


def _of_val(name: str) -> str:
    if not re.fullmatch(r"score|val_acc(_[a-z]+)?", name):
        raise ValueError(f"{name!r} is nothing that a trial is judged by: score, val_acc, val_acc_tail and the like")
    return name


Metric = Annotated[str, AfterValidator(_of_val)]
"""What a trial is judged by: `score`, or a val metric, read at the epoch of the score."""
Accuracy = Annotated[float, Field(ge=0, le=1)]


class Rungs(Value):
    """Where early stopping compares trials: at these epochs, or at these epochs `since` each trial's own switch.

    A trial goes on past a rung if its score is among the best 1/reduction_factor of those that reached the rung
    before it (asynchronous successive halving; Li et al., MLSys 2020).
    """

    epochs: tuple[Annotated[int, Field(ge=1)], ...]
    since: Literal["start", "switch"] = "start"
    reduction_factor: Annotated[int, Field(ge=2)] = 2

    @model_validator(mode="after")
    def _rise(self) -> "Rungs":
        if list(self.epochs) != sorted(set(self.epochs)):
            raise wrong_at("epochs", f"rungs must rise, but are {list(self.epochs)}")
        return self

    def of(self, config: TrainConfig) -> list[int]:
        """The rungs of one trial, as its own epochs; those at or past its end compare nothing and are left out."""
        offset = canonical(config).phases[-1].start if self.since == "switch" else 0
        return [offset + epoch for epoch in self.epochs if offset + epoch < config.epochs]


class Constraint(Value):
    """An outcome that a trial must have to be eligible: a val metric at the epoch of its score, at least or at most."""

    metric: Metric
    at_least: Accuracy | None = None
    at_most: Accuracy | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> "Constraint":
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError(f"{self.metric} needs one of at_least and at_most")
        return self

    def violation(self, value: float) -> float:
        """By how much a value breaks it; 0 or below is within it."""
        return value - self.at_most if self.at_most is not None else (self.at_least or 0.0) - value

    def __str__(self) -> str:
        return (
            f"{self.metric} <= {self.at_most:g}" if self.at_most is not None else f"{self.metric} >= {self.at_least:g}"
        )


class Budget(Value):
    """When a search ends, beside its trials: whichever comes first. The confirmation is not part of it.

    wall_hours: while a driver runs. device_hours: the seconds of all epochs, by the share of a device that a trial
    has. epochs: trained, reused ones not counted.
    """

    wall_hours: Annotated[float, Field(gt=0)] | None = None
    device_hours: Annotated[float, Field(gt=0)] | None = None
    epochs: Annotated[int, Field(ge=1)] | None = None


class Known(Value):
    """A finished trial of an earlier study, from which the sampler may learn: a point and its objectives' values.

    violations: by how much it breaks each constraint, by the constraint's text; one that is not named is kept.
    """

    settings: dict[str, Setting]
    values: tuple[float, ...]
    violations: dict[str, float] = Field(default_factory=dict)


class Study(Value):
    """One search: the space, how many trials, the sampler, the rungs, resources per trial, seeds, confirmation.

    trials: null is 16, or all points of a grid.
    per_branch: instead of `trials`: that many for each label of the space's one branch, each with its own sampler.
    batch: ask for so many, wait for all; the study is then the same however many run at a time.
    levels: a grid's values per number.
    objectives: the first is the primary one; with several there is no early stopping.
    rungs: null puts them at one and two thirds of the span between the space's last possible switch and the end;
        an empty list of epochs turns early stopping off.
    seed: drives the sampler; all trials train with the base config's seed.
    confirm: fresh seeds on which the `confirm_top` best configs, the paper's setting and plain CE are trained.
    resample: fresh seeds draw other training images, too. confirm_full: the winner is trained on the literature's exact
        subset as well, without val, and judged by its last epoch.
    concurrent: trials at a time; null is as many as the cluster holds.
    gpus: per trial; null is one if the cluster has any, else none.
    system_metrics: whether CPU, memory and GPU are recorded, too, a sample an epoch.
    first: points that are tried right after the paper's setting. known: results of an earlier study.
    """

    space: Space
    trials: Annotated[int, Field(ge=1)] | None = None
    per_branch: Annotated[int, Field(ge=1)] | None = None
    sampler: SamplerName = "tpe"
    levels: Annotated[int, Field(ge=2)] = 5
    batch: Annotated[int, Field(ge=1)] | None = None
    objectives: Annotated[tuple[Metric, ...], Field(min_length=1)] = ("score",)
    constraints: tuple[Constraint, ...] = ()
    budget: Budget = Budget()
    rungs: Rungs | None = None
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    confirm: Annotated[int, Field(ge=0)] = 5
    confirm_top: Annotated[int, Field(ge=1)] = 3
    confirm_full: bool = False
    resample: bool = False
    concurrent: Annotated[int, Field(ge=1)] | None = None
    cpus: Annotated[float, Field(gt=0)] = 1.0
    gpus: Annotated[float, Field(ge=0)] | None = None
    system_metrics: bool = False
    first: tuple[dict[str, Setting], ...] = ()
    known: tuple[Known, ...] = ()

    @classmethod
    def parse(cls, data: object) -> Self:
        """As of every value; a name in place of the space is told what works."""
        if isinstance(data, dict) and isinstance(name := data.get("space"), str):
            raise InputError(
                f"`space` is the name {short(name)}; a study's file holds its space whole, as a mapping, and a space "
                "that ships is searched without a file: `lt-tune search NAME`, with options",
                "space",
            )
        return super().parse(data)

    @field_validator("sampler", mode="before")
    @classmethod
    def _not_pbt(cls, name: object) -> object:
        if str(name).lower() in ("pbt", "pb2"):
            raise ValueError(f"{name} changes a config while it trains, so nothing could be exported or trained again")
        return name

    @model_validator(mode="after")
    def _can_be_searched(self) -> "Study":
        if any(config.data.has_val is False for config in self.space.extremes()):
            raise wrong_first("space.base.data.val_per_class is 0; a search needs validation images to choose by")
        if self.rungs and self.rungs.since == "switch" and self.rungs.epochs:
            self._check_reached(self.rungs)
        for i, known in enumerate(self.known):
            if len(known.values) != len(self.objectives):
                raise wrong_first(f"known.{i}.values must be one for each of: {', '.join(self.objectives)}")
        self._check_points()
        self._check_trials()
        self._check_sampler()
        self._check_rungs()
        return self

    def _check_points(self) -> None:
        """What is tried first and what is known must be points of the space."""
        points = {f"first.{i}": point for i, point in enumerate(self.first)}
        points |= {f"known.{i}.settings": known.settings for i, known in enumerate(self.known)}
        for path, point in points.items():
            try:
                self.space.point(point)
            except InputError as error:
                raise wrong_at(path, f"{path}: {error}") from None

    def _check_trials(self) -> None:
        if self.per_branch is not None:
            if self.trials is not None:
                raise wrong_first("per_branch and trials say the same: give one of them")
            if self.branch is None:
                raise wrong_first(f"per_branch needs a space with one branch; {self.space.name} has none, or several")
            if self.sampler == "grid":
                raise wrong_first("sampler is grid, which tries all points of every branch: leave out per_branch")
            for label in self.branch[1].labels:
                own = sum(point[self.branch[0]] == label for point in self._given)
                if own > self.per_branch:
                    raise wrong_first(
                        f"per_branch is {self.per_branch}; {own} points under {self.branch[0]}={label} are given "
                        "(the paper's setting, the label's own values and `first`)"
                    )
        if self.wanted < len(self._given):
            raise wrong_first(f"trials is {self.wanted}; the paper's setting and `first` are {len(self._given)}")

    def _check_reached(self, rungs: Rungs) -> None:
        if not any(rungs.of(config) for config in self.space.extremes()):
            raise wrong_first(
                f"rungs.epochs is {list(rungs.epochs)} since the switch; no trial trains past the first of them"
            )

    def _check_sampler(self) -> None:
        traits = SAMPLERS[self.sampler]
        domains = dict(found for space in self.arms.values() for found in everywhere(space.domains))
        label = next((s for s, d in domains.items() if isinstance(d, Choice | Branch)), None)
        branch = next((s for s, d in domains.items() if isinstance(d, Branch)), None)
        if label and not traits.labels:
            raise wrong_first(
                f"sampler is {self.sampler}, which searches numbers only, but {label} has labels: use tpe"
            )
        if branch and not traits.branches:
            raise wrong_first(
                f"sampler is {self.sampler}, which draws at random what exists only under a label of {branch}: "
                f"use tpe{', or per_branch' if self.per_branch is None else ''}"
            )
        if len(self.objectives) > 1 and not traits.objectives:
            raise wrong_first(f"sampler is {self.sampler}, which takes one objective, not {len(self.objectives)}")
        if len(set(self.objectives)) < len(self.objectives):
            raise wrong_first(f"objectives must differ, but are {', '.join(self.objectives)}")

    def _check_rungs(self) -> None:
        if self.rungs is None or not self.rungs.epochs:
            return
        if len(self.objectives) > 1:
            raise wrong_first("rungs compare one score, but there are several objectives: leave out the rungs")
        if self.rungs.since == "switch":
            return
        switch, end = last_switch(self.space), self.space.base.epochs
        for i, epoch in enumerate(self.rungs.epochs):
            if not switch < epoch < end:
                raise wrong_at(
                    f"rungs.epochs.{i}",
                    f"a rung at epoch {epoch} cannot compare: trials may switch phase as late as after epoch {switch} "
                    f"and end at {end}; rungs must lie between them",
                )

    def scaled(self, factor: float) -> "Study":
        """The study with all that is measured in epochs scaled: the space, the rungs, the points tried first."""
        space = self.space.scaled(factor)
        plain = {**self.plain(), "space": space.plain()}
        if self.rungs is not None:
            plain["rungs"]["epochs"] = sorted({scaled_epochs(epoch, factor) for epoch in self.rungs.epochs})
        plain["first"] = [self.space.scaled_point(point, factor) for point in self.first]
        return Study.parse(plain)

    @property
    def branch(self) -> tuple[str, Branch] | None:
        """The space's outermost branch and its symbol, where there is exactly one."""
        found = [(symbol, d) for symbol, d in self.space.domains.items() if isinstance(d, Branch)]
        return found[0] if len(found) == 1 else None

    @property
    def arms(self) -> dict[str, Space]:
        """The spaces that have a sampler each: with per_branch one for each label, else the whole under ''."""
        if self.per_branch is None or self.branch is None:
            return {"": self.space}
        symbol, branch = self.branch
        return {label: self.space.fixed({symbol: label}) for label in branch.labels}

    @property
    def wanted(self) -> int:
        """How many trials the search is for, unless it ends before."""
        if self.per_branch is not None and self.branch is not None:
            return self.per_branch * len(self.branch[1].labels)
        if self.sampler == "grid":
            return min(self.trials or len(self.points), len(self.points))
        return self.trials or TRIALS

    @property
    def confirming(self) -> int:
        """How many trainings confirm, at most: the top configs, the paper's setting, plain CE, the exact subset."""
        return (min(self.confirm_top, self.wanted) + 2 + self.confirm_full) * self.confirm

    @property
    def points(self) -> list[dict[str, Setting]]:
        """The points tried without asking the sampler: the paper's setting is always trial 0, a grid's come last."""
        grid = self.space.grid(self.levels) if self.sampler == "grid" else []
        return [*self._given, *(point for point in grid if point not in self._given)]

    @property
    def _given(self) -> list[dict[str, Setting]]:
        """The paper's setting, `first` and, with per_branch, every label with its own values."""
        given = [self.space.paper, *(self.space.point(point) for point in self.first)]
        if self.per_branch is None or self.branch is None:
            return given
        symbol, branch = self.branch
        return given + [p for label in branch.labels if (p := self.space.point({symbol: label})) not in given]

    @property
    def effective_rungs(self) -> Rungs:
        """The rungs as given, or the default ones; without any if the span after the last switch is under 3 epochs."""
        if len(self.objectives) > 1:
            return Rungs(epochs=())
        return self.rungs if self.rungs is not None else Rungs(epochs=_default_rungs(self.space))

    def notes(self) -> Iterator[str]:
        """What a user should know of it beforehand, in words."""
        traits = SAMPLERS[self.sampler]
        if not self.effective_rungs.epochs:
            why = (
                "it would compare one of several objectives"
                if len(self.objectives) > 1
                else "no epoch between the last possible phase switch and the end to compare at"
            )
            yield f"no early stopping: {'it is turned off' if self.rungs and not self.rungs.epochs else why}"
        elif traits.adapts and not traits.sees_stopped:
            yield f"sampler {self.sampler} learns nothing from early-stopped trials: use tpe, or turn rungs off"
        if self.constraints and traits.adapts and not traits.constraints:
            yield f"sampler {self.sampler} does not heed constraints; they decide which trial is best all the same"
        if self.known and (not traits.adapts or traits.stateful):
            yield f"sampler {self.sampler} learns nothing from the earlier study"
        if self.sampler != "grid" and self.levels != type(self).model_fields["levels"].default:
            yield f"levels is {self.levels}, which sampler {self.sampler} does not use: it is a grid's"
        if self.sampler == "grid" and self.wanted < len(self.points):
            yield f"the grid has {len(self.points)} points, of which the first {self.wanted} are tried"
        if self.sampler == "grid" and (self.trials or 0) > self.wanted:
            yield f"the grid has {self.wanted} points: with these the search ends, before its {self.trials} trials"


def last_switch(space: Space) -> int:
    """The last epoch after which a trial of this space may still change phase."""
    return max(min(phase.start, config.epochs - 1) for config in space.extremes() for phase in config.phases)


def _default_rungs(space: Space) -> tuple[int, ...]:
    switch = last_switch(space)
    span = space.base.epochs - switch
    return (switch + round(span / 3), switch + round(2 * span / 3)) if span >= 3 else ()
