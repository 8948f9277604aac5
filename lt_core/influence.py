"""How much each training sample influences a trained network, as the influence-balanced loss measures it."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from lt_core.heads import Outputs


@torch.no_grad()
def influence(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
    """The influence [N] of pairs of normalised images and targets, without augmentation: float32, on the CPU.

    |p - y|_1 * |h|_1 = 2 (1 - p_y) * |h|_1, with h the features that the classifier reads: the L1 norm of the gradient
    of the cross-entropy by a linear classifier's weight. Park et al., ICCV 2021, equations 3 and 4, and figure 2, which
    shows each class's 50 largest for a network that was trained with the cross-entropy. The network is in evaluation
    mode meanwhile.
    """
    training = model.training
    model.eval()
    try:
        return torch.cat([_influence(model(images), targets) for images, targets in batches]).cpu()
    finally:
        model.train(training)


def _influence(outputs: Outputs, targets: Tensor) -> Tensor:
    p = outputs.logits.float().softmax(1)
    not_y = p.scatter(1, targets[:, None], 0.0).sum(1)  # 1 - p_y, exact where p_y is within rounding of 1
    return 2 * not_y * outputs.features.float().abs().sum(1)
