"""Which smooth functions shape a picture?  Steps, bumps and noise from exact operations only (no exp, no sin, no
BLAS)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bench.data.twin.stream import Domain, Stream

Floats = NDArray[np.float32]

_TILE = 512
_CELL = 8


def smooth(low: float, high: float, x: Floats) -> Floats:
    """0 up to `low`, 1 from `high` on, a cubic between (Hermite); `low` > `high` falls instead."""
    t = np.clip((x - np.float32(low)) / np.float32(high - low), np.float32(0), np.float32(1))
    return t * t * (3 - 2 * t)


def bump(x: Floats, width: float) -> Floats:
    """1 at 0, falling to 0 at +-`width`: (1 - (x / width)^2)^2."""
    t = x * np.float32(1.0 / width)
    t = np.maximum(np.float32(0), 1 - t * t)
    return t * t


def noise(u: Floats, v: Floats) -> Floats:
    """Smooth noise in [0, 1] with about one cell per unit of `u` and `v`; it repeats every 64 units."""
    column = (u * np.float32(_CELL)).astype(np.int32) & (_TILE - 1)
    row = (v * np.float32(_CELL)).astype(np.int32) & (_TILE - 1)
    return _tile()[row * _TILE + column]


@lru_cache(maxsize=1)
def _tile() -> Floats:
    """A periodic tile of value noise, interpolated once with the cubic step; flattened to (512 * 512,)."""
    cells = _TILE // _CELL
    lattice = Stream(0, Domain.TEXTURE).grains(cells * cells).reshape(cells, cells).astype(np.float32) / np.float32(
        65535
    )
    position = np.arange(_TILE)
    here = position // _CELL
    there = (here + 1) % cells
    t = smooth(0.0, 1.0, (position % _CELL).astype(np.float32) / np.float32(_CELL))
    rows = lattice[here] * (1 - t)[:, None] + lattice[there] * t[:, None]  # (512, 64)
    tile = rows[:, here] * (1 - t) + rows[:, there] * t
    return tile.astype(np.float32).ravel()


def column_of(colour: tuple[float, float, float]) -> Floats:
    """A colour as (3, 1), to broadcast over fragments."""
    return np.array(colour, np.float32).reshape(3, 1)
