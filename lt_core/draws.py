"""Random draws of a training: generators keyed by (seed, epoch, purpose), and the order of an epoch's images.

Nothing else draws, so a run that was saved, moved and loaded draws what it would have drawn.
"""

import hashlib

import torch
from torch import Tensor


def generator(seed: int, epoch: int, purpose: str) -> torch.Generator:
    """A CPU generator that depends on all three."""
    return torch.Generator().manual_seed(key(seed, epoch, purpose))


def key(seed: int, epoch: int, purpose: str) -> int:
    """63 bits that depend on all three."""
    digest = hashlib.sha256(f"{seed}/{epoch}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def instance_balanced(labels: Tensor, draws: torch.Generator) -> Tensor:
    """Each of the N images once. Indices [N]"""
    return torch.randperm(len(labels), generator=draws)


def class_balanced(labels: Tensor, draws: torch.Generator) -> Tensor:
    """N draws with replacement: a class uniformly, then one of its images (Kang et al., ICLR 2020). Indices [N]"""
    labels = labels.cpu()
    counts = labels.bincount()
    return torch.multinomial(1 / counts.double()[labels], len(labels), replacement=True, generator=draws)
