"""3D-ResNeXt-101, the network for clips."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

import torch.nn.functional as F
from torch import Tensor, nn

from lt_core.heads import BodyAndHead, Network
from lt_core.pretrained import load_weights


class ResNeXt3D(Network):
    """3D-ResNeXt-101 on clips [N, channels, frames, height, width]: 47,560,147 parameters at 19 classes.

    Hara et al., CVPR 2018 (kenshohara/3D-ResNets-PyTorch), as CDB trains it on EGTEA: cardinality 32, projection
    shortcuts (B), 2048 features, averaged over all frames and places. weights: a file in that repository's layout
    (`resnext-101-kinetics.pth`), relative to the data folder or absolute, read by every worker; its `fc` is left out
    if its shape differs.
    """

    clips: ClassVar[bool] = True
    kind: Literal["resnext3d"] = "resnext3d"
    weights: str | None = None

    def build(self, channels: int, image_size: int, classes: int, root: Path | None = None) -> nn.Module:
        """The network, initialised from torch's global generator, then from the weights file if there is one."""
        model = BodyAndHead(_Body(channels), self.new_head(2048, classes))
        if self.weights is not None:
            load_weights(model, self.weights, root)
        return model


class _Body(nn.Module):
    """The names are those of the official code, so that its files fit."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(channels, 64, 7, stride=(1, 2, 2), padding=3, bias=False)
        self.bn1 = nn.BatchNorm3d(64)
        self.layer1 = nn.Sequential(*_stage(64, 128, blocks=3, stride=1))
        self.layer2 = nn.Sequential(*_stage(256, 256, blocks=4, stride=2))
        self.layer3 = nn.Sequential(*_stage(512, 512, blocks=23, stride=2))
        self.layer4 = nn.Sequential(*_stage(1024, 1024, blocks=3, stride=2))
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = F.max_pool3d(x, 3, stride=2, padding=1)
        return self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean((2, 3, 4))


def _stage(width_in: int, width: int, blocks: int, stride: int) -> Iterator[nn.Module]:
    yield _Bottleneck(width_in, width, stride)
    for _ in range(blocks - 1):
        yield _Bottleneck(2 * width, width, stride=1)


class _Bottleneck(nn.Module):
    """1x1x1, grouped 3x3x3 and 1x1x1 convolutions to twice the width; the first of a stage projects its shortcut."""

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        out = 2 * width
        self.conv1 = nn.Conv3d(width_in, width, 1, bias=False)
        self.bn1 = nn.BatchNorm3d(width)
        self.conv2 = nn.Conv3d(width, width, 3, stride, padding=1, groups=32, bias=False)
        self.bn2 = nn.BatchNorm3d(width)
        self.conv3 = nn.Conv3d(width, out, 1, bias=False)
        self.bn3 = nn.BatchNorm3d(out)
        projected = nn.Conv3d(width_in, out, 1, stride, bias=False), nn.BatchNorm3d(out)
        self.downsample = nn.Sequential(*projected) if width_in != out else None

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(y))
        return F.relu(y.add_(x if self.downsample is None else self.downsample(x)), inplace=True)
