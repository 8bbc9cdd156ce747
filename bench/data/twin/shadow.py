"""Which parts of the head does the key light reach?  A small shadow map, read once per vertex."""

from __future__ import annotations

import math

import numpy as np

from bench.data.twin.head import Floats, load_head
from bench.data.twin.raster import rasterise

_WIDTH = 72  # texels of the map: 5 mm each, as soft as an indoor lamp
_SPAN = 3.6  # decimetres that the map covers
_BIAS = 0.09  # decimetres: how far a surface must lie behind another to be in its shadow
_SOFT = 0.10  # decimetres over which the shadow sets in
_NEAR, _PER_DM = 0.5, 0.05  # nearness = _NEAR + _PER_DM * height towards the light, in (0, 1)
_TAPS = ((0.0, 0.0), (-0.8, -0.5), (0.8, 0.5), (-0.5, 0.8), (0.5, -0.8))  # texels


def lit(placed: Floats, direction: tuple[float, float, float]) -> Floats:
    """How much of the key light reaches each vertex (V,) in [0, 1], 1 = all.  `placed` (V, 3) are camera
    coordinates."""
    across, up = _frame(direction)
    texel = _WIDTH / _SPAN
    x = _along(placed, across) * np.float32(texel) + np.float32(_WIDTH / 2)
    y = _along(placed, up) * np.float32(-texel) + np.float32(_WIDTH / 2)
    height = _along(placed, direction)
    nearness = np.clip(np.float32(_NEAR) + height * np.float32(_PER_DM), np.float32(0.01), np.float32(0.99))
    triangles = load_head().triangles
    seen = rasterise(x, y, nearness, triangles, _WIDTH)
    corner = height[triangles[seen.triangle]].T  # (3, n)
    top = np.full(_WIDTH * _WIDTH, -9.0, np.float32)
    top[seen.pixel] = (corner * seen.weights)[0] + (corner * seen.weights)[1] + (corner * seen.weights)[2]
    return _visible(x, y, height, top)


def _visible(x: Floats, y: Floats, height: Floats, top: Floats) -> Floats:
    total = np.zeros_like(height)
    for dx, dy in _TAPS:
        column = np.clip(x + np.float32(dx), np.float32(0), np.float32(_WIDTH - 1)).astype(np.int32)
        row = np.clip(y + np.float32(dy), np.float32(0), np.float32(_WIDTH - 1)).astype(np.int32)
        behind = top[row * _WIDTH + column] - height - np.float32(_BIAS)
        total += np.clip(behind * np.float32(1.0 / _SOFT), np.float32(0), np.float32(1))
    return 1 - total * np.float32(1.0 / len(_TAPS))


def _along(points: Floats, axis: tuple[float, float, float]) -> Floats:
    return points[:, 0] * np.float32(axis[0]) + points[:, 1] * np.float32(axis[1]) + points[:, 2] * np.float32(axis[2])


def _frame(light: tuple[float, float, float]) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Two unit vectors across the light, the first level, the second as upright as can be.  The light never comes
    from straight above."""
    x, y, z = light
    length = math.sqrt(x * x + z * z)
    across = (z / length, 0.0, -x / length)
    up = (y * across[2] - z * across[1], z * across[0] - x * across[2], x * across[1] - y * across[0])
    return across, up
