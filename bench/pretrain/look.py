"""How does a rendered face come to look like many cameras' pictures?  Crop, colour, blur, noise, occlusion.

Domain randomisation (Tobin et al. 2017): whatever the renderer gets wrong varies here more than it is wrong by, so the
backbone learns not to rely on it.  Grey, soft and flat pictures are frequent because open photos are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from bench.data.augment import IMAGENET_MEAN, IMAGENET_STD

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


@dataclass(frozen=True)
class Look:
    """How far a picture may be changed.  `zoom` is the side of the crop as a share of the picture's, `degrees` the
    largest turn to either side; names ending in `_p` are probabilities; the rest are ranges of factors, or upper
    bounds (`noise`, of values in [0, 1]; `erase`, a share of each side)."""

    zoom: tuple[float, float] = (0.75, 1.0)
    aspect: float = 0.10
    degrees: float = 12.0
    grey_p: float = 0.4
    saturation: tuple[float, float] = (0.3, 1.2)
    gain: tuple[float, float] = (0.7, 1.4)
    contrast: tuple[float, float] = (0.6, 1.4)
    gamma: tuple[float, float] = (0.7, 1.4)
    blur_p: float = 0.4
    noise: float = 0.03
    erase_p: float = 0.2
    erase: float = 0.35


def randomised(
    pixels: Tensor,
    size: int,
    flip: Tensor,
    generator: torch.Generator,
    look: Look = Look(),
) -> Tensor:
    """Normalised images (B, 3, size, size) of pictures (B, S, S, 3) uint8; `flip` (B,) says which are mirrored.

    All draws come from `generator`, in a fixed order.
    """
    image = pixels.permute(0, 3, 1, 2).float().div(255)  # (B, 3, S, S)
    image = _moved(image, size, flip, generator, look)
    image = _coloured(image, generator, look)
    image = _softened(image, generator, look)
    noise = torch.randn(image.shape, generator=generator).to(image.device)
    image = image + _between((0, look.noise), image, generator) * noise
    image = _erased(image.clamp(0, 1), generator, look)
    return normalised(image)


def plain(pixels: Tensor, size: int, zoom: float) -> Tensor:
    """The middle of the pictures, `zoom` of each side, normalised: (B, 3, size, size)."""
    image = pixels.permute(0, 3, 1, 2).float().div(255)
    theta = torch.tensor([[zoom, 0.0, 0.0], [0.0, zoom, 0.0]], device=image.device).expand(len(image), 2, 3)
    return normalised(_sampled(image, theta, size))


def normalised(image: Tensor) -> Tensor:
    """Values in [0, 1] as every network here takes them."""
    mean, std = (torch.tensor(v, device=image.device)[:, None, None] for v in (IMAGENET_MEAN, IMAGENET_STD))
    return (image - mean) / std


def _moved(image: Tensor, size: int, flip: Tensor, generator: torch.Generator, look: Look) -> Tensor:
    """One affine map for crop, aspect, turn and mirror.  The crop stays inside the picture as far as the turn lets it;
    beyond the border the border goes on."""
    zoom = _between(look.zoom, image, generator).flatten()
    stretch = _between((1 - look.aspect, 1 + look.aspect), image, generator).flatten()
    angle = _between((-look.degrees, look.degrees), image, generator).flatten() * math.pi / 180
    room = (1 - zoom).clamp(min=0)
    shift_x, shift_y = (_between((-1, 1), image, generator).flatten() * room for _ in range(2))
    side = torch.where(flip, -1.0, 1.0)
    cos, sin = angle.cos() * zoom, angle.sin() * zoom
    theta = torch.stack(
        [torch.stack([cos * stretch * side, -sin, shift_x], 1), torch.stack([sin * stretch * side, cos, shift_y], 1)], 1
    )  # (B, 2, 3)
    return _sampled(image, theta, size)


def _sampled(image: Tensor, theta: Tensor, size: int) -> Tensor:
    grid = F.affine_grid(theta, [len(image), 3, size, size], align_corners=False)
    return F.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _coloured(image: Tensor, generator: torch.Generator, look: Look) -> Tensor:
    luma = torch.tensor(_LUMA, device=image.device)[:, None, None]
    grey = (image * luma).sum(dim=1, keepdim=True)
    saturation = _between(look.saturation, image, generator)
    saturation = torch.where(_chance(look.grey_p, image, generator), 0.0, saturation)
    image = grey + saturation * (image - grey)
    image = image.clamp(1e-4, 1) ** _between(look.gamma, image, generator)
    middle = image.mean(dim=(1, 2, 3), keepdim=True)
    image = middle + _between(look.contrast, image, generator) * (image - middle)
    return (image * _between(look.gain, image, generator)).clamp(0, 1)


def _softened(image: Tensor, generator: torch.Generator, look: Look) -> Tensor:
    """Mixed with its 5 x 5 binomial blur, by any share."""
    line = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0], device=image.device) / 16
    kernel = torch.outer(line, line).expand(3, 1, 5, 5)
    blurred = F.conv2d(F.pad(image, (2, 2, 2, 2), mode="replicate"), kernel, groups=3)
    share = _between((0, 1), image, generator) * _chance(look.blur_p, image, generator)
    return image + share * (blurred - image)


def _erased(image: Tensor, generator: torch.Generator, look: Look) -> Tensor:
    """A rectangle of one grey, somewhere, in some of the pictures."""
    size = image.shape[-1]
    height, width = (_between((0.1, look.erase), image, generator) * size for _ in range(2))
    top, left = (_between((0, 1), image, generator) * size for _ in range(2))
    row = torch.arange(size, device=image.device)[:, None].expand(size, size)
    column = row.T
    inside = (row >= top) & (row < top + height) & (column >= left) & (column < left + width)  # (B, 1, S, S)
    inside &= _chance(look.erase_p, image, generator)
    return torch.where(inside, _between((0, 1), image, generator), image)


def _between(bounds: tuple[float, float], image: Tensor, generator: torch.Generator) -> Tensor:
    """One uniform number for each picture, (B, 1, 1, 1); drawn on the host, so that every device draws the same."""
    low, high = bounds
    return low + (high - low) * torch.rand((len(image), 1, 1, 1), generator=generator).to(image.device)


def _chance(probability: float, image: Tensor, generator: torch.Generator) -> Tensor:
    return torch.rand((len(image), 1, 1, 1), generator=generator).to(image.device) < probability
