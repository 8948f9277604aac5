"""The training core: nouns that a paper on class-imbalanced losses has. Knows nothing of ray, optuna or mlflow."""

from lt_core.config import Evaluation, TrainConfig, scaled
from lt_core.data import Data
from lt_core.losses import (
    LDAM,
    CrossEntropy,
    Equalization,
    Focal,
    Given,
    InfluenceBalanced,
    LogitAdjusted,
    SigmoidCrossEntropy,
    SigmoidEqualization,
    SigmoidFocal,
    VectorScaling,
)
from lt_core.meta import LearningToReweight, MetaWeightNet
from lt_core.metrics import Groups
from lt_core.models import LeNet5, Outputs, ResNet, ResNet32, ResNeXt3D, SmallCNN
from lt_core.optim import SGD, Cosine, Step
from lt_core.phases import Phase, Restart
from lt_core.posthoc import PostHocLogitAdjustment, TauNormalization
from lt_core.train import EpochResult, Run, fit
from lt_core.value import InputError, Value, override
from lt_core.weights import (
    CifarCodeTau,
    ClassDifficulty,
    EffectiveNumber,
    FixedTau,
    ImageNetCodeTau,
    InverseFrequency,
    NoWeights,
    PaperTau,
)

__version__ = "0.1.0"

__all__ = [
    "LDAM",
    "SGD",
    "CifarCodeTau",
    "ClassDifficulty",
    "Cosine",
    "CrossEntropy",
    "Data",
    "EffectiveNumber",
    "EpochResult",
    "Equalization",
    "Evaluation",
    "FixedTau",
    "Focal",
    "Given",
    "Groups",
    "ImageNetCodeTau",
    "InfluenceBalanced",
    "InputError",
    "InverseFrequency",
    "LeNet5",
    "LearningToReweight",
    "LogitAdjusted",
    "MetaWeightNet",
    "NoWeights",
    "Outputs",
    "PaperTau",
    "Phase",
    "PostHocLogitAdjustment",
    "ResNeXt3D",
    "ResNet",
    "ResNet32",
    "Restart",
    "Run",
    "SigmoidCrossEntropy",
    "SigmoidEqualization",
    "SigmoidFocal",
    "SmallCNN",
    "Step",
    "TauNormalization",
    "TrainConfig",
    "Value",
    "VectorScaling",
    "fit",
    "override",
    "scaled",
]
