"""What turns an image into features (Eq. 1)?  ResNet-18 (He et al. 2016) without its pooling and classifier.

The children stand in the order of torchvision's `resnet18` cut before `avgpool`, so `features.{0,1,4,5,6,7}.*` of
official DAN checkpoints load by name.  The same seed gives the same weights as torchvision: layers are drawn in its
order, down to its classifier, which is drawn and thrown away.
"""

from __future__ import annotations

from torch import Tensor, nn

FEATURE_DIM = 512
_IMAGENET_CLASSES = 1000

# Names of torchvision's layers with weights, and their places in the trunk.
TRUNK_INDEX = {"conv1": 0, "bn1": 1, "layer1": 4, "layer2": 5, "layer3": 6, "layer4": 7}


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut: (N, width_in, h, w) -> (N, width, h / stride, w / stride)."""

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        # Built first, registered last: torchvision draws the shortcut's weights before the block's.
        shortcut = _shortcut(width_in, width, stride) if stride != 1 or width_in != width else None
        self.conv1 = nn.Conv2d(width_in, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = shortcut

    def forward(self, x: Tensor) -> Tensor:
        kept = x if self.downsample is None else self.downsample(x)
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return self.relu(y.add_(kept))


def resnet18_trunk() -> nn.Sequential:
    """A ResNet-18 trunk, (N, 3, H, W) -> (N, 512, H / 32, W / 32), randomly initialised: convolutions Kaiming-normal
    (fan-out), batch normalisations the identity."""
    trunk = nn.Sequential(
        nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2, padding=1),
        _stage(64, 64, stride=1),
        _stage(64, 128, stride=2),
        _stage(128, 256, stride=2),
        _stage(256, FEATURE_DIM, stride=2),
    )
    nn.Linear(FEATURE_DIM, _IMAGENET_CLASSES)  # for its draws alone: torchvision's come before the initialisation below
    for layer in trunk.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return trunk


def _stage(width_in: int, width: int, stride: int) -> nn.Sequential:
    return nn.Sequential(BasicBlock(width_in, width, stride), BasicBlock(width, width, stride=1))


def _shortcut(width_in: int, width: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(width_in, width, 1, stride, bias=False), nn.BatchNorm2d(width))
