"""Networks: images [N, channels, height, width] -> Outputs(logits [N, C], features [N, D]).

The settings of a network are a value with `build`; the `Model` union is the registry.
Not here: which loss wants which features.
"""

from itertools import pairwise
from typing import Annotated, Literal, NamedTuple

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from lt_core.value import Value


class Outputs(NamedTuple):
    """What a network gives: logits [N, C] and the classifier's input features [N, D]."""

    logits: Tensor
    features: Tensor


class ResNet32(Value):
    """CIFAR ResNet-32 with option-A shortcuts, 464,154 parameters at 10 classes. He et al., CVPR 2016; as LDAM, IB."""

    kind: Literal["resnet32"] = "resnet32"

    def build(self, channels: int, image_size: int, classes: int) -> nn.Module:
        """The network, initialised from torch's global generator; any image size."""
        return _ResNet32(channels, classes)


class LeNet5(Value):
    """LeNet-5 with ReLU and max-pooling on images resized to 32x32: 61,706 parameters at 10 classes, one channel."""

    kind: Literal["lenet5"] = "lenet5"

    def build(self, channels: int, image_size: int, classes: int) -> nn.Module:
        """The network, initialised from torch's global generator; any image size."""
        return _LeNet5(channels, classes)


class SmallCNN(Value):
    """Two 3x3 convolutions, one pooling, one hidden layer of 64: for the 8x8 digits, where global pooling fails."""

    kind: Literal["small_cnn"] = "small_cnn"

    def build(self, channels: int, image_size: int, classes: int) -> nn.Module:
        """The network, initialised from torch's global generator; its hidden layer grows with the image size."""
        return _SmallCNN(channels, image_size, classes)


Model = Annotated[ResNet32 | LeNet5 | SmallCNN, Field(discriminator="kind")]


class _ResNet32(nn.Module):
    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, 16, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(16)
        widths = [16] * 6 + [32] * 5 + [64] * 5
        self.blocks = nn.Sequential(*(_Block(a, b) for a, b in pairwise(widths)))
        self.classifier = nn.Linear(64, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, x: Tensor) -> Outputs:
        x = F.relu(self.norm(self.stem(x)), inplace=True)
        features = self.blocks(x).mean((2, 3))
        return Outputs(self.classifier(features), features)


class _Block(nn.Module):
    """Two 3x3 convolutions; where the width doubles, stride 2 and a sliced, zero-padded shortcut (option A)."""

    def __init__(self, width_in: int, width: int) -> None:
        super().__init__()
        self.stride = 1 if width_in == width else 2
        self.grow = (width - width_in) // 2
        self.conv1 = nn.Conv2d(width_in, width, 3, self.stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)), inplace=True)
        y = self.norm2(self.conv2(y))
        if self.grow:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.grow, self.grow))
        return F.relu(y.add_(x), inplace=True)


class _LeNet5(nn.Module):
    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.conv3 = nn.Conv2d(16, 120, 5)
        self.hidden = nn.Linear(120, 84)
        self.classifier = nn.Linear(84, classes)

    def forward(self, x: Tensor) -> Outputs:
        x = F.interpolate(x, size=(32, 32), mode="bilinear", align_corners=False) if x.shape[-1] != 32 else x
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        features = F.relu(self.hidden(F.relu(self.conv3(x)).flatten(1)))
        return Outputs(self.classifier(features), features)


class _SmallCNN(nn.Module):
    def __init__(self, channels: int, image_size: int, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1)
        self.hidden = nn.Linear(64 * (image_size // 2) ** 2, 64)
        self.classifier = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Outputs:
        x = F.max_pool2d(F.relu(self.conv2(F.relu(self.conv1(x)))), 2)
        features = F.relu(self.hidden(torch.flatten(x, 1)))
        return Outputs(self.classifier(features), features)
