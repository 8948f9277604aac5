"""ResNets for ImageNet-size images: torchvision's, and the ResNet-10 of ImageNet-LT."""

from pathlib import Path
from typing import Literal

from torch import nn

from lt_core.heads import BodyAndHead, Network
from lt_core.pretrained import load_weights

BLOCKS = {10: (1, 1, 1, 1), 18: (2, 2, 2, 2), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


class ResNet(Network):
    """ResNet-10, 18, 50, 101 or 152 with the ImageNet stem: 11,689,512 parameters at depth 18, 1000 classes.

    He et al., CVPR 2016, as torchvision has it; convolutions start as N(0, sqrt(2 / (k * k * out))). Depth 10 is not
    torchvision's: one basic block in each stage, 5,418,792 parameters (Liu et al., CVPR 2019, for ImageNet-LT). Any
    image size: `data.image_size` says to which the images are resized.

    weights: a file with a state dict in torchvision's layout, relative to the data folder or absolute, read by every
    worker. Its `fc` is left out if its shape differs or the head is a cosine. On Tiny ImageNet the IB code starts from
    ImageNet's weights; its paper does not say so.
    """

    kind: Literal["resnet"] = "resnet"
    depth: Literal[10, 18, 50, 101, 152] = 18
    weights: str | None = None

    def build(self, channels: int, image_size: int, classes: int, root: Path | None = None) -> nn.Module:
        """The network, initialised from torch's global generator, then from the weights file if there is one."""
        from torchvision.models import resnet  # a second's import that no other network needs

        body = resnet.ResNet(resnet.BasicBlock if self.depth < 50 else resnet.Bottleneck, list(BLOCKS[self.depth]))
        features, body.fc = body.fc.in_features, nn.Identity()  # pyright: ignore[reportAttributeAccessIssue]
        if channels != 3:
            body.conv1 = nn.Conv2d(channels, 64, 7, 2, padding=3, bias=False)
            nn.init.kaiming_normal_(body.conv1.weight, mode="fan_out")
        model = BodyAndHead(body, self.new_head(features, classes))
        if self.weights is not None:
            load_weights(model, self.weights, root)
        return model
