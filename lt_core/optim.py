"""SGD, and learning rates as pure functions of the epoch. Epochs count from 1, as in the papers.

Not here: training state, and what a phase does to the learning rate (config.py).
"""

import math
from typing import Annotated, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from lt_core.value import Value, wrong_at, wrong_first


class Step(Value):
    """Times `gamma` after each milestone: 160 means that epoch 161 is the first at the lower rate.

    A milestone given twice counts twice. The defaults are those of the LDAM and IB code at 200 epochs.
    """

    kind: Literal["step"] = "step"
    milestones: tuple[Annotated[int, Field(ge=0)], ...] = (160, 180)
    gamma: Annotated[float, Field(gt=0)] = 0.01

    @model_validator(mode="after")
    def _in_order(self) -> "Step":
        if list(self.milestones) != sorted(self.milestones):
            raise wrong_first(f"milestones must not fall, but are {list(self.milestones)}")
        return self

    def factor(self, epoch: int, epochs: int) -> float:
        """The factor on the learning rate in an epoch (from 1)."""
        return self.gamma ** sum(milestone < epoch for milestone in self.milestones)


class Cosine(Value):
    """Half a cosine from 1 in the first epoch towards 0 after the last. Loshchilov and Hutter, ICLR 2017."""

    kind: Literal["cosine"] = "cosine"

    def factor(self, epoch: int, epochs: int) -> float:
        """The factor on the learning rate in an epoch (from 1)."""
        return 0.5 * (1 + math.cos(math.pi * (epoch - 1) / epochs))


class SGD(Value):
    """Stochastic gradient descent with momentum.

    decay: which parameters `weight_decay` pulls on. `all` as in the LDAM, IB and Meta-Weight-Net code; `no_norm_bias`
        neither those of normalisations nor any bias (Class-Balanced at large scale); `no_final_bias` all but the
        classifier's bias (Class-Balanced with sigmoid losses, CDB).
    warmup: over `warmup_epochs` w the learning rate rises, `per_epoch`: lr * e / w in epoch e (LDAM and IB code), or
        `per_step`, from 0 in the first step (Class-Balanced code).
    """

    lr: Annotated[float, Field(gt=0)] = 0.1
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 2e-4
    decay: Literal["all", "no_norm_bias", "no_final_bias"] = "all"
    nesterov: bool = False
    warmup_epochs: Annotated[int, Field(ge=0)] = 5
    warmup: Literal["per_epoch", "per_step"] = "per_epoch"
    schedule: Annotated[Step | Cosine, Field(discriminator="kind")] = Step()

    @model_validator(mode="after")
    def _nesterov_has_momentum(self) -> "SGD":
        if self.nesterov and self.momentum == 0:
            raise wrong_at("nesterov", "nesterov: true needs momentum above 0, but momentum is 0.0")
        return self

    def learning_rate(self, epoch: int, epochs: int, *, done: float = 1.0, warmup: bool = True) -> float:
        """The learning rate in an epoch (from 1) of which a share `done` in [0, 1] of the steps is behind."""
        rising = self._rising(epoch, done) if warmup else 1.0
        return self.lr * rising * self.schedule.factor(epoch, epochs)

    @property
    def rising_epochs(self) -> int:
        """How many epochs are below the full rate because of the warm-up; per epoch, its last one is not."""
        return max(0, self.warmup_epochs - (self.warmup == "per_epoch"))

    def _rising(self, epoch: int, done: float) -> float:
        if not self.warmup_epochs:
            return 1.0
        passed = epoch if self.warmup == "per_epoch" else epoch - 1 + done
        return min(1.0, passed / self.warmup_epochs)

    def build(self, model: nn.Module) -> torch.optim.SGD:
        """The optimizer over all parameters of a network; its learning rate is set at each step."""
        free = {name for name, parameter in model.named_parameters() if self._is_free(name, parameter)}
        groups = [
            {"params": [p for name, p in model.named_parameters() if name not in free]},
            {"params": [p for name, p in model.named_parameters() if name in free], "weight_decay": 0.0},
        ]
        return torch.optim.SGD(
            [group for group in groups if group["params"]],
            lr=self.lr,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            nesterov=self.nesterov,
            fused=True,
        )

    def _is_free(self, name: str, parameter: Tensor) -> bool:
        """Whether a parameter is free of weight decay."""
        if self.decay == "no_norm_bias":
            return parameter.ndim <= 1
        return self.decay == "no_final_bias" and name == "classifier.bias"
