"""TrainConfig: the complete description of one training, seed included, and its identity.

Not here: the parts (each stands in its own module) and anything that trains.
"""

import hashlib
import json
import math
import re
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from lt_core.data import Data
from lt_core.losses import CrossEntropy, Loss
from lt_core.models import Model
from lt_core.optim import SGD, Step
from lt_core.value import InputError, Value, override, paths, value_at
from lt_core.weights import NoWeights, Weights


class Phase(Value):
    """A span of epochs with its own loss, class weights and learning-rate scale; it lasts to the next phase's start.

    `start` counts the epochs before it: T1 = 100 means that epoch 101 is the first. `lr_scale` 0.01 is the drop
    that the IB code makes at T1 (the paper does not mention it); that code has no warm-up after T1 either.
    """

    start: Annotated[int, Field(ge=0)] = 0
    loss: Loss = CrossEntropy()
    weights: Weights = NoWeights()
    lr_scale: Annotated[float, Field(gt=0)] = 1.0
    warmup: bool = True


class TrainConfig(Value):
    """One training. `precision: bf16` runs the network under autocast; `channels_last` is its memory layout."""

    data: Data
    model: Model
    optimizer: SGD = SGD()
    batch_size: Annotated[int, Field(ge=1)] = 128
    epochs: Annotated[int, Field(ge=1)] = 200
    phases: Annotated[tuple[Phase, ...], Field(min_length=1)] = (Phase(),)
    precision: Literal["fp32", "bf16"] = "fp32"
    channels_last: bool = False
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0

    @model_validator(mode="after")
    def _phases_in_order(self) -> "TrainConfig":
        starts = [phase.start for phase in self.phases]
        if starts[0] != 0:
            raise ValueError(f"phases.0.start must be 0, but is {starts[0]}")
        if starts != sorted(starts):
            raise ValueError(f"the phases' starts must not fall, but are {starts}")
        return self

    @property
    def id(self) -> str:
        """12 hexadecimal digits that are equal for configs that train identically."""
        return _digest(canonical(self).plain())

    @property
    def recipe_id(self) -> str:
        """The same without the seed."""
        return _digest({k: v for k, v in canonical(self).plain().items() if k != "seed"})

    @property
    def method(self) -> str:
        """The method's short name: the last phase's loss, and its weights unless they are that loss's own."""
        last = canonical(self).phases[-1]
        own = "IFW" if last.loss.symbol == "IB" else ""
        extra = "" if last.weights.symbol == own else last.weights.symbol or "unweighted"
        return "+".join(part for part in (last.loss.symbol, extra) if part)

    def phase_at(self, epoch: int) -> Phase:
        """The phase of an epoch (from 1)."""
        return [phase for phase in self.phases if phase.start < epoch][-1]

    def learning_rate(self, epoch: int) -> float:
        """The learning rate of an epoch (from 1)."""
        phase = self.phase_at(epoch)
        return phase.lr_scale * self.optimizer.learning_rate(epoch, self.epochs, warmup=phase.warmup)


def canonical(config: TrainConfig) -> TrainConfig:
    """The one form of all configs that train identically: without what has no effect."""
    ends = [*(phase.start for phase in config.phases[1:]), config.epochs]
    used = [p for p, end in zip(config.phases, ends, strict=True) if p.start < min(end, config.epochs)]
    optimizer = _canonical_optimizer(config.optimizer, used, config.epochs)
    phases = tuple(_canonical_phase(phase, optimizer.warmup_epochs) for phase in used)
    return config.model_copy(update={"phases": phases, "optimizer": optimizer, "data": config.data.canonical()})


def _canonical_phase(phase: Phase, warmup_epochs: int) -> Phase:
    rises = phase.start < warmup_epochs - 1  # the last epoch of a warm-up is at the full rate
    return phase if rises else phase.model_copy(update={"warmup": True})


def _canonical_optimizer(optimizer: SGD, phases: list[Phase], epochs: int) -> SGD:
    rises = any(phase.warmup and phase.start < optimizer.warmup_epochs - 1 for phase in phases)
    schedule = optimizer.schedule
    if isinstance(schedule, Step):
        reached = tuple(m for m in schedule.milestones if m < epochs and schedule.gamma != 1)
        schedule = Step(milestones=reached, gamma=schedule.gamma if reached else 1.0)
    return optimizer.model_copy(update={"schedule": schedule, "warmup_epochs": optimizer.warmup_epochs if rises else 0})


_EPOCHS = re.compile(r"epochs|phases\.\d+\.start|optimizer\.(warmup_epochs|schedule\.milestones\.\d+)")


def scaled_epochs(epochs: int, factor: float) -> int:
    """A number of epochs times a factor: half up; 0 stays 0, anything above stays at least 1."""
    if not 0 < factor < math.inf:
        raise InputError(f"epochs are scaled by a number above 0, not by {factor:g}")
    exact = round(epochs * factor, 9)  # 45 * 0.7 is 31.499999999999996
    return max(1, math.floor(exact + 0.5)) if epochs else 0


def is_epochs(path: str) -> bool:
    """Whether a dotted path of a config is measured in epochs."""
    return _EPOCHS.fullmatch(path) is not None


def scaled(config: TrainConfig, factor: float) -> TrainConfig:
    """The config with every epoch-valued field scaled: length, phase starts, warm-up, milestones."""
    plain = config.plain()
    whole = {path: value_at(config, path) for path in paths(plain) if is_epochs(path)}
    return override(config, {p: scaled_epochs(n, factor) for p, n in whole.items() if isinstance(n, int)})


def empty_levels(config: TrainConfig) -> list[str]:
    """The phases and learning-rate levels that hold no epoch, in words: what scaling may have emptied."""
    ends = [*(phase.start for phase in config.phases[1:]), config.epochs]
    empty = [
        f"phase {i} ({phase.loss.symbol})"
        for i, (phase, end) in enumerate(zip(config.phases, ends, strict=True), 1)
        if phase.start >= min(end, config.epochs)
    ]
    schedule = config.optimizer.schedule
    if isinstance(schedule, Step):
        edges = [0, *schedule.milestones, config.epochs]
        levels = pairwise(edges)
        empty += [f"learning-rate level {i}" for i, (a, b) in enumerate(levels, 1) if a >= min(b, config.epochs)]
    return empty


def _digest(plain: dict[str, Any]) -> str:
    text = json.dumps(_positive_zero(plain), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _positive_zero(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _positive_zero(child) for key, child in node.items()}
    if isinstance(node, list):
        return [_positive_zero(child) for child in node]
    return 0.0 if isinstance(node, float) and node == 0 else node
