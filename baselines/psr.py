"""How large is a network that enlarges faces first?  Pyramid with super resolution (PSR): a model for Table 6, not a
row.

Paper: Vo et al. 2020 (IEEE Access 8), "Pyramid With Super Resolution for In-the-Wild Facial Expression Recognition",
doi 10.1109/ACCESS.2020.3010018.
Code: github.com/thanhhungqb/pyramid-super-resolution (psr/pyramid_sr.py, config/raf-db.json), which takes its
transformer and EDSR from github.com/thanhhungqb/outside_collection and its head from fastai 1.

It has no entry in the registry, so nothing trains it.  What makes it PSR is EDSR's weights, trained for
super-resolution on DIV2K, and a VGG-16 trained on FER+ at three sizes; neither is available here.  A cross-entropy
cannot teach EDSR to enlarge, so from random weights the same layers would be another method under this one's name.
Departures: none known in the layers: their count is the authors' to the last digit.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.method import Context
from bench.switches import NoSettings

WIDTH = 64  # EDSR's baseline, r16f64
RESIDUAL_BLOCKS = 16
OWN = (64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool")  # VGG-16's layers that each branch has for itself
SHARED = (512, 512, 512, "pool", 512, 512, 512, "pool")


class PsrNetwork(nn.Module):
    """Three views of a face (half size, half size doubled by EDSR, full size), each through its own VGG-16 layers and a
    shared rest.  Images (N, 3, H, W) to the logarithm of the mean probability (N, C); H and W even."""

    def __init__(self, num_classes: int, image_size: int) -> None:
        super().__init__()
        self.align = SpatialTransformer(image_size)
        self.enlarge = Edsr()
        self.own = nn.ModuleList(nn.Sequential(*_vgg(3, OWN)) for _ in range(3))
        self.shared = nn.Sequential(*_vgg(256, SHARED))
        self.head = Head(512, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        whole = self.align(images)
        half = F.adaptive_avg_pool2d(
            whole.detach(), (images.shape[2] // 2, images.shape[3] // 2)
        )  # no gradient: as theirs
        views = (half, self.enlarge(half), whole)
        logits = [self.head(self.shared(own(view))) for own, view in zip(self.own, views, strict=True)]
        return torch.stack(logits, dim=2).softmax(dim=1).mean(dim=2).log()


class SpatialTransformer(nn.Module):
    """An affine transform of the image that a small network chooses; the identity at first (Jaderberg et al. 2015)."""

    def __init__(self, image_size: int) -> None:
        super().__init__()
        self.see = nn.Sequential(
            nn.Conv2d(3, 8, 7), nn.MaxPool2d(2), nn.ReLU(True), nn.Conv2d(8, 10, 5), nn.MaxPool2d(2), nn.ReLU(True)
        )
        side = ((image_size - 6) // 2 - 4) // 2
        self.choose = nn.Sequential(nn.Linear(10 * side**2, 32), nn.ReLU(True), nn.Linear(32, 6))
        last = self.choose[2]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        with torch.no_grad():
            last.bias.copy_(torch.eye(2, 3).flatten())

    def forward(self, images: Tensor) -> Tensor:
        theta = self.choose(self.see(images).flatten(1)).unflatten(1, (2, 3))  # (N, 2, 3)
        grid = F.affine_grid(theta, list(images.shape), align_corners=False)
        return F.grid_sample(images, grid, align_corners=False)


class Edsr(nn.Module):
    """EDSR's baseline for a factor of 2 (Lim et al. 2017): (N, 3, h, w) to (N, 3, 2 h, 2 w)."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, WIDTH, 3, padding=1)
        self.body = nn.Sequential(*(Residual() for _ in range(RESIDUAL_BLOCKS)), nn.Conv2d(WIDTH, WIDTH, 3, padding=1))
        self.tail = nn.Sequential(
            nn.Conv2d(WIDTH, 4 * WIDTH, 3, padding=1), nn.PixelShuffle(2), nn.Conv2d(WIDTH, 3, 3, padding=1)
        )

    def forward(self, images: Tensor) -> Tensor:
        x = self.head(images)
        return self.tail(x + self.body(x))


class Residual(nn.Module):
    """Two convolutions and a shortcut, without normalisation: (N, 64, h, w) to the same."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(WIDTH, WIDTH, 3, padding=1), nn.ReLU(True), nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class Head(nn.Module):
    """fastai's head: average and maximum over the map, then two linear layers.  (N, D, h, w) to (N, C)."""

    def __init__(self, width: int, num_classes: int) -> None:
        super().__init__()
        self.average = nn.AdaptiveAvgPool2d(1)
        self.maximum = nn.AdaptiveMaxPool2d(1)
        self.layers = nn.Sequential(
            nn.BatchNorm1d(2 * width),
            nn.Dropout(0.25),
            nn.Linear(2 * width, 512),
            nn.ReLU(True),
            nn.BatchNorm1d(512),
            nn.Dropout(0.5),
            nn.Linear(512, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(torch.cat([self.maximum(x), self.average(x)], dim=1).flatten(1))


def _vgg(width_in: int, plan: tuple[int | str, ...]) -> list[nn.Module]:
    """VGG's layers with batch normalisation: a width is a 3x3 convolution, "pool" halves the map."""
    layers: list[nn.Module] = []
    for width in plan:
        if isinstance(width, str):
            layers.append(nn.MaxPool2d(2))
            continue
        layers += [nn.Conv2d(width_in, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(True)]
        width_in = width
    return layers


def network(options: NoSettings, context: Context) -> PsrNetwork:
    """What Table 6 counts, at 100x100."""
    return PsrNetwork(context.num_classes, context.image_size)
