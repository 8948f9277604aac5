"""Class weights [C], and how weighted losses are reduced. The `Weights` union is the registry.

Weights follow from the classes' numbers of training images and, for class difficulty, from their accuracies on the
meta part after the last epoch.
"""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from lt_core.value import Value

Reduction = Literal["mean", "weighted_mean"]
"""`mean`: sum of w_y * loss over N (IB, CB, CDB). `weighted_mean`: over the sum of w_y (torch's, LDAM-DRW)."""


class NoWeights(Value):
    """Every class counts the same."""

    symbol: ClassVar[str] = ""
    kind: Literal["none"] = "none"
    reduction: ClassVar[Reduction] = "mean"

    def __call__(self, counts: Sequence[int], accuracy: Tensor | None = None) -> Tensor:
        """Ones [C], float64."""
        return torch.ones(len(counts), dtype=torch.float64)


class InverseFrequency(Value):
    """w_c ~ 1 / n_c^power, scaled to sum to C (IFW; IB's lambda, Park et al., ICCV 2021, section 3.5, times C).

    power: 0.5 is the square root that others use.
    """

    kind: Literal["inverse_frequency"] = "inverse_frequency"
    power: Annotated[float, Field(ge=0)] = 1.0
    reduction: Reduction = "mean"

    @property
    def symbol(self) -> str:
        """IFW, or sqrtIFW, or IFW with another power."""
        return {1.0: "IFW", 0.5: "sqrtIFW"}.get(self.power, f"IFW^{self.power:g}")

    def __call__(self, counts: Sequence[int], accuracy: Tensor | None = None) -> Tensor:
        """Weights [C], float64, of the classes' numbers of training images."""
        return _sum_to_c(torch.tensor(counts, dtype=torch.float64) ** -self.power)


class EffectiveNumber(Value):
    """w_c ~ (1 - beta) / (1 - beta^n_c), scaled to sum to C (CB). Cui et al., CVPR 2019."""

    symbol: ClassVar[str] = "CB"
    kind: Literal["effective_number"] = "effective_number"
    beta: Annotated[float, Field(ge=0, lt=1)] = 0.9999
    reduction: Reduction = "mean"

    def __call__(self, counts: Sequence[int], accuracy: Tensor | None = None) -> Tensor:
        """Weights [C], float64, of the classes' numbers of training images."""
        n = torch.tensor(counts, dtype=torch.float64)
        if self.beta == 0:
            return torch.ones_like(n)
        log_beta = torch.tensor(self.beta, dtype=torch.float64).log()
        return _sum_to_c(-1 / torch.expm1(n * log_beta))  # expm1: 1 - beta^n where beta^n is close to 1


class FixedTau(Value):
    """The same tau in all epochs."""

    kind: Literal["fixed"] = "fixed"
    value: Annotated[float, Field(ge=0)] = 1.0

    def __call__(self, accuracy: Tensor) -> float:
        """tau."""
        return self.value


class PaperTau(Value):
    """tau = 2 sigmoid(A_max / (A_min + 1e-4) - 1), in [1, 2). Sinha et al., ACCV 2020, equations 3 and 4."""

    kind: Literal["paper"] = "paper"

    def __call__(self, accuracy: Tensor) -> float:
        """tau of the accuracies [C]."""
        return 2 * torch.sigmoid(accuracy.max() / (accuracy.min() + 1e-4) - 1).item()


class CifarCodeTau(Value):
    """tau = sigmoid(A_max / (A_min + 0.01)), in [0.73, 1): what the official CIFAR and EGTEA code computes."""

    kind: Literal["cifar_code"] = "cifar_code"

    def __call__(self, accuracy: Tensor) -> float:
        """tau of the accuracies [C]."""
        return torch.sigmoid(accuracy.max() / (accuracy.min() + 0.01)).item()


class ImageNetCodeTau(Value):
    """tau = 2 sigmoid(A_max / (A_min + 0.01) - 1), in [1, 2): what the official ImageNet-LT code computes."""

    kind: Literal["imagenet_code"] = "imagenet_code"

    def __call__(self, accuracy: Tensor) -> float:
        """tau of the accuracies [C]."""
        return 2 * torch.sigmoid(accuracy.max() / (accuracy.min() + 0.01) - 1).item()


class ClassDifficulty(Value):
    """w_c = (1 - A_c)^tau, A_c the accuracy on the meta part after the epoch before (CDB). Sinha et al., ACCV 2020.

    Equation 2. In the first epoch all weights are 1. The code scales the weights to sum to C, which the paper does not
    say, and divides by 0 where every class is perfect: here they are 1 then. `sum_to_c: false` leaves them as they are.
    """

    symbol: ClassVar[str] = "CDB"
    kind: Literal["class_difficulty"] = "class_difficulty"
    tau: Annotated[FixedTau | PaperTau | CifarCodeTau | ImageNetCodeTau, Field(discriminator="kind")] = FixedTau()
    sum_to_c: bool = True
    reduction: Reduction = "mean"

    def __call__(self, counts: Sequence[int], accuracy: Tensor | None = None) -> Tensor:
        """Weights [C], float64, of the classes' accuracies [C] in [0, 1]; None before the first epoch is done."""
        ones = torch.ones(len(counts), dtype=torch.float64)
        if accuracy is None:
            return ones
        w = (1 - accuracy.double()) ** self.tau(accuracy.double())
        if not self.sum_to_c:
            return w
        return _sum_to_c(w) if w.any() else ones


Weights = Annotated[
    NoWeights | InverseFrequency | EffectiveNumber | ClassDifficulty,
    Field(discriminator="kind"),
]


def reduce(losses: Tensor, weights: Tensor, reduction: Reduction) -> tuple[Tensor, Tensor]:
    """Sum and denominator of losses [N] under per-sample weights [N]; the loss of the batch is their ratio.

    A batch of nothing but classes of weight 0 has the loss 0, not 0 / 0.
    """
    total = (weights * losses).sum()
    if reduction == "mean":
        return total, torch.ones_like(weights).sum()
    return total, weights.sum().clamp_min(torch.finfo(weights.dtype).tiny)


def _sum_to_c(w: Tensor) -> Tensor:
    return w * (len(w) / w.sum())
