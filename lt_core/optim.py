"""SGD, and learning rates as pure functions of the epoch. Epochs count from 1, as in the papers.

Not here: training state, and what a phase does to the learning rate (config.py).
"""

import math
from typing import Annotated, Literal

import torch
from pydantic import Field, model_validator
from torch import nn

from lt_core.value import Value


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
            raise ValueError(f"milestones must not fall, but are {list(self.milestones)}")
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
    """Stochastic gradient descent with momentum; weight decay on all parameters, as in the LDAM and IB code.

    `warmup_epochs` w: epoch e <= w has lr * e / w (stepwise per epoch, as in the LDAM and IB code).
    """

    lr: Annotated[float, Field(gt=0)] = 0.1
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 2e-4
    nesterov: bool = False
    warmup_epochs: Annotated[int, Field(ge=0)] = 5
    schedule: Annotated[Step | Cosine, Field(discriminator="kind")] = Step()

    @model_validator(mode="after")
    def _nesterov_has_momentum(self) -> "SGD":
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov: true needs momentum above 0, but momentum is 0.0")
        return self

    def learning_rate(self, epoch: int, epochs: int, *, warmup: bool) -> float:
        """The learning rate of an epoch (from 1), before the phase's own scale."""
        rising = min(1.0, epoch / self.warmup_epochs) if warmup and self.warmup_epochs else 1.0
        return self.lr * rising * self.schedule.factor(epoch, epochs)

    def build(self, model: nn.Module) -> torch.optim.SGD:
        """The optimizer over all parameters of a network; its learning rate is set each epoch."""
        return torch.optim.SGD(
            model.parameters(),
            lr=self.lr,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            nesterov=self.nesterov,
            fused=True,
        )
