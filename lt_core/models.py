"""Networks: images [N, channels, height, width] -> Outputs(logits [N, C], features [N, D]).

The settings of a network are a value with `build`; the `Model` union is the registry. Here are the networks for small
images; those for larger ones are in resnets.py, the one for clips in resnext3d.py. Every network has its head as the
module `classifier`, and its settings give a fresh one by `new_head`.
Not here: which loss wants which features.
"""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from lt_core.ghost_batch import GhostBatchNorm2d
from lt_core.heads import Network, Outputs
from lt_core.resnets import ResNet
from lt_core.resnext3d import ResNeXt3D

__all__ = ["LeNet5", "Model", "Outputs", "ResNeXt3D", "ResNet", "ResNet32", "SmallCNN"]


class ResNet32(Network):
    """CIFAR ResNet-32 with option-A shortcuts, 464,154 parameters at 10 classes. He et al., CVPR 2016; as LDAM, IB.

    init: `kaiming` is LDAM's and IB's, N(0, sqrt(2 / fan_in)) for convolutions and linear head; `kaiming_body` leaves
    the head at torch's own draw (CDB's code); `glorot` is uniform, with a bias of 0 (CB's code).
    shortcut: where the width doubles, `slice` takes every other pixel, `average_pool` (CB's code) the mean of 2 x 2.
    ghost_batch: batch statistics over that many images in turn, as when a batch is spread over several GPUs (32 in
    CDB's code).
    """

    kind: Literal["resnet32"] = "resnet32"
    init: Literal["kaiming", "kaiming_body", "glorot"] = "kaiming"
    shortcut: Literal["slice", "average_pool"] = "slice"
    ghost_batch: Annotated[int, Field(ge=2)] | None = None

    def build(self, channels: int, image_size: int, classes: int, root: Path | None = None) -> nn.Module:
        """The network, initialised from torch's global generator; any image size."""
        return _ResNet32(self, channels, classes)

    def initialise(self, module: nn.Module) -> None:
        """Draw the convolutions and linear layers of a module as `init` says."""
        for layer in module.modules():
            if isinstance(layer, nn.Conv2d) or (isinstance(layer, nn.Linear) and self.init != "kaiming_body"):
                _INIT[self.init](layer.weight)
            if isinstance(layer, nn.Linear) and self.init == "glorot":
                nn.init.zeros_(layer.bias)


class LeNet5(Network):
    """LeNet-5 with ReLU and max-pooling on images resized to 32x32: 61,706 parameters at 10 classes, one channel.

    As in a PyTorch version of L2RW's MNIST experiment (danieltan07), which has one output where CDB's has two: 61,026.
    """

    kind: Literal["lenet5"] = "lenet5"

    def build(self, channels: int, image_size: int, classes: int, root: Path | None = None) -> nn.Module:
        """The network, initialised from torch's global generator; any image size."""
        return _LeNet5(channels, self.new_head(84, classes))


class SmallCNN(Network):
    """Two 3x3 convolutions, one pooling, one hidden layer of 64: for the 8x8 digits, where global pooling fails."""

    kind: Literal["small_cnn"] = "small_cnn"

    def build(self, channels: int, image_size: int, classes: int, root: Path | None = None) -> nn.Module:
        """The network, initialised from torch's global generator; its hidden layer grows with the image size."""
        return _SmallCNN(channels, image_size, self.new_head(64, classes))


Model = Annotated[ResNet32 | LeNet5 | SmallCNN | ResNet | ResNeXt3D, Field(discriminator="kind")]

_INIT: dict[str, Callable[[Tensor], Tensor]] = {
    "kaiming": nn.init.kaiming_normal_,
    "kaiming_body": nn.init.kaiming_normal_,
    "glorot": nn.init.xavier_uniform_,
}


class _ResNet32(nn.Module):
    def __init__(self, settings: ResNet32, channels: int, classes: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, 16, 3, padding=1, bias=False)
        self.norm = _norm(settings, 16)
        widths = [16] * 6 + [32] * 5 + [64] * 5
        self.blocks = nn.Sequential(*(_Block(settings, a, b) for a, b in pairwise(widths)))
        settings.initialise(self)
        self.classifier = settings.new_head(64, classes)

    def forward(self, x: Tensor) -> Outputs:
        x = F.relu(self.norm(self.stem(x)), inplace=True)
        features = self.blocks(x).mean((2, 3))
        return Outputs(self.classifier(features), features)


class _Block(nn.Module):
    """Two 3x3 convolutions; where the width doubles, stride 2 and a smaller, zero-padded shortcut (option A)."""

    def __init__(self, settings: ResNet32, width_in: int, width: int) -> None:
        super().__init__()
        self.stride = 1 if width_in == width else 2
        self.grow = (width - width_in) // 2
        self.pool = settings.shortcut == "average_pool"
        self.conv1 = nn.Conv2d(width_in, width, 3, self.stride, padding=1, bias=False)
        self.norm1 = _norm(settings, width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = _norm(settings, width)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)), inplace=True)
        y = self.norm2(self.conv2(y))
        if self.grow:
            x = F.avg_pool2d(x, 2, ceil_mode=True) if self.pool else x[:, :, ::2, ::2]
            x = F.pad(x, (0, 0, 0, 0, self.grow, self.grow))
        return F.relu(y.add_(x), inplace=True)


def _norm(settings: ResNet32, width: int) -> nn.BatchNorm2d:
    return GhostBatchNorm2d(width, settings.ghost_batch) if settings.ghost_batch else nn.BatchNorm2d(width)


class _LeNet5(nn.Module):
    def __init__(self, channels: int, classifier: nn.Module) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.conv3 = nn.Conv2d(16, 120, 5)
        self.hidden = nn.Linear(120, 84)
        self.classifier = classifier

    def forward(self, x: Tensor) -> Outputs:
        x = F.interpolate(x, size=(32, 32), mode="bilinear", align_corners=False) if x.shape[-1] != 32 else x
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        features = F.relu(self.hidden(F.relu(self.conv3(x)).flatten(1)))
        return Outputs(self.classifier(features), features)


class _SmallCNN(nn.Module):
    def __init__(self, channels: int, image_size: int, classifier: nn.Module) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1)
        self.hidden = nn.Linear(64 * (image_size // 2) ** 2, 64)
        self.classifier = classifier

    def forward(self, x: Tensor) -> Outputs:
        x = F.max_pool2d(F.relu(self.conv2(F.relu(self.conv1(x)))), 2)
        features = F.relu(self.hidden(torch.flatten(x, 1)))
        return Outputs(self.classifier(features), features)
