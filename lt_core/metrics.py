"""What a trained network is judged by: logits and targets -> one confusion matrix -> accuracies by name.

Names: `acc` (top-1), `top5`, `acc[c]` of class c, `acc_macro`, `acc_worst`; `acc_head`, `acc_tail`, `acc_many`,
`acc_medium` and `acc_few` of groups of classes by their training images; `recall_macro` and `precision_macro` over all
classes, and over `[majority]` and `[minority]`; `ece`. Classes without an image in the evaluated part are left out of
every mean and minimum, and a group without a class has no value.
Not here: which epoch is evaluated.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor

from lt_core.value import Value, wrong_first

ECE_BINS = 15  # Guo et al., ICML 2017


class Groups(Value):
    """Which classes belong together, by their number of training images.

    many: above `many`; few: below `few`; medium between, both thresholds included (Liu et al., CVPR 2019).
    majority: from `majority` images on, minority below; null for none. 400 gives the five majority classes of CDB's
    EGTEA tables; the threshold in its code, above 600, gives four, and the printed numbers do not come from it.
    """

    many: Annotated[int, Field(ge=0)] = 100
    few: Annotated[int, Field(ge=0)] = 20
    majority: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _few_below_many(self) -> "Groups":
        if self.few > self.many:
            raise wrong_first(f"few must not be above many, {self.many}, but is {self.few}")
        return self


@dataclass(frozen=True)
class Evaluated:
    """A network on one part.

    confusion: counts [C, C] on the CPU, true class by row. top5: share of images whose class is among the 5 largest
    logits, None with fewer than 6 classes. ece: expected calibration error of the softmax in [0, 1] (Guo et al., ICML
    2017; 15 bins of equal width). finite: whether all logits were.
    """

    confusion: Tensor
    top5: float | None
    ece: float
    finite: bool

    @property
    def accuracy(self) -> float:
        """Top-1, in [0, 1]."""
        return (self.confusion.diagonal().sum().double() / self.confusion.sum()).item()


@torch.no_grad()
def evaluated(batches: Iterable[tuple[Tensor, Tensor]], classes: int) -> Evaluated:
    """The evaluation of pairs of logits [N, C] and targets [N], of at least one; the same however they are cut."""
    judged = zip(*(_judged(logits.float(), targets) for logits, targets in batches), strict=True)
    predicted, targets, confidence, in_top5, finite = (torch.cat(column).cpu() for column in judged)
    return Evaluated(
        confusion=confusion_matrix(predicted, targets, classes),
        top5=in_top5.double().mean().item() if classes > 5 else None,
        ece=calibration_error(confidence, predicted == targets),
        finite=bool(finite.all()),
    )


def _judged(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """For each image [N]: predicted class, true class, confidence, whether it is among the top 5, all finite."""
    top5 = logits.topk(min(5, logits.shape[1]), dim=1).indices
    confidence = F.softmax(logits, dim=1).amax(1)
    return logits.argmax(1), targets, confidence, (top5 == targets[:, None]).any(1), logits.isfinite().all(1)


def confusion_matrix(predicted: Tensor, targets: Tensor, classes: int) -> Tensor:
    """Counts [C, C] on the CPU: true class by row, predicted class by column."""
    return torch.bincount(targets * classes + predicted, minlength=classes**2).reshape(classes, classes).cpu()


def calibration_error(confidence: Tensor, correct: Tensor, bins: int = ECE_BINS) -> float:
    """Expected calibration error in [0, 1] of confidences [N] in (0, 1] and whether each prediction was correct [N].

    The sum over bins of |accuracy - mean confidence|, each by its share of the images; a bin holds its upper edge.
    """
    confidence = confidence.double()
    inside = (confidence * bins).ceil().long().sub(1).clamp(0, bins - 1)
    gaps = torch.zeros(bins, dtype=torch.float64).index_add(0, inside, correct.double() - confidence)
    return gaps.abs().sum().item() / len(confidence)


def accuracies(confusion: Tensor, class_counts: Sequence[int], groups: Groups = Groups()) -> dict[str, float]:  # noqa: B008
    """The accuracies in [0, 1] that are logged each epoch, of a confusion matrix [C, C].

    `head` and `tail` are the first and last third of the classes by `class_counts`, their training images.
    """
    hits, images = confusion.diagonal().double(), confusion.sum(1)
    recall = hits / images.clamp_min(1)
    found = {
        "acc": (hits.sum() / images.sum()).item(),
        "acc_worst": recall[images > 0].min().item(),
    }
    for name, members in _by_count(class_counts, groups).items():
        found |= _mean(f"acc_{name}", recall, members & (images > 0))
    return found


def measures(found: Evaluated, class_counts: Sequence[int], groups: Groups = Groups()) -> dict[str, float]:  # noqa: B008
    """Every value that an evaluation gives, by name; the module's docstring lists them.

    The precision of a class that is never predicted is 0, as in CDB's EGTEA code.
    """
    images = found.confusion.sum(1)
    recall = found.confusion.diagonal().double() / images.clamp_min(1)
    precision = found.confusion.diagonal().double() / found.confusion.sum(0).clamp_min(1)
    values = accuracies(found.confusion, class_counts, groups) | {"ece": found.ece}
    if found.top5 is not None:
        values["top5"] = found.top5
    for name, members in _by_majority(class_counts, groups).items():
        values |= _mean(f"recall_macro{name}", recall, members & (images > 0))
        values |= _mean(f"precision_macro{name}", precision, members & (images > 0))
    return values | {f"acc[{c}]": r for c, (r, n) in enumerate(zip(recall.tolist(), images, strict=True)) if n}


def _mean(name: str, values: Tensor, members: Tensor) -> dict[str, float]:
    """The mean over a group of classes, by name; nothing for a group without a class."""
    return {name: values[members].mean().item()} if members.any() else {}


def _by_count(class_counts: Sequence[int], groups: Groups) -> dict[str, Tensor]:
    """Masks [C] of the groups that accuracies are given for."""
    counts = torch.tensor(class_counts)
    rank = counts.argsort(descending=True, stable=True).argsort()
    third = max(1, len(counts) // 3)
    return {
        "macro": counts >= 0,
        "head": rank < third,
        "tail": rank >= len(counts) - third,
        "many": counts > groups.many,
        "medium": (counts >= groups.few) & (counts <= groups.many),
        "few": counts < groups.few,
    }


def _by_majority(class_counts: Sequence[int], groups: Groups) -> dict[str, Tensor]:
    """Masks [C] of all classes and, where there is a threshold, of the majority and the minority."""
    counts = torch.tensor(class_counts)
    if groups.majority is None:
        return {"": counts >= 0}
    majority = counts >= groups.majority
    return {"": counts >= 0, "[majority]": majority, "[minority]": ~majority}
