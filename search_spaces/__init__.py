"""Claims that papers make, as values: settings and ranges. Imports lt_core only."""

from lt_core import TrainConfig
from search_spaces.controls import plain_cross_entropy
from search_spaces.demo import DEMO, DIGITS_IB
from search_spaces.ib2021 import CIFAR10, CIFAR10_IB
from search_spaces.space import Choice, Float, Int, Space
from search_spaces.study import Rungs, Study

SPACES: dict[str, Space] = {space.name: space for space in (DEMO, CIFAR10)}

CONFIGS: dict[str, TrainConfig] = {
    "demo": DIGITS_IB,
    "demo-ce": plain_cross_entropy(DIGITS_IB),
    "ib2021-cifar10": CIFAR10_IB,
    "ce-cifar10": plain_cross_entropy(CIFAR10_IB),
}

__all__ = ["CONFIGS", "SPACES", "Choice", "Float", "Int", "Rungs", "Space", "Study"]
