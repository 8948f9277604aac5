"""The classifier on top of a network: linear or cosine, and its settings, which all networks share.

Not here: the networks (models.py, resnets.py, resnext3d.py).
"""

import math
from typing import Any, ClassVar, Literal, NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lt_core.value import Value


class Outputs(NamedTuple):
    """What a network gives: logits [N, C] and the classifier's input features [N, D]."""

    logits: Tensor
    features: Tensor


class CosineHead(nn.Module):
    """Logits in [-1, 1]: the cosine between the features and each class's weight vector; no bias.

    weight [classes, features]; its rows start as U(-1, 1) scaled to unit length. LDAM's code, `NormedLinear`, with
    the matrix transposed. A loss scales the cosines itself (LDAM by 30); predictions do not depend on the scale.
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = nn.Parameter(torch.empty(out_features, in_features))
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        self.weight.copy_(F.normalize(self.weight.uniform_(-1, 1)))

    def forward(self, features: Tensor) -> Tensor:
        return F.linear(F.normalize(features), F.normalize(self.weight))


class Network(Value):
    """What the settings of every network share: its classifier.

    head: `linear` or `cosine` (LDAM); null is linear, too, but not stated, so that a loss may ask for a choice.
    bias_init: `default` is the network's own; `prior` starts a linear head's bias at -ln(C - 1), so that every class's
    sigmoid starts near 1 / C (CB's sigmoid losses, CDB).
    `clips` tells whether a network reads clips [N, channels, frames, height, width] instead of images.
    """

    clips: ClassVar[bool] = False
    kind: Any  # each network's own word; declared here to stand first in YAML
    head: Literal["linear", "cosine"] | None = None
    bias_init: Literal["default", "prior"] = "default"

    def new_head(self, features: int, classes: int) -> nn.Linear | CosineHead:
        """A fresh classifier, initialised as `build` does: what a built network's `classifier` may be replaced by."""
        if self.head == "cosine":
            return CosineHead(features, classes)
        head = nn.Linear(features, classes)
        self.initialise(head)
        if self.bias_init == "prior":
            nn.init.constant_(head.bias, -math.log(classes - 1))
        return head

    def initialise(self, module: nn.Module) -> None:
        """Draw the weights of a new part of the network: torch's own draw stays where a network has no other."""

    def canonical(self) -> Self:
        """The one form of all settings that give the same network: a cosine head has no bias to initialise."""
        cosine = self.head == "cosine"
        return self.model_copy(update={"bias_init": "default"} if cosine else {"head": "linear"})


class BodyAndHead(nn.Module):
    """A body, images or clips -> features [N, D], and the classifier on top of it."""

    def __init__(self, body: nn.Module, classifier: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.classifier = classifier

    def forward(self, x: Tensor) -> Outputs:
        features = self.body(x)
        return Outputs(self.classifier(features), features)
