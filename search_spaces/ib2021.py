"""Park et al., Influence-Balanced Loss for Imbalanced Visual Classification, ICCV 2021.

Reported on CIFAR-10, imbalance 100 (long-tailed), ResNet-32: 78.26 (table 4), best test epoch. The one independent
reproduction with the official recipe gives 76.66 (BagofTricks-LT).
"""

from lt_core import InfluenceBalanced, InverseFrequency, Phase, TrainConfig
from search_spaces.presets import cifar10_lt
from search_spaces.space import Float, Int, Space


def influence_balanced(base: TrainConfig, T1: int, lr_scale: float = 0.01) -> TrainConfig:
    """CE up to epoch T1, then IB with inverse-frequency weights, as the official code runs it.

    alpha is 1000 and epsilon 1e-3; the code drops the learning rate by 0.01 at T1, which the paper does not say,
    and has no warm-up from there on.
    """
    balanced = Phase(start=T1, loss=InfluenceBalanced(), weights=InverseFrequency(), lr_scale=lr_scale, warmup=False)
    return base.model_copy(update={"phases": (Phase(), balanced)})


CIFAR10_IB = influence_balanced(cifar10_lt(imbalance=100), T1=100)

CIFAR10 = Space(
    name="ib2021-cifar10",
    about="IB on CIFAR-10, imbalance 100, ResNet-32, 200 epochs: T1, epsilon, alpha (tables 2 and 4, figure 3)",
    base=CIFAR10_IB,
    domains={
        "T1": Int(path="phases.1.start", low=0, high=160),
        "epsilon": Float(path="phases.1.loss.epsilon", low=1e-8, high=1e-1, log=True),
        "alpha": Float(path="phases.1.loss.alpha", low=10, high=1e5, log=True),
    },
)
