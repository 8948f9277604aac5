"""Batch normalisation over chunks of the batch, as when the batch is spread over several GPUs."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class GhostBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation whose training statistics are those of each `size` images in turn; the last may be fewer.

    Only the first chunk updates the running statistics, which evaluation uses, as in torch's DataParallel; that cuts
    a last, smaller batch into as many chunks as there are GPUs, however. CDB trains 128 images on 4 GPUs. The name is
    from Hoffer et al., NeurIPS 2017.
    """

    def __init__(self, width: int, size: int) -> None:
        super().__init__(width)
        self.size = size

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or len(input) <= self.size:
            return super().forward(input)
        first, *others = input.split(self.size)
        return torch.cat([super().forward(first), *map(self._normalised, others)])

    def _normalised(self, chunk: Tensor) -> Tensor:
        return F.batch_norm(chunk, None, None, self.weight, self.bias, training=True, eps=self.eps)
