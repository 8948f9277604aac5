"""Per-sample losses, shape [N]: pure, without class weights and without reduction. The `Loss` union is the registry.

A loss is a value without tensors, so it hashes, pickles and prints. Class weights and reductions: weights.py.
"""

from typing import Annotated, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from lt_core.models import Outputs
from lt_core.value import Value


class CrossEntropy(Value):
    """Softmax cross-entropy, -log p_y."""

    symbol: ClassVar[str] = "CE"
    kind: Literal["cross_entropy"] = "cross_entropy"

    def __call__(self, outputs: Outputs, targets: Tensor) -> Tensor:
        """Loss [N] of logits [N, C] and targets [N]."""
        return F.cross_entropy(outputs.logits, targets, reduction="none")


class Focal(Value):
    """Softmax focal loss, (1 - p_y)^gamma * CE. Lin et al., ICCV 2017, equation 4.

    The gradient flows through the modulator. The LDAM code puts the class weight inside p_y and the IB code also
    multiplies by 10; here weights only multiply the loss.
    """

    symbol: ClassVar[str] = "Focal"
    kind: Literal["focal"] = "focal"
    gamma: Annotated[float, Field(ge=0)] = 1.0

    def __call__(self, outputs: Outputs, targets: Tensor) -> Tensor:
        """Loss [N] of logits [N, C] and targets [N]."""
        log_p = F.log_softmax(outputs.logits, dim=1)
        log_p_y = log_p.gather(1, targets[:, None])[:, 0]
        # gamma = 0 is CE. For 0 < gamma < 1 the derivative of 0^gamma is infinite: keep 1 - p_y above 0.
        modulator = _not_y(log_p, targets).clamp_min(torch.finfo(log_p.dtype).tiny) ** self.gamma
        return -modulator * log_p_y


class InfluenceBalanced(Value):
    """Influence-Balanced loss, CE * alpha / (||p - y||_1 * ||h||_1 + epsilon). Park et al., ICCV 2021, equation 8.

    h are the classifier's input features. As in the official code: alpha is 1000 with class weights that sum to C
    (the paper's alpha is C times larger), epsilon is added to the product, and the gradient flows through the
    weight. The paper calls it a weight: `detach_weight: true` treats it as one.
    """

    symbol: ClassVar[str] = "IB"
    kind: Literal["influence_balanced"] = "influence_balanced"
    alpha: Annotated[float, Field(gt=0)] = 1000.0
    epsilon: Annotated[float, Field(gt=0)] = 1e-3
    detach_weight: bool = False

    def __call__(self, outputs: Outputs, targets: Tensor) -> Tensor:
        """Loss [N] of logits [N, C], features [N, D] and targets [N]."""
        log_p = F.log_softmax(outputs.logits, dim=1)
        ce = -log_p.gather(1, targets[:, None])[:, 0]
        influence = 2 * _not_y(log_p, targets) * outputs.features.abs().sum(1)  # ||p - y||_1 = 2 (1 - p_y)
        if self.detach_weight:
            influence = influence.detach()
        return ce * self.alpha / (influence + self.epsilon)


def _not_y(log_p: Tensor, targets: Tensor) -> Tensor:
    """1 - p_y as the sum of the other classes' probabilities: exact where p_y is within rounding of 1. [N]"""
    return log_p.exp().scatter(1, targets[:, None], 0.0).sum(1)


Loss = Annotated[CrossEntropy | Focal | InfluenceBalanced, Field(discriminator="kind")]
