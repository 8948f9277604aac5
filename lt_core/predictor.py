"""Predictor: a trained network as it is used, from pixels to the classes' probabilities, in one module.

Not here: training (train.py), and what an evaluation makes of the logits (metrics.py).
"""

from typing import Any

import torch
from torch import Tensor, nn

from lt_core.losses import LDAM, Loss
from lt_core.models import Outputs
from lt_core.normalisation import Normalise
from lt_core.posthoc import PostHoc


def evaluated_logits(loss: Loss, post_hoc: PostHoc, outputs: Outputs, head: nn.Module, counts: Tensor) -> Tensor:
    """The logits [N, C] that an evaluation judges: after the step of evaluation, cosines by the scale of LDAM.

    loss: of the last phase. head: the network's classifier. counts: the classes' training images [C].
    """
    return (loss.s if isinstance(loss, LDAM) else 1.0) * post_hoc(outputs, head, counts)


class Predictor(nn.Module):
    """Pixels uint8 [B, channels, S, S] (clips: [B, 3, frames, S, S]) -> probabilities [B, C], softmax of the logits.

    The normalisation is inside; the network runs in float32 and in evaluation mode.
    """

    counts: Tensor

    def __init__(self, network: Any, normalise: Normalise, loss: Loss, post_hoc: PostHoc, counts: Tensor) -> None:
        super().__init__()
        self.network, self.normalise = network, normalise
        self.register_buffer("counts", counts)
        self._loss, self._post_hoc = loss, post_hoc
        self.eval()

    def forward(self, pixels: Tensor) -> Tensor:
        outputs = self.network(self.normalise(pixels))
        logits = evaluated_logits(self._loss, self._post_hoc, outputs, self.network.classifier, self.counts)
        return torch.softmax(logits, dim=1)
