"""How bright is a fragment?  A soft key light with its shadow, a sky-like fill, and gloss."""

from __future__ import annotations

import math

import numpy as np

from bench.data.twin.field import Floats, column_of
from bench.data.twin.head import LEFT_EYE, MOUTH_CAVITY, RIGHT_EYE, SKIN, TONGUE
from bench.data.twin.scene import Light
from bench.data.twin.surface import Surface

# How far light creeps round the terminator, by channel: red travels farthest in skin.
_WRAP_SKIN = (0.34, 0.22, 0.17)
_SHADOW_FLOOR = 0.12


def shade(albedo: Floats, occlusion: Floats, hair: Floats, gloss: float, seen: Surface, light: Light) -> Floats:
    """Linear RGB (3, n).  `hair` (n,) in [0, 1] is where hair covers the skin; `gloss` in [0, 1] the skin's shine."""
    facing = _dot(seen.normal, light.direction)
    open_sky = np.float32(0.45) + np.float32(0.55) * occlusion
    reach = (np.float32(_SHADOW_FLOOR) + np.float32(1 - _SHADOW_FLOOR) * seen.lit) * open_sky
    fill = (np.float32(0.72) + np.float32(0.28) * seen.normal[1]) * occlusion
    shine = _gloss(hair, gloss, seen, light) * seen.lit * (facing > -0.1)
    colour = np.empty_like(albedo)
    for channel, wrap in enumerate(_WRAP_SKIN):
        diffuse = np.clip((facing + np.float32(wrap)) * np.float32(1.0 / (1.0 + wrap)), 0, 1) * reach
        key, sky = np.float32(light.key[channel]), np.float32(light.fill[channel])
        colour[channel] = albedo[channel] * (diffuse * key + fill * sky) + shine * key
    colour *= np.float32(light.exposure)
    return colour


def _gloss(hair: Floats, gloss: float, seen: Surface, light: Light) -> Floats:
    """Highlights towards the half vector between light and camera (Blinn-Phong): broad on skin and hair, sharp on
    eyes."""
    x, y, z = light.direction[0], light.direction[1], light.direction[2] + 1.0
    length = math.sqrt(x * x + y * y + z * z)
    half = np.clip(_dot(seen.normal, (x / length, y / length, z / length)), 0, 1)
    fourth = half * half * half * half
    sixteenth = fourth * fourth * fourth * fourth
    skin = np.float32(0.5 * gloss) * sixteenth * (1 + np.float32(1.5) * seen.lips)
    locks = np.float32(0.05) * fourth * fourth
    eye = (seen.part == LEFT_EYE) | (seen.part == RIGHT_EYE)
    needle = sixteenth * sixteenth
    needle = needle * needle
    mirror = np.float32(0.75) * needle * needle
    shine = np.where(seen.part == SKIN, skin + (locks - skin) * hair, np.float32(0.25) * sixteenth)
    shine = np.where((seen.part == MOUTH_CAVITY) | (seen.part == TONGUE), np.float32(0.0), shine)
    return np.where(eye, mirror, shine)


def _dot(normal: Floats, axis: tuple[float, float, float]) -> Floats:
    return normal[0] * np.float32(axis[0]) + normal[1] * np.float32(axis[1]) + normal[2] * np.float32(axis[2])


def flat_colour(colour: tuple[float, float, float], light: Light) -> Floats:
    """A colour (3, 1) as a matt surface facing the camera would show it."""
    level = np.clip(np.float32(light.direction[2]), 0, 1) * column_of(light.key) * np.float32(0.8)
    return column_of(colour) * (level + column_of(light.fill) * np.float32(0.7)) * np.float32(light.exposure)
