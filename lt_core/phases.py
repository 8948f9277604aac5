"""Phases: spans of epochs with their own loss, weights and schedule, and the names of the methods they make.

Not here: the whole config (config.py) and which of its parts contradict each other (contradictions.py).
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from lt_core.losses import CrossEntropy, Loss
from lt_core.meta import NoReweighting, Reweighting
from lt_core.optim import SGD, Step
from lt_core.posthoc import PostHoc
from lt_core.value import Value
from lt_core.weights import ClassDifficulty, EffectiveNumber, NoWeights, Weights


class Restart(Value):
    """A training that begins anew in a phase, as classifier re-training does (cRT; Kang et al., ICLR 2020).

    optimizer: takes the place of the config's own; its schedule counts the epochs from the phase's start.
    head: whether the classifier is drawn anew.
    """

    optimizer: SGD = SGD()
    head: bool = True


class Phase(Value):
    """A span of epochs with its own loss, class weights and learning-rate scale; it lasts to the next phase's start.

    `start` counts the epochs before it: T1 = 100 means that epoch 101 is the first. `lr_scale` 0.01 is the drop
    that the IB code makes at T1 (the paper does not mention it); that code has no warm-up after T1 either.

    sampler: `instance`, each image once an epoch; `class_balanced`, as many draws, each from a class drawn uniformly.
    train: `classifier` freezes all before it, batch statistics included.
    """

    start: Annotated[int, Field(ge=0)] = 0
    loss: Loss = CrossEntropy()
    weights: Weights = NoWeights()
    reweighting: Reweighting = NoReweighting()
    sampler: Literal["instance", "class_balanced"] = "instance"
    train: Literal["all", "classifier"] = "all"
    lr_scale: Annotated[float, Field(gt=0)] = 1.0
    warmup: bool = True
    restart: Restart | None = None

    @property
    def reads_meta(self) -> bool:
        """Whether it is trained by means of the meta part."""
        return isinstance(self.weights, ClassDifficulty) or not isinstance(self.reweighting, NoReweighting)


class Span(NamedTuple):
    """The epochs start + 1 to end, under one optimizer."""

    optimizer: SGD
    start: int
    end: int

    def learning_rate(self, epoch: int, done: float, *, warmup: bool) -> float:
        """The learning rate of an epoch (from 1) of the whole training, before the phase's own scale."""
        return self.optimizer.learning_rate(epoch - self.start, self.end - self.start, done=done, warmup=warmup)

    def empty_levels(self) -> list[str]:
        """The learning-rate levels that hold no epoch, in words."""
        if not isinstance(self.optimizer.schedule, Step):
            return []
        length = self.end - self.start
        levels = pairwise([0, *self.optimizer.schedule.milestones, length])
        where = f" from epoch {self.start + 1} on" if self.start else ""
        return [f"learning-rate level {i}{where}" for i, (a, b) in enumerate(levels, 1) if a >= min(b, length)]


def method_name(phases: Sequence[Phase], post_hoc: PostHoc, *, mixup: bool) -> str:
    """The method that some phases make: the last one's loss, and what is added to it."""
    last = phases[-1]
    if last.restart and last.train == "classifier":
        name = "cRT"
    else:
        deferred = len(phases) > 1 and phases[-2].loss == last.loss
        name = _with_sampler(_with_weights(last, deferred), last, deferred)
    reweighting = last.reweighting.symbol
    if reweighting and name == "CE":  # their papers' names are of CE
        name, reweighting = reweighting, ""
    return "+".join(part for part in (name, reweighting, "mixup" if mixup else "", post_hoc.symbol) if part)


def _with_weights(phase: Phase, deferred: bool) -> str:
    loss, weights = phase.loss.symbol, phase.weights.symbol
    own = "IFW" if loss.startswith("IB") else ""
    if weights == own:
        return loss
    if weights == "CDB":
        return f"CDB-{loss}"
    if deferred and weights:
        return f"{loss}-DRW" if isinstance(phase.weights, EffectiveNumber) else f"{loss}-DRW+{weights}"
    return f"{loss}+{weights or 'unweighted'}"


def _with_sampler(name: str, phase: Phase, deferred: bool) -> str:
    if phase.sampler == "instance":
        return name
    return f"{name}-DRS" if deferred else f"{name}+RS"
