"""What do worse images look like?  Six corruptions at the five severities of ImageNet-C, a function of the images.

Kinds and strengths: Hendrycks and Dietterich 2019, "Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations", of the authors' code.  Blur is scaled to the image size (the strengths are for 224 pixels).  JPEG and
blur are torchvision's; the package `imagecorruptions` is not used because its last release does not run on the
scikit-image of today (github.com/bethgelab/imagecorruptions issue 30).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms.v2 import functional as images_of

from bench.robustness.text import CORRUPTIONS
from bench.seeds import stream_seed

FULL_SIZE = 224  # pixels for which the strengths were chosen


def corrupt(images: Tensor, kind: str, severity: int, part: int = 0) -> Tensor:
    """Images (n, 3, S, S) uint8 under one corruption, severity 1 to 5; equal arguments give equal bytes.

    `part` numbers the images that are corrupted in one call, so that each part has noise of its own.
    """
    if kind == "gaussian_noise":
        return _noise(images, severity - 1, part)
    return _KINDS[kind](images, severity - 1)


def _noise(images: Tensor, level: int, part: int) -> Tensor:
    scale = (0.08, 0.12, 0.18, 0.26, 0.38)[level]
    generator = torch.Generator().manual_seed(stream_seed("corruption", "gaussian_noise", level, part) % 2**63)
    return _bytes(images / 255 + scale * torch.randn(images.shape, generator=generator))


def _blur(images: Tensor, level: int) -> Tensor:
    sigma = (1, 2, 3, 4, 6)[level] * images.shape[-1] / FULL_SIZE
    return images_of.gaussian_blur(images, [2 * math.ceil(3 * sigma) + 1] * 2, [sigma] * 2)


def _brightness(images: Tensor, level: int) -> Tensor:
    """HSV value raised by a constant; hue and saturation stay."""
    raised = (0.1, 0.2, 0.3, 0.4, 0.5)[level]
    pixels = images / 255
    value = pixels.amax(dim=1, keepdim=True)  # (n, 1, S, S)
    return _bytes(torch.where(value > 0, pixels * (value + raised).clamp(max=1) / value.clamp(min=1e-6), raised))


def _contrast(images: Tensor, level: int) -> Tensor:
    kept = (0.4, 0.3, 0.2, 0.1, 0.05)[level]
    pixels = images / 255
    mean = pixels.mean(dim=(2, 3), keepdim=True)  # (n, 3, 1, 1)
    return _bytes((pixels - mean) * kept + mean)


def _jpeg(images: Tensor, level: int) -> Tensor:
    return images_of.jpeg(images, (25, 18, 15, 10, 7)[level])


def _pixelate(images: Tensor, level: int) -> Tensor:
    size = images.shape[-1]
    small = F.interpolate(images / 255, size=int((0.6, 0.5, 0.4, 0.3, 0.25)[level] * size), mode="area")
    return _bytes(F.interpolate(small, size=size, mode="nearest"))


def _bytes(pixels: Tensor) -> Tensor:
    return (pixels.clamp(0, 1) * 255).round().to(torch.uint8)


_KINDS: dict[str, Callable[[Tensor, int], Tensor]] = {
    "gaussian_blur": _blur,
    "brightness": _brightness,
    "contrast": _contrast,
    "jpeg": _jpeg,
    "pixelate": _pixelate,
}
assert {"gaussian_noise", *_KINDS} == CORRUPTIONS.keys()
