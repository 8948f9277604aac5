"""Park et al., Influence-Balanced Loss for Imbalanced Visual Classification, ICCV 2021.

Reported on CIFAR-10, imbalance 100 (long-tailed), ResNet-32: 78.26 (table 4), best test epoch. The one independent
reproduction with the official recipe gives 76.66 (BagofTricks-LT).
"""

from collections.abc import Callable

from lt_core import Focal, InfluenceBalanced, InverseFrequency, Phase, TrainConfig, override
from lt_core.losses import CrossEntropy
from lt_core.weights import EffectiveNumber
from search_spaces.baselines import with_loss
from search_spaces.domains import Float, Int
from search_spaces.presets import cifar_lt, inaturalist2018_ib, tiny_imagenet_lt
from search_spaces.space import Space


def influence_balanced(
    base: TrainConfig,
    T1: int,
    lr_scale: float = 0.01,
    weights: InverseFrequency | EffectiveNumber | None = None,
    gamma: float = 0.0,
) -> TrainConfig:
    """IB (Park et al., ICCV 2021): CE up to epoch T1, then IB with inverse-frequency weights, as the code runs it.

    alpha is 1000 and epsilon 1e-3; the code drops the learning rate by 0.01 at T1, which the paper does not say,
    and has no warm-up from there on. IB + CB has effective-number weights, IB + Focal a gamma of 1.
    """
    balanced = Phase(
        start=T1,
        loss=InfluenceBalanced(gamma=gamma),
        weights=weights or InverseFrequency(),
        lr_scale=lr_scale,
        warmup=False,
    )
    return base.replaced(phases=(Phase(), balanced))


def ib(base: TrainConfig) -> TrainConfig:
    """IB from half of the training on, as the paper recommends."""
    return influence_balanced(base, T1=base.epochs // 2)


def ib_cb(base: TrainConfig) -> TrainConfig:
    """IB + CB: IB with the weights of Class-Balanced."""
    return influence_balanced(base, T1=base.epochs // 2, weights=EffectiveNumber())


def ib_focal(base: TrainConfig) -> TrainConfig:
    """IB + Focal: the focal loss in the second phase."""
    return influence_balanced(base, T1=base.epochs // 2, gamma=1.0)


def ib_with(**fields: object) -> Callable[[TrainConfig], TrainConfig]:
    """IB with some fields of its loss changed, as a method."""
    return lambda base: override(ib(base), {f"phases.1.loss.{name}": value for name, value in fields.items()})


def ce_with_drop(base: TrainConfig) -> TrainConfig:
    """CE with the learning-rate drop that IB's code makes at T1, and nothing else of IB."""
    return base.replaced(phases=(Phase(), Phase(start=base.epochs // 2, lr_scale=0.01, warmup=False)))


def focal_of_code(base: TrainConfig) -> TrainConfig:
    """The focal baseline of the IB code: softmax, gamma 1, times 10, which the paper does not say."""
    return with_loss(base, Focal(gamma=1.0, scale=10.0))


def cb_of_code(base: TrainConfig) -> TrainConfig:
    """CE weighted by the effective number, torch's weighted mean: Class-Balanced in LDAM's code, which IB's is of."""
    return with_loss(base, CrossEntropy(), EffectiveNumber(reduction="weighted_mean"))


CIFAR10_IB = influence_balanced(cifar_lt("cifar10", imbalance=100), T1=100)
CIFAR10_IB_CB = influence_balanced(cifar_lt("cifar10", imbalance=100), T1=100, weights=EffectiveNumber())
CIFAR10_IB_FOCAL = influence_balanced(cifar_lt("cifar10", imbalance=100), T1=100, gamma=1.0)
CIFAR100_IB = influence_balanced(cifar_lt("cifar100", imbalance=100), T1=100)
TINY_IMAGENET_IB = influence_balanced(tiny_imagenet_lt(imbalance=100), T1=50)
INATURALIST2018_IB = influence_balanced(inaturalist2018_ib(), T1=50, lr_scale=1.0)


def _space(name: str, about: str, base: TrainConfig) -> Space:
    return Space(
        name=name,
        about=about,
        base=base,
        domains={
            "T1": Int(path="phases.1.start", low=0, high=160),
            "epsilon": Float(path="phases.1.loss.epsilon", low=1e-8, high=1e-1, log=True),
            "alpha": Float(path="phases.1.loss.alpha", low=10, high=1e5, log=True),
        },
    )


CIFAR10 = _space(
    "ib2021-cifar10",
    "IB on CIFAR-10, imbalance 100, ResNet-32: T1, epsilon, alpha (tables 2 and 4, figure 3)",
    CIFAR10_IB,
)
CIFAR100 = _space(
    "ib2021-cifar100",
    "IB on CIFAR-100, imbalance 100, ResNet-32: T1, epsilon, alpha (table 4)",
    CIFAR100_IB,
)
