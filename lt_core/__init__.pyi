from .config import Evaluation, TrainConfig, scaled
from .data import Data
from .losses import (
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
from .meta import LearningToReweight, MetaWeightNet
from .metrics import Groups
from .models import LeNet5, Outputs, ResNet, ResNet32, ResNeXt3D, SmallCNN
from .optim import SGD, Cosine, Step
from .phases import Phase, Restart
from .posthoc import PostHocLogitAdjustment, TauNormalization
from .train import EpochResult, Run, fit
from .value import InputError, Value, override
from .weights import (
    CifarCodeTau,
    ClassDifficulty,
    EffectiveNumber,
    FixedTau,
    ImageNetCodeTau,
    InverseFrequency,
    NoWeights,
    PaperTau,
)

__version__: str

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
