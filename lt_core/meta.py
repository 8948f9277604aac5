"""L2RW and Meta-Weight-Net: weights [N] for the samples of a batch, by what they do to the loss on the meta part.

Both ask what one virtual step of plain SGD on the weighted batch would do to the loss of a meta batch, and follow
its gradient, which passes through the step (second order). They need the network, hence are not losses.
"""

from collections.abc import Callable
from typing import Annotated, ClassVar, Literal, Protocol

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from lt_core.value import Value, wrong_at

Parameters = dict[str, Tensor]
"""A network's parameters by name."""


class Reweighter(Protocol):
    """What a training step asks for the weights of its samples; its state belongs to the run."""

    def weights(
        self,
        parameters: Parameters,
        losses: Callable[[Parameters], Tensor],
        meta_loss: Callable[[Parameters], Tensor],
        lr: float,
    ) -> Tensor:
        """Weights [N], detached, sum 1 or 0, of a batch with `losses` [N]; both functions are differentiable."""
        ...

    def state_dict(self) -> dict[str, object]:
        """What has to be saved to go on."""
        ...

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Take over a saved state."""
        ...


class NoReweighting(Value):
    """All samples of a batch count the same."""

    symbol: ClassVar[str] = ""
    kind: Literal["none"] = "none"


class LearningToReweight(Value):
    """L2RW: w_i ~ max(0, -d meta loss / d epsilon_i) at epsilon = 0, sum 1. Ren et al., ICML 2018.

    virtual_lr: the step that the virtual SGD takes, 1 as in the official code. Where no sample helps, all weights
    are 0 and the step trains nothing but momentum and weight decay, as in that code.
    batch_size: of the meta batch; null is the whole meta part (5 + 5 images on MNIST).
    """

    symbol: ClassVar[str] = "L2RW"
    kind: Literal["l2rw"] = "l2rw"
    virtual_lr: Annotated[float, Field(gt=0)] = 1.0
    batch_size: Annotated[int, Field(ge=1)] | None = None

    def build(self, device: torch.device) -> Reweighter:
        """The training step's weigher."""
        return _LearningToReweight(self.virtual_lr)


class MetaWeightNet(Value):
    """MW-Net: w_i = V(loss_i) / sum, V a small network that learns from the meta loss. Shu et al., NeurIPS 2019.

    V: 1 -> hidden -> 1, ReLU, sigmoid. The virtual step has the current learning rate; V is trained by SGD with
    Nesterov momentum, settings of the official code for class imbalance.
    """

    symbol: ClassVar[str] = "MW-Net"
    kind: Literal["meta_weight_net"] = "meta_weight_net"
    hidden: Annotated[int, Field(ge=1)] = 100
    lr: Annotated[float, Field(gt=0)] = 1e-5
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    nesterov: bool = True
    weight_decay: Annotated[float, Field(ge=0)] = 5e-4
    batch_size: Annotated[int, Field(ge=1)] | None = 100

    @model_validator(mode="after")
    def _nesterov_has_momentum(self) -> "MetaWeightNet":
        if self.nesterov and self.momentum == 0:
            raise wrong_at("nesterov", "nesterov: true needs momentum above 0, but momentum is 0.0")
        return self

    def build(self, device: torch.device) -> Reweighter:
        """The training step's weigher, initialised from torch's global generator."""
        return _MetaWeightNet(self, device)


Reweighting = Annotated[NoReweighting | LearningToReweight | MetaWeightNet, Field(discriminator="kind")]


class _LearningToReweight:
    def __init__(self, virtual_lr: float) -> None:
        self.virtual_lr = virtual_lr

    def weights(
        self,
        parameters: Parameters,
        losses: Callable[[Parameters], Tensor],
        meta_loss: Callable[[Parameters], Tensor],
        lr: float,
    ) -> Tensor:
        values = losses(parameters)
        epsilon = torch.zeros_like(values, requires_grad=True)
        virtual = virtual_step(parameters, (epsilon * values).sum(), self.virtual_lr)
        (gradient,) = torch.autograd.grad(meta_loss(virtual), epsilon)
        return _sum_to_one((-gradient).clamp_min(0))

    def state_dict(self) -> dict[str, object]:
        return {}

    def load_state_dict(self, state: dict[str, object]) -> None:
        pass


class _MetaWeightNet:
    def __init__(self, settings: MetaWeightNet, device: torch.device) -> None:
        self.net = nn.Sequential(nn.Linear(1, settings.hidden), nn.ReLU(), nn.Linear(settings.hidden, 1), nn.Sigmoid())
        self.net.to(device)
        self.optimizer = torch.optim.SGD(
            self.net.parameters(),
            lr=settings.lr,
            momentum=settings.momentum,
            nesterov=settings.nesterov,
            weight_decay=settings.weight_decay,
        )

    def weights(
        self,
        parameters: Parameters,
        losses: Callable[[Parameters], Tensor],
        meta_loss: Callable[[Parameters], Tensor],
        lr: float,
    ) -> Tensor:
        values = losses(parameters)
        seen = values.detach()[:, None]
        weighted = (_sum_to_one(self.net(seen)[:, 0]) * values).sum()
        self.optimizer.zero_grad()
        meta_loss(virtual_step(parameters, weighted, lr)).backward(inputs=list(self.net.parameters()))
        self.optimizer.step()
        with torch.no_grad():
            return _sum_to_one(self.net(seen)[:, 0])

    def state_dict(self) -> dict[str, object]:
        return {"net": self.net.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, object]) -> None:
        self.net.load_state_dict(state["net"])  # pyright: ignore[reportArgumentType]
        self.optimizer.load_state_dict(state["optimizer"])  # pyright: ignore[reportArgumentType]


def virtual_step(parameters: Parameters, loss: Tensor, lr: float) -> Parameters:
    """The parameters after one step of plain SGD, differentiable by whatever the loss depends on."""
    gradients = torch.autograd.grad(loss, list(parameters.values()), create_graph=True)
    return {name: p - lr * g for (name, p), g in zip(parameters.items(), gradients, strict=True)}


def _sum_to_one(w: Tensor) -> Tensor:
    """w / sum, or 0 where the sum is 0."""
    return w / w.sum().clamp_min(torch.finfo(w.dtype).tiny)
