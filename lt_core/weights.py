"""Class weights [C], scaled to sum to C, and how weighted losses are reduced. The `Weights` union is the registry."""

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

    def __call__(self, counts: Sequence[int]) -> Tensor:
        """Ones [C], float64."""
        return torch.ones(len(counts), dtype=torch.float64)


class InverseFrequency(Value):
    """w_c ~ 1 / n_c, scaled to sum to C (IFW; IB's lambda, Park et al., ICCV 2021, equation 9, times C)."""

    symbol: ClassVar[str] = "IFW"
    kind: Literal["inverse_frequency"] = "inverse_frequency"
    reduction: Reduction = "mean"

    def __call__(self, counts: Sequence[int]) -> Tensor:
        """Weights [C], float64, of the classes' numbers of training images."""
        return _sum_to_c(1 / torch.tensor(counts, dtype=torch.float64))


class EffectiveNumber(Value):
    """w_c ~ (1 - beta) / (1 - beta^n_c), scaled to sum to C (CB). Cui et al., CVPR 2019, equation 10."""

    symbol: ClassVar[str] = "CB"
    kind: Literal["effective_number"] = "effective_number"
    beta: Annotated[float, Field(ge=0, lt=1)] = 0.9999
    reduction: Reduction = "mean"

    def __call__(self, counts: Sequence[int]) -> Tensor:
        """Weights [C], float64, of the classes' numbers of training images."""
        n = torch.tensor(counts, dtype=torch.float64)
        if self.beta == 0:
            return torch.ones_like(n)
        log_beta = torch.tensor(self.beta, dtype=torch.float64).log()
        return _sum_to_c(-1 / torch.expm1(n * log_beta))  # expm1: 1 - beta^n where beta^n is close to 1


Weights = Annotated[NoWeights | InverseFrequency | EffectiveNumber, Field(discriminator="kind")]


def reduce(losses: Tensor, weights: Tensor, reduction: Reduction) -> tuple[Tensor, Tensor]:
    """Sum and denominator of losses [N] under per-sample weights [N]; the loss of the batch is their ratio."""
    total = (weights * losses).sum()
    return total, weights.sum() if reduction == "weighted_mean" else torch.ones_like(weights).sum()


def _sum_to_c(w: Tensor) -> Tensor:
    return w * (len(w) / w.sum())
