"""The training core: nouns that a paper on class-imbalanced losses has. Knows nothing of ray, optuna or mlflow."""

from lt_core.config import Phase, TrainConfig, scaled
from lt_core.data import Data
from lt_core.losses import CrossEntropy, Focal, InfluenceBalanced
from lt_core.models import LeNet5, Outputs, ResNet32, SmallCNN
from lt_core.optim import SGD, Cosine, Step
from lt_core.train import EpochResult, Run, fit
from lt_core.value import InputError, Value, override
from lt_core.weights import EffectiveNumber, InverseFrequency, NoWeights

__version__ = "0.1.0"

__all__ = [
    "SGD",
    "Cosine",
    "CrossEntropy",
    "Data",
    "EffectiveNumber",
    "EpochResult",
    "Focal",
    "InfluenceBalanced",
    "InputError",
    "InverseFrequency",
    "LeNet5",
    "NoWeights",
    "Outputs",
    "Phase",
    "ResNet32",
    "Run",
    "SmallCNN",
    "Step",
    "TrainConfig",
    "Value",
    "fit",
    "override",
    "scaled",
]
