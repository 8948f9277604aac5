"""TrainConfig: the complete description of one training, seed included, and its identity.

Not here: the parts (each stands in its own module) and anything that trains.
"""

import hashlib
import json
import math
import re
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from lt_core.contradictions import contradictions
from lt_core.data import Data
from lt_core.metrics import Groups
from lt_core.models import Model
from lt_core.optim import SGD, Cosine, Step
from lt_core.phases import Phase, Span, method_name
from lt_core.posthoc import NoPostHoc, PostHoc
from lt_core.value import InputError, Value, override, paths, value_at, wrong_at, wrong_first
from lt_core.weights import ClassDifficulty


class Evaluation(Value):
    """What is evaluated beside val after each epoch and test at the end.

    post_hoc: a step on the logits of val and test alike.
    top5: record whether the class is among the five likeliest as well, after each epoch and on test.
    test_every_epoch: evaluate test after each epoch, for tables that report their best test epoch. Never searched by.
    groups: the thresholds of many, medium, few, and of majority and minority.
    """

    post_hoc: PostHoc = NoPostHoc()
    top5: bool = False
    test_every_epoch: bool = False
    groups: Groups = Groups()


class TrainConfig(Value):
    """One training. `precision: bf16` runs the network under autocast; `channels_last` is its memory layout."""

    data: Data
    model: Model
    optimizer: SGD = SGD()
    batch_size: Annotated[int, Field(ge=1)] = 128
    epochs: Annotated[int, Field(ge=1)] = 200
    phases: Annotated[tuple[Phase, ...], Field(min_length=1)] = (Phase(),)
    evaluation: Evaluation = Evaluation()
    precision: Literal["fp32", "bf16"] = "fp32"
    channels_last: bool = False
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0

    @model_validator(mode="after")
    def _phases_in_order(self) -> "TrainConfig":
        starts = [phase.start for phase in self.phases]
        if starts[0] != 0:
            raise wrong_first(f"phases.0.start must be 0, but is {starts[0]}")
        fallen = next((i for i, (before, start) in enumerate(pairwise(starts), 1) if start < before), None)
        if fallen is not None:
            raise wrong_at(f"phases.{fallen}.start", f"the phases' starts must not fall, but are {starts}")
        early = next((i for i, phase in enumerate(self.phases) if phase.restart and phase.start == 0), None)
        if early is not None:
            raise wrong_first(f"phases.{early}.restart must be null: epoch 1 has nothing to begin anew from")
        return self

    @model_validator(mode="after")
    def _makes_sense(self) -> "TrainConfig":
        wrong = next(contradictions(self), None)
        if wrong:
            raise wrong_first(wrong)
        return self

    @cached_property
    def id(self) -> str:
        """12 hexadecimal digits that are equal for configs that train identically."""
        return _digest(canonical(self).plain())

    @property
    def recipe_id(self) -> str:
        """The same without the seed."""
        return _digest({k: v for k, v in canonical(self).plain().items() if k != "seed"})

    @property
    def method(self) -> str:
        """The method's short name, as tables print it: IB+CB, LDAM-DRW, CDB-CE, CE+LA."""
        return method_name(canonical(self).phases, self.evaluation.post_hoc, mixup=self.data.mixup > 0)

    @property
    def used_phases(self) -> list[tuple[Phase, int]]:
        """The phases that hold an epoch, each with its last one."""
        ends = [min(end, self.epochs) for end in (*(phase.start for phase in self.phases[1:]), self.epochs)]
        return [(phase, end) for phase, end in zip(self.phases, ends, strict=True) if phase.start < end]

    @cached_property
    def spans(self) -> tuple[Span, ...]:
        """The spans of epochs under one optimizer: one, and one more for each restart."""
        restarts = [(phase.restart, phase.start) for phase, _ in self.used_phases if phase.restart]
        optimizers = [self.optimizer, *(restart.optimizer for restart, _ in restarts)]
        begin = [0, *(start for _, start in restarts)]
        return tuple(Span(*span) for span in zip(optimizers, begin, [*begin[1:], self.epochs], strict=True))

    def phase_at(self, epoch: int) -> Phase:
        """The phase of an epoch (from 1)."""
        return [phase for phase in self.phases if phase.start < epoch][-1]

    def learning_rate(self, epoch: int, done: float = 1.0) -> float:
        """The learning rate of an epoch (from 1) of which a share `done` of the steps is behind."""
        phase = self.phase_at(epoch)
        span = [span for span in self.spans if span.start < epoch][-1]
        return phase.lr_scale * span.learning_rate(epoch, done, warmup=phase.warmup)


