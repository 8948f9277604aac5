"""Steps of evaluation that rebalance a trained classifier: its logits [N, C], made from its outputs.

They change no parameter, so one training serves all of them. The `PostHoc` union is the registry.
"""

from typing import Annotated, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from lt_core.models import Outputs
from lt_core.value import Value


class NoPostHoc(Value):
    """The network's own logits."""

    symbol: ClassVar[str] = ""
    kind: Literal["none"] = "none"

    def __call__(self, outputs: Outputs, classifier: nn.Module, counts: Tensor) -> Tensor:
        """Logits [N, C]."""
        return outputs.logits


class PostHocLogitAdjustment(Value):
    """z - tau * log prior. Menon et al., ICLR 2021."""

    symbol: ClassVar[str] = "LA"
    kind: Literal["logit_adjustment"] = "logit_adjustment"
    tau: Annotated[float, Field(ge=0)] = 1.0

    def __call__(self, outputs: Outputs, classifier: nn.Module, counts: Tensor) -> Tensor:
        """Logits [N, C]; counts [C] are the classes' training images."""
        return outputs.logits - self.tau * (counts / counts.sum()).log()


class TauNormalization(Value):
    """h W_c / ||W_c||^tau, without the bias. Kang et al., ICLR 2020."""

    symbol: ClassVar[str] = "tau-norm"
    kind: Literal["tau_normalization"] = "tau_normalization"
    tau: Annotated[float, Field(ge=0)] = 1.0

    def __call__(self, outputs: Outputs, classifier: nn.Module, counts: Tensor) -> Tensor:
        """Logits [N, C] of features [N, D] and a linear classifier."""
        weight = classifier.get_parameter("weight")
        return F.linear(outputs.features, weight / torch.linalg.vector_norm(weight, dim=1, keepdim=True) ** self.tau)


PostHoc = Annotated[NoPostHoc | PostHocLogitAdjustment | TauNormalization, Field(discriminator="kind")]
