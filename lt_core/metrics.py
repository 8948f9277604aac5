"""Confusion matrix -> accuracies: micro, macro, worst class, head and tail thirds, many / medium / few."""

from collections.abc import Sequence

import torch
from torch import Tensor

MANY, FEW = 100, 20  # training images: many > 100, few < 20, medium between (Liu et al., CVPR 2019)


def confusion_matrix(predicted: Tensor, targets: Tensor, classes: int) -> Tensor:
    """Counts [C, C] on the CPU: true class by row, predicted class by column."""
    return torch.bincount(targets * classes + predicted, minlength=classes**2).reshape(classes, classes).cpu()


def accuracies(confusion: Tensor, class_counts: Sequence[int]) -> dict[str, float]:
    """Accuracies in [0, 1] by name, of a confusion matrix [C, C]; groups are by training images per class.

    `head` and `tail` are the first and last third of the classes by count; a group without a class is left out.
    """
    per_class = confusion.diagonal().double() / confusion.sum(1).clamp_min(1)
    counts = torch.tensor(class_counts)
    order = counts.argsort(descending=True, stable=True)
    third = max(1, len(order) // 3)
    groups = {
        "macro": order,
        "head": order[:third],
        "tail": order[-third:],
        "many": torch.where(counts > MANY)[0],
        "medium": torch.where((counts >= FEW) & (counts <= MANY))[0],
        "few": torch.where(counts < FEW)[0],
    }
    found = {name: per_class[group].mean().item() for name, group in groups.items() if len(group)}
    micro = (confusion.diagonal().sum().double() / confusion.sum()).item()
    return {
        "acc": micro,
        "acc_worst": per_class.min().item(),
        **{f"acc_{name}": v for name, v in found.items()},
    }
