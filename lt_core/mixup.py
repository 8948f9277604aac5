"""mixup: batches of images blended in pairs. Zhang et al., ICLR 2018."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


class Mixed(NamedTuple):
    """Images x_i * share + x_j * (1 - share), and which j [N] each was blended with."""

    images: Tensor
    partners: Tensor
    share: float


def mixup(images: Tensor, alpha: float, draws: torch.Generator) -> Mixed:
    """Blend a batch with a permutation of itself, the share drawn from Beta(alpha, alpha) once for the batch."""
    seed = int(torch.randint(2**62, (), generator=draws))
    share = float(np.random.default_rng(seed).beta(alpha, alpha))  # torch's Beta takes no generator
    partners = torch.randperm(len(images), generator=draws).to(images.device)
    return Mixed(share * images + (1 - share) * images[partners], partners, share)
