"""Means and deviations that pixels are normalised with: x / 255, less the mean, over the deviation."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from lt_core.images import Images

Preset = Literal["dataset", "imagenet", "cifar10", "meta_weight_net", "half", "signed"]


class Normalisation(NamedTuple):
    """Mean and standard deviation of each channel, as shares of 255."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def over(self, channels: int) -> "Normalisation":
        """The same for each of several channels, where there is one value for all."""
        return Normalisation(*(values * channels if len(values) == 1 else values for values in self))


CIFAR10 = Normalisation((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))
IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
INATURALIST = Normalisation((0.466, 0.471, 0.380), (0.195, 0.194, 0.192))
NONE = Normalisation((0.0,), (1 / 255,))  # raw 0 to 255, as CDB's EGTEA code has them
PRESETS = {
    "imagenet": IMAGENET,
    "cifar10": CIFAR10,
    "meta_weight_net": Normalisation((125.3 / 255, 123.0 / 255, 113.9 / 255), (63.0 / 255, 62.1 / 255, 66.7 / 255)),
    "half": Normalisation((0.5,), (1.0,)),  # x / 255 - 0.5
    "signed": Normalisation((128 / 255,), (128 / 255,)),  # x / 128 - 1
}


class Normalise(nn.Module):
    """uint8 pixels [B, channels, ...] of some dimensions -> float32, less the mean, over the standard deviation."""

    scale: Tensor
    shift: Tensor

    def __init__(self, by: Normalisation, dimensions: int) -> None:
        super().__init__()
        shape = (1, -1, *(1,) * (dimensions - 2))
        mean, std = (torch.tensor(values).view(shape) for values in by)
        self.register_buffer("scale", 1 / (255 * std))
        self.register_buffer("shift", -mean / std)

    def forward(self, pixels: Tensor) -> Tensor:
        return torch.addcmul(self.shift, pixels.float(), self.scale)


def measured(images: Images) -> Normalisation:
    """Mean and deviation over all pixels of some images; a constant channel keeps its deviation of 1 / 255 or more."""
    mean, square = [], []
    for channel in images.pixels.transpose(0, 1):
        counts = channel.flatten().bincount(minlength=256).double()  # exact, whatever the number of threads
        value = (counts / counts.sum()) * (levels := counts.new_tensor(range(256)) / 255)
        mean.append(value.sum().item())
        square.append((value * levels).sum().item())
    std = (max(1 / 255, max(0.0, s - m * m) ** 0.5) for m, s in zip(mean, square, strict=True))
    return Normalisation(tuple(round(m, 4) for m in mean), tuple(round(s, 4) for s in std))
