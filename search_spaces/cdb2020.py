"""Sinha, Ohashi, Nakamura: Class-Wise Difficulty-Balanced Loss for Solving Class-Imbalance, ACCV 2020.

Reported with dynamic tau: CIFAR-100, imbalance 100: 42.57 (table 3); MNIST 4 against 9 at a majority ratio of .98:
1.65 % error (table 1). The official code covers CIFAR-100, ImageNet-LT and EGTEA, not MNIST.
"""

from lt_core import Phase, TrainConfig
from lt_core.weights import CifarCodeTau, ClassDifficulty, FixedTau, ImageNetCodeTau, PaperTau, Reduction
from search_spaces.domains import Arm, Branch, Float
from search_spaces.presets import cifar100_cdb, egtea, imagenet_lt, mnist_4_9
from search_spaces.space import Space

Tau = FixedTau | PaperTau | CifarCodeTau | ImageNetCodeTau


def class_difficulty(base: TrainConfig, tau: Tau | None = None, reduction: Reduction = "mean") -> TrainConfig:
    """CDB-CE (Sinha et al., ACCV 2020): CE weighted by class difficulty; tau dynamic as in the paper unless given."""
    weights = ClassDifficulty(tau=tau or PaperTau(), reduction=reduction)
    return base.replaced(phases=(Phase(weights=weights),))


MNIST_CDB = class_difficulty(mnist_4_9(majority_ratio=0.98))
CIFAR100_CDB = class_difficulty(cifar100_cdb(imbalance=100), CifarCodeTau())
IMAGENET_LT_CDB = class_difficulty(imagenet_lt(), ImageNetCodeTau(), "weighted_mean")
EGTEA_CDB = class_difficulty(egtea(), CifarCodeTau())


def tau_rules(own: str) -> Branch:
    """tau by each of the three dynamic rules, or fixed, in which case it is searched; `own` is the base's rule."""
    path = "phases.0.weights.tau"
    arms = {rule: Arm(patch={path: {"kind": rule}}) for rule in ("paper", "cifar_code", "imagenet_code")}
    fixed = Arm(patch={path: {"kind": "fixed"}}, domains={"tau": Float(path=f"{path}.value", low=0.25, high=5)})
    return Branch(labels={**arms, own: Arm(), "fixed": fixed})


MNIST = Space(
    name="cdb2020-mnist",
    about="CDB-CE on MNIST, 4 against 9, majority ratio .98, LeNet-5: tau fixed and dynamic (table 2)",
    base=MNIST_CDB,
    domains={"tau_rule": tau_rules("paper"), "lr": Float(path="optimizer.lr", low=1e-4, high=1e-1, log=True)},
)
CIFAR100 = Space(
    name="cdb2020-cifar100",
    about="CDB-CE on CIFAR-100, imbalance 100, ResNet-32: tau fixed and dynamic (table 4)",
    base=CIFAR100_CDB,
    domains={"tau_rule": tau_rules("cifar_code"), "lr": Float(path="optimizer.lr", low=0.01, high=0.5, log=True)},
)
