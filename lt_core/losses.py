"""Per-sample losses, shape [N]: pure, not yet weighted or reduced. The `Loss` union is the registry.

A loss is a value without tensors, so it hashes, pickles and prints. Class weights and reductions: weights.py.
"""

from typing import Annotated, ClassVar, Literal, NamedTuple

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from lt_core.models import Outputs
from lt_core.value import Value


class Given(NamedTuple):
    """What a loss is given beside outputs and targets: class counts [C], class weights [C], a CPU generator.

    A loss reads the weights only where a class weight stands inside it; all losses are multiplied by them afterwards.
    """

    counts: Tensor
    weights: Tensor
    draws: torch.Generator

    @property
    def prior(self) -> Tensor:
        """The classes' frequencies in the training images. [C]"""
        return self.counts / self.counts.sum()


class CrossEntropy(Value):
    """Softmax cross-entropy, -log p_y."""

    symbol: ClassVar[str] = "CE"
    kind: Literal["cross_entropy"] = "cross_entropy"

    def __call__(self, outputs: Outputs, targets: Tensor, given: Given) -> Tensor:
        """Loss [N] of logits [N, C] and targets [N]."""
        return F.cross_entropy(outputs.logits, targets, reduction="none")


class Focal(Value):
    """Softmax focal loss, (1 - p_y)^gamma * CE. Lin et al., ICCV 2017.

    weight_in_exponent: p_y^w instead of p_y inside the modulator, w the class weight (LDAM and IB code).
    scale: the IB code multiplies its focal baseline by 10, which the paper does not say.
    detach_modulator: no gradient through (1 - p_y)^gamma (CDB code).
    """

    symbol: ClassVar[str] = "Focal"
    kind: Literal["focal"] = "focal"
    gamma: Annotated[float, Field(ge=0)] = 1.0
    scale: Annotated[float, Field(gt=0)] = 1.0
    weight_in_exponent: bool = False
    detach_modulator: bool = False

    def __call__(self, outputs: Outputs, targets: Tensor, given: Given) -> Tensor:
        """Loss [N] of logits [N, C] and targets [N]."""
        log_p = F.log_softmax(outputs.logits, dim=1)
        modulator = _focal_modulator(log_p, targets, self.gamma, given if self.weight_in_exponent else None)
        return (
            self.scale * (modulator.detach() if self.detach_modulator else modulator) * _cross_entropy(log_p, targets)
        )


class SigmoidCrossEntropy(Value):
    """One binary cross-entropy for each class, summed over the classes. Cui et al., CVPR 2019."""

    symbol: ClassVar[str] = "SGM"
    kind: Literal["sigmoid_cross_entropy"] = "sigmoid_cross_entropy"

    def __call__(self, outputs: Outputs, targets: Tensor, given: Given) -> Tensor:
        """Loss [N] of logits [N, C] and targets [N]."""
        return F.softplus(-_signed(outputs.logits, targets)).sum(1)


class SigmoidFocal(Value):
    """One binary focal loss for each class, summed over the classes. Cui et al., CVPR 2019.

    The "Focal" rows of long-tailed CIFAR tables are this one. Summed over all C outputs, as in the official code.
    """

    symbol: ClassVar[str] = "SFocal"
    kind: Literal["sigmoid_focal"] = "sigmoid_focal"
    gamma: Annotated[float, Field(ge=0)] = 1.0

    def __call__(self, outputs: Outputs, targets: Tensor, given: Given) -> Tensor:
        """Loss [N] of logits [N, C] and targets [N]."""
        signed = _signed(outputs.logits, targets)
        return (torch.exp(-self.gamma * F.softplus(signed)) * F.softplus(-signed)).sum(1)  # 1 - p = e^-softplus


