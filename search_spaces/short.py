"""Short recipes and stand-in data: what a table becomes on a machine that has neither days nor the paper's images."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Literal, NamedTuple

from lt_core import LeNet5, SmallCNN, TrainConfig, override
from lt_core.data import Data
from lt_core.losses import Equalization, SigmoidEqualization
from lt_core.metrics import Groups
from lt_core.optim import Step
from lt_core.value import InputError

StandIn = Literal["digits", "mnist"]


@dataclass(frozen=True)
class Short:
    """A short recipe made by hand: what each length, phase start and milestone of the full recipe becomes.

    A milestone that is not named is left out, a warm-up becomes one epoch, by step. `patch` is set last, by path.
    """

    lengths: Mapping[int, int]
    starts: Mapping[int, int] = field(default_factory=dict)
    milestones: Mapping[int, int] = field(default_factory=dict)
    patch: Mapping[str, object] = field(default_factory=dict)

    def __call__(self, config: TrainConfig) -> TrainConfig:
        """A config of the full recipe as one of the short."""
        schedule, changes = config.optimizer.schedule, dict(self.patch)
        changes["epochs"] = _mapped(self.lengths, config.epochs, "length")
        for i, phase in enumerate(config.phases[1:], 1):
            changes[f"phases.{i}.start"] = _mapped(self.starts, phase.start, "phase start") if phase.start else 0
        if isinstance(schedule, Step):
            changes["optimizer.schedule.milestones"] = [
                self.milestones[milestone] for milestone in schedule.milestones if milestone in self.milestones
            ]
        if config.optimizer.warmup_epochs:
            changes |= {"optimizer.warmup_epochs": 1, "optimizer.warmup": "per_step"}
        return override(config, changes)


SHORT_CIFAR = Short(  # of the 200 epochs of LDAM, IB and CB: 4 or 7 at the first rate, 3 at each other
    lengths={200: 10},
    starts={0: 0, 100: 4, 160: 7},
    milestones={160: 7},
    patch={"optimizer.schedule.gamma": 0.1, "precision": "bf16", "channels_last": True},
)


def _mapped(epochs: Mapping[int, int], full: int, what: str) -> int:
    if full not in epochs:
        raise InputError(f"the short recipe says nothing of a {what} of {full}; it knows {', '.join(map(str, epochs))}")
    return epochs[full]


class Level(NamedTuple):
    """Epochs that share a phase and a learning rate: how many, and the steps they have (None: only the files tell)."""

    phase: str
    rate: float
    epochs: int
    steps: int | None


def levels(config: TrainConfig) -> list[Level]:
    """The levels of a training, warm-up and cosine apart: each phase and each milestone begins one."""
    counts = config.data.counts
    per_epoch = math.ceil(sum(counts) / config.batch_size) if counts else None
    found = []
    for (start, rate), group in groupby(range(1, config.epochs + 1), lambda epoch: _level(config, epoch)):
        epochs = len(list(group))
        symbol = config.phase_at(start + 1).loss.symbol
        found.append(Level(symbol, rate, epochs, None if per_epoch is None else epochs * per_epoch))
    return found


def _level(config: TrainConfig, epoch: int) -> tuple[int, float]:
    """The start of an epoch's phase, and its learning rate without the warm-up; of a cosine, its first one."""
    phase = config.phase_at(epoch)
    span = [span for span in config.spans if span.start < epoch][-1]
    schedule = span.optimizer.schedule
    factor = schedule.factor(epoch - span.start, span.end - span.start) if isinstance(schedule, Step) else 1.0
    return phase.start, phase.lr_scale * span.optimizer.lr * factor


# --- stand-in data ----------------------------------------------------------------------------------

_NATURAL = {"imagenet": 1.78, "imagenet-lt": 256.0, "inaturalist2017": 435.44, "inaturalist2018": 500.0, "egtea": 95.0}
_SETTINGS: dict[str, dict[str, Any]] = {
    # The head class has 100 images in place of 5,000: a fifth of the imbalance leaves the tail 2 at least.
    "digits": {"model": SmallCNN, "lr": 0.05, "batch": 16, "share": 5.0, "most": 40.0, "majority": 50},
    "mnist": {"model": LeNet5, "lr": 0.05, "batch": 128, "share": 1.0, "most": 500.0, "majority": 2500},
}
_RATES = {"cifar10": 0.1, "cifar100": 0.1}  # of their presets: a table that varies the rate varies it here as well
_RARE = 0.1  # of ten classes, one below it there always is where they are not balanced


def stand_in(config: TrainConfig, name: StandIn) -> TrainConfig:
    """The config on data that every machine has, with a small network; length, phases and losses stay.

    Its imbalance follows the config's own. InputError where that is on these data already.
    """
    if config.data.name.startswith(name):
        raise InputError(f"--on {name}: {config.data.name} is what the table is on")
    by = _SETTINGS[name]
    data = Data(
        name=name,
        imbalance=round(_imbalance(config.data, by["share"], by["most"]), 6),
        profile="step" if config.data.profile == "step" else "exp",
        subset_seed=config.data.subset_seed,
        val_from="before_cut" if config.data.returned else "unused",
        meta_source=config.data.meta_source if config.data.meta_source in ("none", "returned") else "val",
        mixup=config.data.mixup,
    )
    groups = config.evaluation.groups
    majority = None if groups.majority is None else by["majority"]
    return config.replaced(
        data=data,
        model=by["model"](head=config.model.head, bias_init=config.model.bias_init),
        optimizer=config.optimizer.replaced(lr=by["lr"] * (config.optimizer.lr / _rate_of_preset(config))),
        batch_size=by["batch"],
        phases=tuple(phase.replaced(loss=_with_rare_classes(phase.loss)) for phase in config.phases),
        evaluation=config.evaluation.replaced(groups=Groups(many=groups.many, few=groups.few, majority=majority)),
        precision="fp32",
        channels_last=False,
    )


def _rate_of_preset(config: TrainConfig) -> float:
    return _RATES.get(config.data.name, config.optimizer.lr)


def _imbalance(data: Data, share: float, most: float) -> float:
    own = _NATURAL.get(data.name, data.imbalance) if data.profile == "natural" else data.imbalance
    return max(1.0, min(own / share, most))


def _with_rare_classes(loss: Any) -> Any:
    if not isinstance(loss, Equalization | SigmoidEqualization):
        return loss
    return loss.replaced(lambda_=_RARE, equals_ce=True)
