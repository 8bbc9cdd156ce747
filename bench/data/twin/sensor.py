"""How does a camera record the light?  Binning, blur, noise, grey film, and the display curve to 8 bits."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bench.data.twin.field import Floats
from bench.data.twin.scene import Scene
from bench.data.twin.stream import Stream

_GAMMA = 2.2
_LEVELS = 4096
_REFERENCE = 112  # pixels: the image size for which Scene.blur is meant


def record(light: Floats, scene: Scene, stream: Stream) -> NDArray[np.uint8]:
    """Linear RGB (3, size, size) to an image (size, size, 3)."""
    size = light.shape[1]
    picture = blur(light, scene.blur * scene.blur * size / _REFERENCE)
    picture = np.clip(picture, np.float32(0), np.float32(1))
    grain = stream.grains(size * size * 6).astype(np.float32).reshape(2, 3, size, size)
    triangular = (grain[0] + grain[1]) * np.float32(1.0 / 65535.0) - 1  # standard deviation 0.408
    picture = picture + triangular * np.float32(2.45 * scene.noise) * (
        np.float32(0.12) + np.float32(0.5) * np.sqrt(picture)
    )
    if scene.grey:
        grey = picture[0] * np.float32(0.30) + picture[1] * np.float32(0.59) + picture[2] * np.float32(0.11)
        picture = np.stack([grey, grey, grey])
    level = np.clip(picture * np.float32(_LEVELS), 0, _LEVELS).astype(np.int32)
    return np.ascontiguousarray(display_curve()[level].transpose(1, 2, 0))  # (size, size, 3)


def bin_down(fine: Floats, sub: int) -> Floats:
    """The mean of each sub x sub block: (3, size * sub, size * sub) to (3, size, size)."""
    total = np.zeros((3, fine.shape[1] // sub, fine.shape[2] // sub), np.float32)
    for row in range(sub):
        for column in range(sub):
            total += fine[:, row::sub, column::sub]
    return total * np.float32(1.0 / (sub * sub))


def blur(picture: Floats, variance: float) -> Floats:
    """Repeated three-tap smoothing along both axes with the given total variance in pixels squared; edges are
    repeated."""
    if variance < 0.0025:
        return picture
    passes = max(1, math.ceil(variance / 0.5))
    side = variance / 2.0 / passes
    for _ in range(passes):
        for axis in (1, 2):
            picture = _three_taps(picture, side, axis)
    return picture


def _three_taps(picture: Floats, side: float, axis: int) -> Floats:
    before, after = [slice(None)] * 3, [slice(None)] * 3
    size = picture.shape[axis]
    padded = np.concatenate([picture.take([0], axis), picture, picture.take([size - 1], axis)], axis)
    before[axis], after[axis] = slice(0, size), slice(2, size + 2)
    return picture * np.float32(1.0 - 2.0 * side) + (padded[tuple(before)] + padded[tuple(after)]) * np.float32(side)


@lru_cache(maxsize=1)
def display_curve() -> NDArray[np.uint8]:
    """The 8-bit code of each linear level 0 .. 4096, by table so that no power function touches a pixel."""
    return np.array([round(255.0 * math.pow(level / _LEVELS, 1.0 / _GAMMA)) for level in range(_LEVELS + 1)], np.uint8)
