"""Cui, Jia, Lin, Song, Belongie: Class-Balanced Loss Based on Effective Number of Samples, CVPR 2019.

Reported on CIFAR-10, imbalance 100: error 25.43, the best of a grid over loss, beta and gamma (table 2).
"""

from lt_core import TrainConfig
from lt_core.losses import CrossEntropy, SigmoidCrossEntropy, SigmoidFocal
from lt_core.weights import EffectiveNumber
from search_spaces.baselines import sigmoid_loss, with_loss
from search_spaces.presets import cifar_cb, large_scale_cb

CBLoss = CrossEntropy | SigmoidCrossEntropy | SigmoidFocal


def class_balanced(base: TrainConfig, loss: CBLoss | None = None, beta: float = 0.9999) -> TrainConfig:
    """CB (Cui et al., CVPR 2019): softmax, sigmoid or focal loss, weighted by the effective number; a mean over N."""
    weights = EffectiveNumber(beta=beta)
    if loss is None or isinstance(loss, CrossEntropy):
        return with_loss(base, CrossEntropy(), weights)
    return sigmoid_loss(base, loss, weights)


CIFAR10_CB = class_balanced(cifar_cb("cifar10", imbalance=100), SigmoidFocal(gamma=1.0))
CIFAR100_CB = class_balanced(cifar_cb("cifar100", imbalance=100), SigmoidFocal(gamma=1.0), beta=0.9)
INATURALIST2017_CB = class_balanced(large_scale_cb("inaturalist2017"), SigmoidFocal(gamma=0.5), beta=0.999)
INATURALIST2018_CB = class_balanced(large_scale_cb("inaturalist2018"), SigmoidFocal(gamma=0.5), beta=0.999)
IMAGENET_CB = class_balanced(large_scale_cb("imagenet"), SigmoidFocal(gamma=0.5), beta=0.999)
