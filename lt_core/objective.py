"""What a phase minimises on a batch: its per-sample loss, weighted and reduced, of plain or mixed images."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from lt_core.losses import Given
from lt_core.mixup import mixup
from lt_core.models import Outputs
from lt_core.phases import Phase
from lt_core.weights import reduce


@dataclass(frozen=True)
class Objective:
    """The objective of one epoch. `mixup` is the alpha of its Beta distribution, 0 is none."""

    phase: Phase
    given: Given
    mixup: float
    draws: torch.Generator

    def __call__(self, network: Callable[[Tensor], Outputs], images: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch, a scalar: images [N, ...], labels [N]."""
        if not self.mixup:
            return self._reduced(network(images), labels)
        mixed = mixup(images, self.mixup, self.draws)
        outputs = network(mixed.images)
        own, partners = (self._reduced(outputs, y) for y in (labels, labels[mixed.partners]))
        return mixed.share * own + (1 - mixed.share) * partners

    def weighted(self, outputs: Outputs, labels: Tensor) -> Tensor:
        """The losses [N] of a batch under its class weights, not reduced."""
        return self.given.weights[labels] * self.phase.loss(outputs, labels, self.given)

    def _reduced(self, outputs: Outputs, labels: Tensor) -> Tensor:
        losses = self.phase.loss(outputs, labels, self.given)
        numerator, denominator = reduce(losses, self.given.weights[labels], self.phase.weights.reduction)
        return numerator / denominator
