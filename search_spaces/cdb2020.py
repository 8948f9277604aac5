"""Sinha, Ohashi, Nakamura: Class-Wise Difficulty-Balanced Loss for Solving Class-Imbalance, ACCV 2020.

Reported with dynamic tau: CIFAR-100, imbalance 100: 42.57 (table 3); MNIST 4 against 9 at a majority ratio of .98:
1.65 % error (table 1). The official code covers CIFAR-100, ImageNet-LT and EGTEA, not MNIST.
"""

from lt_core import Phase, TrainConfig
from lt_core.weights import CifarCodeTau, ClassDifficulty, FixedTau, ImageNetCodeTau, PaperTau, Reduction
from search_spaces.presets import cifar100_cdb, egtea, imagenet_lt, mnist_4_9

Tau = FixedTau | PaperTau | CifarCodeTau | ImageNetCodeTau


def class_difficulty(base: TrainConfig, tau: Tau | None = None, reduction: Reduction = "mean") -> TrainConfig:
    """CDB-CE (Sinha et al., ACCV 2020): CE weighted by class difficulty; tau dynamic as in the paper unless given."""
    weights = ClassDifficulty(tau=tau or PaperTau(), reduction=reduction)
    return base.replaced(phases=(Phase(weights=weights),))


MNIST_CDB = class_difficulty(mnist_4_9(majority_ratio=0.98))
CIFAR100_CDB = class_difficulty(cifar100_cdb(imbalance=100), CifarCodeTau())
IMAGENET_LT_CDB = class_difficulty(imagenet_lt(), ImageNetCodeTau(), "weighted_mean")
EGTEA_CDB = class_difficulty(egtea(), CifarCodeTau())
