"""A study: one search as a value, a space and how to search it. `study.yaml` in a study's folder is one."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from lt_core.config import TrainConfig, canonical, scaled_epochs
from lt_core.value import Value
from search_spaces.space import Setting, Space


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
            raise ValueError(f"rungs must rise, but are {list(self.epochs)}")
        return self

    def of(self, config: TrainConfig) -> list[int]:
        """The rungs of one trial, as its own epochs; those at or past its end compare nothing and are left out."""
        offset = canonical(config).phases[-1].start if self.since == "switch" else 0
        return [offset + epoch for epoch in self.epochs if offset + epoch < config.epochs]


class Study(Value):
    """One search: the space, how many trials, the sampler, the rungs, resources per trial, seeds, confirmation.

    rungs: null puts them at one and two thirds of the span between the space's last possible switch and the end;
        an empty list of epochs turns early stopping off.
    seed: drives the sampler; all trials train with the base config's seed.
    confirm: fresh seeds on which the best config, the paper's setting and plain CE are trained after the search.
    concurrent: trials at a time; null is as many as the cluster holds.
    gpus: per trial; null is one if the cluster has any, else none.
    first: points that are tried right after the paper's setting.
    """

    space: Space
    trials: Annotated[int, Field(ge=1)] = 16
    sampler: Literal["tpe", "random"] = "tpe"
    rungs: Rungs | None = None
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    confirm: Annotated[int, Field(ge=0)] = 5
    concurrent: Annotated[int, Field(ge=1)] | None = None
    cpus: Annotated[float, Field(gt=0)] = 1.0
    gpus: Annotated[float, Field(ge=0)] | None = None
    first: tuple[dict[str, Setting], ...] = ()

    @model_validator(mode="after")
    def _can_be_searched(self) -> "Study":
        if any(config.data.has_val is False for config in _extremes(self.space)):
            raise ValueError("space.base.data.val_per_class is 0; a search needs validation images to choose by")
        for point in self.first:
            self.space.point(point)
        if self.trials <= len(self.first):
            raise ValueError(f"trials is {self.trials}; the paper's setting and `first` are {1 + len(self.first)}")
        if self.rungs is not None and self.rungs.since == "start":
            self._check_rungs(self.rungs)
        return self

    def scaled(self, factor: float) -> "Study":
        """The study with all that is measured in epochs scaled: the space, the rungs, the points tried first."""
        space = self.space.scaled(factor)
        plain = {**self.plain(), "space": space.plain()}
        if self.rungs is not None:
            plain["rungs"]["epochs"] = sorted({scaled_epochs(epoch, factor) for epoch in self.rungs.epochs})
        plain["first"] = [self.space.scaled_point(point, factor) for point in self.first]
        return Study.parse(plain)

    def _check_rungs(self, rungs: Rungs) -> None:
        switch, end = last_switch(self.space), self.space.base.epochs
        wrong = next((epoch for epoch in rungs.epochs if not switch < epoch < end), None)
        if wrong is not None:
            raise ValueError(
                f"a rung at epoch {wrong} cannot compare: trials may switch phase as late as after epoch {switch} "
                f"and end at {end}; rungs must lie between them"
            )

    @property
    def points(self) -> list[dict[str, Setting]]:
        """The points tried before the sampler is asked: the paper's setting is always trial 0."""
        return [self.space.paper, *(self.space.point(point) for point in self.first)]

    @property
    def effective_rungs(self) -> Rungs:
        """The rungs as given, or the default ones; without any if the span after the last switch is under 3 epochs."""
        return self.rungs if self.rungs is not None else Rungs(epochs=_default_rungs(self.space))


def last_switch(space: Space) -> int:
    """The last epoch after which a trial of this space may still change phase."""
    return max(min(phase.start, config.epochs - 1) for config in _extremes(space) for phase in config.phases)


def _extremes(space: Space) -> list[TrainConfig]:
    """The base config, and those with one domain at one of its ends."""
    ends = [{symbol: end} for symbol, domain in space.domains.items() for end in domain.ends()]
    return [space.base, *(space.config(end) for end in ends)]


def _default_rungs(space: Space) -> tuple[int, ...]:
    switch = last_switch(space)
    span = space.base.epochs - switch
    return (switch + round(span / 3), switch + round(2 * span / 3)) if span >= 3 else ()
