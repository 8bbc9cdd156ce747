"""How far does a small network come?  EfficientFace, here with hard labels.

Paper: Zhao, Liu and Zhou 2021 (AAAI), "Robust Lightweight Facial Expression Recognition Network with Label Distribution
Training".
Code: github.com/zengqunzhao/EfficientFace (main.py, models/EfficientFace.py, models/modulator.py).
Departures: hard labels, because the authors' label-distribution generator is a ResNet-50 with weights that are not
available; random initialisation, because their MS-Celeb weights are not either.  Their loss is a mean over images and
classes, 1/C of the usual one (`loss.mean = elements`).  The four patches are halves of the map at every image size; the
authors' are 28 pixels, half of the map at 224.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines import settings
from bench.method import Batch, Context, Method, Step

STEM, LAST = 29, 1024
STAGES = ((4, 116), (8, 232), (4, 464))  # blocks and channels of stages 2 to 4
REDUCTION = 16
DILATION = 4


class EfficientFaceNetwork(nn.Module):
    """ShuffleNetV2 with two additions after its first stage: the stage's map is modulated in channels and space, and
    local features of four patches are added.  Images (N, 3, H, W) to logits (N, C)."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        first = STAGES[0][1]
        self.stem = nn.Sequential(
            *_convolution(3, STEM, 3, stride=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, padding=1)
        )
        self.stage2 = _stage(STEM, *STAGES[0])
        self.stage3 = _stage(first, *STAGES[1])
        self.stage4 = _stage(STAGES[1][1], *STAGES[2])
        self.local = LocalFeatures(STEM, first)
        self.modulator = Modulator(first)
        self.last = nn.Sequential(*_convolution(STAGES[2][1], LAST, 1), nn.ReLU(inplace=True))
        self.fc = nn.Linear(LAST, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        x = self.stem(images)  # (N, 29, H / 4, W / 4)
        x = self.modulator(self.stage2(x)) + self.local(x)  # (N, 116, H / 8, W / 8)
        x = self.last(self.stage4(self.stage3(x)))  # (N, 1024, H / 32, W / 32)
        return self.fc(x.float().mean(dim=(2, 3)))


class Unit(nn.Module):
    """A ShuffleNetV2 unit.  Stride 1 transforms half of the channels; stride 2 transforms all of them twice, and halves
    the map."""

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        half = width // 2
        self.stride = stride
        if stride == 2:
            self.shortcut = nn.Sequential(
                *_convolution(width_in, width_in, 3, stride, groups=width_in),
                *_convolution(width_in, half, 1),
                nn.ReLU(inplace=True),
            )
        self.branch = nn.Sequential(
            *_convolution(width_in if stride == 2 else half, half, 1),
            nn.ReLU(inplace=True),
            *_convolution(half, half, 3, stride, groups=half),
            *_convolution(half, half, 1),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        if self.stride == 2:
            kept, transformed = self.shortcut(x), x
        else:
            kept, transformed = x.chunk(2, dim=1)
        y = torch.stack([kept, self.branch(transformed)], dim=2)  # (N, C / 2, 2, h, w)
        return y.flatten(1, 2)  # (N, C, h, w): the two halves' channels alternate


class LocalFeatures(nn.Module):
    """Two depthwise convolutions of its own for each of the map's four quarters: (N, 29, h, w) to (N, 116, h / 2, w /
    2)."""

    def __init__(self, width_in: int, width: int) -> None:
        super().__init__()
        self.quarters = nn.ModuleList(
            nn.Sequential(
                *_convolution(width_in, width, 3, stride=2, groups=width_in),
                nn.ReLU(),
                *_convolution(width, width, 3, groups=width),
                nn.ReLU(),
            )
            for _ in range(4)
        )

    def forward(self, x: Tensor) -> Tensor:
        row, column = _middle(x.shape[2]), _middle(x.shape[3])
        top, bottom = x[:, :, :row], x[:, :, row:]
        patches = (top[..., :column], bottom[..., :column], top[..., column:], bottom[..., column:])
        a, b, c, d = (quarter(patch) for quarter, patch in zip(self.quarters, patches, strict=True))
        return torch.cat([torch.cat([a, b], dim=2), torch.cat([c, d], dim=2)], dim=3)


class Modulator(nn.Module):
    """x * sigmoid(channel(x) * space(x)): a factor for each channel times one for each place."""

    def __init__(self, width: int) -> None:
        super().__init__()
        narrow = width // REDUCTION
        self.channel = nn.Sequential(
            nn.Linear(width, narrow), nn.BatchNorm1d(narrow), nn.ReLU(), nn.Linear(narrow, width)
        )
        self.space = nn.Sequential(
            nn.Conv2d(width, narrow, 1),
            nn.BatchNorm2d(narrow),
            nn.ReLU(),
            *_dilated(narrow),
            *_dilated(narrow),
            nn.Conv2d(narrow, 1, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        channel = self.channel(x.float().mean(dim=(2, 3)))[:, :, None, None]  # (N, C, 1, 1)
        return x * torch.sigmoid(channel * self.space(x))  # the second is (N, 1, h, w)


class EfficientFace(Method):
    """Cross-entropy against the hard label."""

    def __init__(self, options: settings.EfficientFace, context: Context) -> None:
        super().__init__()
        self.network = EfficientFaceNetwork(context.num_classes)
        self.scale = 1 / context.num_classes if options.loss.mean == "elements" else 1.0

    def logits(self, images: Tensor) -> Tensor:
        return self.network(images)

    def step(self, batch: Batch) -> Step:
        logits = self.network(batch.images)
        cross_entropy = F.cross_entropy(logits.float(), batch.labels)
        return Step(self.scale * cross_entropy, logits, {"cross_entropy": cross_entropy.detach()})


def _middle(size: int) -> int:
    """Where a side is cut: the even number nearest to its half, so that the halved parts fit together again at every
    size."""
    return 2 * ((size + 2) // 4)


def _stage(width_in: int, blocks: int, width: int) -> nn.Sequential:
    return nn.Sequential(Unit(width_in, width, stride=2), *(Unit(width, width, stride=1) for _ in range(blocks - 1)))


def _convolution(width_in: int, width: int, kernel: int, stride: int = 1, groups: int = 1) -> Iterator[nn.Module]:
    """A convolution without bias, and its batch normalisation."""
    yield nn.Conv2d(width_in, width, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
    yield nn.BatchNorm2d(width)


def _dilated(width: int) -> Iterator[nn.Module]:
    yield nn.Conv2d(width, width, 3, padding=DILATION, dilation=DILATION)
    yield nn.BatchNorm2d(width)
    yield nn.ReLU()


def network(options: settings.EfficientFace, context: Context) -> EfficientFaceNetwork:
    """What Table 6 counts."""
    return EfficientFaceNetwork(context.num_classes)


def build(options: settings.EfficientFace, context: Context) -> EfficientFace:
    return EfficientFace(options, context)