class InfluenceBalanced(Value):
    """Influence-Balanced loss, CE * alpha / (||p - y||_1 * ||h||_1 + epsilon). Park et al., ICCV 2021, equation 5.

    h are the classifier's input features. As in the official code: alpha is 1000 with class weights that sum to C
    (the paper's alpha is C times larger), epsilon is added to the product, and the gradient flows through the
    weight. The paper calls it a weight: `detach_weight: true` treats it as one.

    gamma: above 0 it is IB + Focal; the code's modulator is 1 - p_y^w with the class weight w in the exponent,
        `weight_in_exponent: false` leaves w out of it.
    norm: of both factors, for table 1.
    denominator: `epsilon` leaves the influence out, for column (d) of table 2.
    """

    kind: Literal["influence_balanced"] = "influence_balanced"
    alpha: Annotated[float, Field(gt=0)] = 1000.0
    epsilon: Annotated[float, Field(gt=0)] = 1e-3
    gamma: Annotated[float, Field(ge=0)] = 0.0
    weight_in_exponent: bool = True
    norm: Literal["l1", "l2", "linf"] = "l1"
    denominator: Literal["influence+epsilon", "epsilon"] = "influence+epsilon"
    detach_weight: bool = False

    @property
    def symbol(self) -> str:
        """IB, or IB+Focal with a gamma."""
        return "IB+Focal" if self.gamma else "IB"

    def __call__(self, outputs: Outputs, targets: Tensor, given: Given) -> Tensor:
        """Loss [N] of logits [N, C], features [N, D] and targets [N]."""
        log_p = F.log_softmax(outputs.logits, dim=1)
        losses = self.alpha * _cross_entropy(log_p, targets) / self._denominator(log_p, targets, outputs.features)
        if self.gamma:
            losses = losses * _focal_modulator(log_p, targets, self.gamma, given if self.weight_in_exponent else None)
        return losses

    def _denominator(self, log_p: Tensor, targets: Tensor, features: Tensor) -> Tensor:
        if self.denominator == "epsilon":
            return torch.full_like(log_p[:, 0], self.epsilon)
        influence = _error_norm(log_p, targets, self.norm) * _NORMS[self.norm](features)
        return (influence.detach() if self.detach_weight else influence) + self.epsilon


class LDAM(Value):
    """Label-distribution-aware margin loss, CE(s * (z - m_y 1_y)). Cao et al., NeurIPS 2019.

    z are cosines (`model.head: cosine`). m_c ~ n_c^-1/4, scaled so that the rarest class has `max_m` (0.3 for
    iNaturalist, says the author). Test time uses the plain cosines.
    """

    symbol: ClassVar[str] = "LDAM"
    kind: Literal["ldam"] = "ldam"
    max_m: Annotated[float, Field(ge=0)] = 0.5
    s: Annotated[float, Field(gt=0)] = 30.0

    def margins(self, counts: Tensor) -> Tensor:
        """m_c [C] of the classes' training images [C]."""
        rarity = counts**-0.25
        return self.max_m * rarity / rarity.max()

    def __call__(self, outputs: Outputs, targets: Tensor, given: Given) -> Tensor:
        """Loss [N] of cosines [N, C] and targets [N]."""
        margins = F.one_hot(targets, outputs.logits.shape[1]) * self.margins(given.counts)
        return F.cross_entropy(self.s * (outputs.logits - margins), targets, reduction="none")


class LogitAdjusted(Value):
    """CE(z + tau * log prior). Menon et al., ICLR 2021; Balanced Softmax (Ren et al., 2020) at tau 1."""

    kind: Literal["logit_adjusted"] = "logit_adjusted"
    tau: Annotated[float, Field(ge=0)] = 1.0

    @property
    def symbol(self) -> str:
        """BalSoft at tau 1, else LA."""
        return "BalSoft" if self.tau == 1 else "LA"

    def __call__(self, outputs: Outputs, targets: Tensor, given: Given) -> Tensor:
        """Loss [N] of logits [N, C] and targets [N]."""
        return F.cross_entropy(outputs.logits + self.tau * given.prior.log(), targets, reduction="none")


class VectorScaling(Value):
    """CE(z * (n_c / n_max)^gamma + tau * log prior). Kini et al., NeurIPS 2021; CDT (Ye et al., 2020) at tau 0."""

    symbol: ClassVar[str] = "VS"
    kind: Literal["vector_scaling"] = "vector_scaling"
    gamma: Annotated[float, Field(ge=0)] = 0.15
    tau: Annotated[float, Field(ge=0)] = 1.25

    def __call__(self, outputs: Outputs, targets: Tensor, given: Given) -> Tensor:
        """Loss [N] of logits [N, C] and targets [N]."""
        scale = (given.counts / given.counts.max()) ** self.gamma
        return F.cross_entropy(outputs.logits * scale + self.tau * given.prior.log(), targets, reduction="none")


