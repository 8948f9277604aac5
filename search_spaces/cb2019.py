"""Cui, Jia, Lin, Song, Belongie: Class-Balanced Loss Based on Effective Number of Samples, CVPR 2019.

Reported on CIFAR-10, imbalance 100: error 25.43, the best of a grid over loss, beta and gamma (table 2).
"""

from collections.abc import Callable

from lt_core import TrainConfig
from lt_core.losses import CrossEntropy, SigmoidCrossEntropy, SigmoidFocal
from lt_core.weights import EffectiveNumber, NoWeights
from search_spaces.baselines import sigmoid_loss, with_loss
from search_spaces.domains import Arm, Branch, Float
from search_spaces.presets import cifar_cb, large_scale_cb
from search_spaces.space import Space

CBLoss = CrossEntropy | SigmoidCrossEntropy | SigmoidFocal


def class_balanced(base: TrainConfig, loss: CBLoss | None = None, beta: float = 0.9999) -> TrainConfig:
    """CB (Cui et al., CVPR 2019): softmax, sigmoid or focal loss, weighted by the effective number; a mean over N."""
    weights = EffectiveNumber(beta=beta)
    if loss is None or isinstance(loss, CrossEntropy):
        return with_loss(base, CrossEntropy(), weights)
    return sigmoid_loss(base, loss, weights)


def unbalanced(loss: CBLoss) -> Callable[[TrainConfig], TrainConfig]:
    """A loss of CB's grid without the class-balanced term, as a method."""
    if isinstance(loss, CrossEntropy):
        return lambda base: with_loss(base, loss)
    return lambda base: sigmoid_loss(base, loss, NoWeights())


def balanced(loss: CBLoss, beta: float) -> Callable[[TrainConfig], TrainConfig]:
    """CB with a loss and a beta, as a method."""
    return lambda base: class_balanced(base, loss, beta)


_SGM = SigmoidCrossEntropy()
_BEST = {  # table 2: loss and beta of the row "Class-Balanced", by dataset and imbalance
    ("cifar10", 200): (CrossEntropy(), 0.9999),
    ("cifar10", 100): (SigmoidFocal(gamma=1.0), 0.9999),
    ("cifar10", 50): (SigmoidFocal(gamma=2.0), 0.9999),
    ("cifar10", 20): (CrossEntropy(), 0.9999),
    ("cifar10", 10): (_SGM, 0.9999),
    ("cifar100", 200): (SigmoidFocal(gamma=1.0), 0.9),
    ("cifar100", 100): (SigmoidFocal(gamma=1.0), 0.9),
    ("cifar100", 50): (_SGM, 0.99),
    ("cifar100", 20): (SigmoidFocal(gamma=0.5), 0.99),
    ("cifar100", 10): (SigmoidFocal(gamma=0.5), 0.999),
}


def best_by_column() -> dict[tuple[str, int], Callable[[TrainConfig], TrainConfig]]:
    """What the row "Class-Balanced" of table 2 is, by dataset and imbalance; other papers copy it."""
    return {column: balanced(*best) for column, best in _BEST.items()}


CIFAR10_CB = class_balanced(cifar_cb("cifar10", imbalance=100), SigmoidFocal(gamma=1.0))
CIFAR100_CB = class_balanced(cifar_cb("cifar100", imbalance=100), SigmoidFocal(gamma=1.0), beta=0.9)
INATURALIST2017_CB = class_balanced(large_scale_cb("inaturalist2017"), SigmoidFocal(gamma=0.5), beta=0.999)
INATURALIST2018_CB = class_balanced(large_scale_cb("inaturalist2018"), SigmoidFocal(gamma=0.5), beta=0.999)
IMAGENET_CB = class_balanced(large_scale_cb("imagenet"), SigmoidFocal(gamma=0.5), beta=0.999)

CIFAR10 = Space(
    name="cb2019-cifar10",
    about="Class-Balanced on CIFAR-10, imbalance 100, ResNet-32: loss, beta, gamma (table 2, figure 5)",
    base=CIFAR10_CB,
    domains={
        "loss": Branch(
            labels={
                "focal": Arm(domains={"gamma": Float(path="phases.0.loss.gamma", low=0.5, high=2)}),
                "sigmoid": Arm(patch={"phases.0.loss": {"kind": "sigmoid_cross_entropy"}}),
                "softmax": Arm(
                    patch={
                        "phases.0.loss": {"kind": "cross_entropy"},
                        "model.bias_init": "default",
                        "optimizer.decay": "all",
                    }
                ),
            }
        ),
        "beta": Float(path="phases.0.weights.beta", low=0.9, high=0.99999, log_complement=True),
    },
)