def canonical(config: TrainConfig) -> TrainConfig:
    """The one form of all configs that train identically: without what has no effect."""
    optimizers, phases = [], []
    for span in config.spans:
        within = [phase for phase, _ in config.used_phases if span.start <= phase.start < span.end]
        optimizers.append(_canonical_optimizer(span, within))
        phases += [_canonical_phase(phase, span, optimizers[-1]) for phase in within]
    data = config.data.canonical()
    if data.meta_source == "val" and not any(phase.reads_meta for phase in phases):
        data = data.model_copy(update={"meta_source": "none"})
    update = {"data": data, "model": config.model.canonical(), "optimizer": optimizers[0], "phases": tuple(phases)}
    return config.model_copy(update=update)


def prefix_id(config: TrainConfig, epochs: int) -> str:
    """12 hexadecimal digits of what determines the state after so many epochs, from 1 to all of them.

    Runs that agree in it are one run up to there: IB and CE up to T1, LDAM-DRW and LDAM up to the weights' start.
    """
    phases = tuple(phase for phase in config.phases if phase.start < epochs)
    plain = canonical(config.model_copy(update={"epochs": epochs, "phases": phases})).plain()
    schedules = [span.optimizer.schedule for span in config.spans if span.start < epochs]
    if any(isinstance(schedule, Cosine) for schedule in schedules):
        plain["length"] = config.epochs  # a cosine's rates depend on it
    plain["reads_difficulty"] = any(isinstance(phase.weights, ClassDifficulty) for phase in config.phases)
    return _digest(plain)


def _canonical_phase(phase: Phase, span: Span, optimizer: SGD) -> Phase:
    rises = phase.start - span.start < optimizer.rising_epochs
    update: dict[str, object] = {} if rises else {"warmup": True}
    if phase.restart:
        update["restart"] = phase.restart.model_copy(update={"optimizer": optimizer})
    return phase.model_copy(update=update)


def _canonical_optimizer(span: Span, phases: list[Phase]) -> SGD:
    """Without the milestones that are not reached and the warm-up that no phase runs in."""
    optimizer, schedule = span.optimizer, span.optimizer.schedule
    if isinstance(schedule, Step):
        reached = tuple(m for m in schedule.milestones if m < span.end - span.start and schedule.gamma != 1)
        schedule = Step(milestones=reached, gamma=schedule.gamma if reached else 1.0)
    update: dict[str, object] = {"schedule": schedule}
    if not any(phase.warmup and phase.start - span.start < optimizer.rising_epochs for phase in phases):
        update |= {"warmup_epochs": 0, "warmup": "per_epoch"}
    if not optimizer.weight_decay:
        update["decay"] = "all"
    return optimizer.model_copy(update=update)


_EPOCHS = re.compile(
    r"epochs|phases\.\d+\.start|(phases\.\d+\.restart\.)?optimizer\.(warmup_epochs|schedule\.milestones\.\d+)"
)


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
    used = {id(phase) for phase, _ in config.used_phases}
    empty = [f"phase {i} ({p.loss.symbol})" for i, p in enumerate(config.phases, 1) if id(p) not in used]
    for span in config.spans:
        empty += span.empty_levels()
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