class Equalization(Value):
    """Equalization loss: rare classes are spared, at random, the gradient of other samples. Tan et al., CVPR 2020.

    Rare: frequency below `lambda_`. A rare class that is not the target leaves the sum of exponentials with
    probability `gamma`, drawn for each sample and class.

    equals_ce: allow a `lambda_` that leaves no rare class, where the loss is CE.
    """

    symbol: ClassVar[str] = "EQL"
    kind: Literal["equalization"] = "equalization"
    lambda_: Annotated[float, Field(alias="lambda", gt=0, lt=1)] = 0.005
    gamma: Annotated[float, Field(ge=0, le=1)] = 0.9
    equals_ce: bool = False

    def __call__(self, outputs: Outputs, targets: Tensor, given: Given) -> Tensor:
        """Loss [N] of logits [N, C] and targets [N]."""
        rare = (given.prior < self.lambda_) & (F.one_hot(targets, outputs.logits.shape[1]) == 0)
        spared = rare & _drawn(outputs.logits.shape, self.gamma, given)
        lowest = torch.finfo(outputs.logits.dtype).min
        return F.cross_entropy(outputs.logits.masked_fill(spared, lowest), targets, reduction="none")


class SigmoidEqualization(Value):
    """Equalization loss of detection: one binary cross-entropy for each class. Tan et al., CVPR 2020.

    Rare: frequency below `lambda_`. One draw for the whole batch decides with probability `gamma` whether the rare
    classes that are not the target are left out, as in the CDB code, which uses it for its "EQL" rows.
    """

    symbol: ClassVar[str] = "SEQL"
    kind: Literal["sigmoid_equalization"] = "sigmoid_equalization"
    lambda_: Annotated[float, Field(alias="lambda", gt=0, lt=1)] = 0.03
    gamma: Annotated[float, Field(ge=0, le=1)] = 0.95
    equals_ce: bool = False

    def __call__(self, outputs: Outputs, targets: Tensor, given: Given) -> Tensor:
        """Loss [N] of logits [N, C] and targets [N]."""
        rare = (given.prior < self.lambda_) & (F.one_hot(targets, outputs.logits.shape[1]) == 0)
        spared = rare & _drawn((1, 1), self.gamma, given)
        return F.softplus(-_signed(outputs.logits, targets)).masked_fill(spared, 0).sum(1)


Loss = Annotated[
    CrossEntropy
    | Focal
    | SigmoidCrossEntropy
    | SigmoidFocal
    | InfluenceBalanced
    | LDAM
    | LogitAdjusted
    | VectorScaling
    | Equalization
    | SigmoidEqualization,
    Field(discriminator="kind"),
]


# --- terms ------------------------------------------------------------------------------------------


_NORMS = {
    "l1": lambda x: x.abs().sum(1),
    "l2": lambda x: torch.linalg.vector_norm(x, dim=1),  # its gradient at 0 is 0, not NaN
    "linf": lambda x: x.abs().amax(1),
}


def _cross_entropy(log_p: Tensor, targets: Tensor) -> Tensor:
    return -log_p.gather(1, targets[:, None])[:, 0]


def _not_y(log_p: Tensor, targets: Tensor) -> Tensor:
    """1 - p_y as the sum of the other classes' probabilities: exact where p_y is within rounding of 1. [N]"""
    return log_p.exp().scatter(1, targets[:, None], 0.0).sum(1)


def _error_norm(log_p: Tensor, targets: Tensor, norm: str) -> Tensor:
    """The norm of p - y: 2 (1 - p_y) for L1, 1 - p_y for L-infinity. [N]"""
    not_y = _not_y(log_p, targets)
    if norm == "l2":
        others = log_p.exp().scatter(1, targets[:, None], 0.0)
        return torch.linalg.vector_norm(torch.cat([others, not_y[:, None]], dim=1), dim=1)
    return 2 * not_y if norm == "l1" else not_y


def _focal_modulator(log_p: Tensor, targets: Tensor, gamma: float, weighted: Given | None) -> Tensor:
    """(1 - p_y)^gamma, or (1 - p_y^w)^gamma with the class weights of `weighted`. [N]"""
    if weighted is None:
        base = _not_y(log_p, targets)
    else:
        base = -torch.expm1(-weighted.weights[targets] * _cross_entropy(log_p, targets))
    # For 0 < gamma < 1 the derivative of 0^gamma is infinite: keep the base above 0.
    return base.clamp_min(torch.finfo(log_p.dtype).tiny) ** gamma


def _signed(logits: Tensor, targets: Tensor) -> Tensor:
    """The logits, times -1 where the class is not the target. [N, C]"""
    return torch.where(F.one_hot(targets, logits.shape[1]) == 1, logits, -logits)


def _drawn(shape: torch.Size | tuple[int, ...], probability: float, given: Given) -> Tensor:
    """True with a probability, drawn on the CPU, on the counts' device."""
    return (torch.rand(shape, generator=given.draws) < probability).to(given.counts.device)
