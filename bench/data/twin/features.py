"""Which colour are eyes, teeth, tongue and the inside of the mouth, and how much light do they get?"""

from __future__ import annotations

import numpy as np

from bench.data.twin.field import Floats, bump, column_of, noise, smooth
from bench.data.twin.head import LEFT_EYE, LOWER_TEETH, MOUTH_CAVITY, RIGHT_EYE, TONGUE, UPPER_TEETH, centre, load_head
from bench.data.twin.surface import Surface

_SCLERA = (0.62, 0.58, 0.56)
# part: (reflectance, share of the light that gets there)
_MOUTH: dict[int, tuple[tuple[float, float, float], float]] = {
    TONGUE: ((0.55, 0.20, 0.19), 0.55),
    UPPER_TEETH: ((0.70, 0.66, 0.57), 0.80),
    LOWER_TEETH: ((0.70, 0.66, 0.57), 0.62),
    MOUTH_CAVITY: ((0.22, 0.06, 0.06), 0.30),
}


def paint_features(albedo: Floats, seen: Surface, iris: tuple[float, float, float]) -> Floats:
    """Overwrite the reflectance of eyes and mouth in place; returns the occlusion (n,) corrected for them."""
    occlusion = seen.occlusion.copy()
    for part in (LEFT_EYE, RIGHT_EYE):
        index = np.flatnonzero(seen.part == part)
        if len(index):
            albedo[:, index] = _eye(seen.rest[:, index], part, iris)
            occlusion[index] = np.float32(0.35) + np.float32(0.65) * occlusion[index]
    for part, (colour, light) in _MOUTH.items():
        index = np.flatnonzero(seen.part == part)
        if len(index):
            albedo[:, index] = column_of(colour)
            occlusion[index] = np.float32(light)
    return occlusion


def _eye(rest: Floats, part: int, iris: tuple[float, float, float]) -> Floats:
    """Pupil, iris with its dark rim, and white, by the direction from the eyeball's centre (it turns with the gaze)."""
    head = load_head()
    x, y, z = rest - column_of(centre(head.rest, head.eye(part)))
    square = (x * x + y * y) / np.maximum(x * x + y * y + z * z, np.float32(1e-9))
    front = z > 0
    colour = np.repeat(column_of(_SCLERA), len(x), 1)
    fibres = np.float32(0.75) + np.float32(0.5) * noise(x * 60, y * 60)
    colour += (column_of(iris) * fibres - colour) * (smooth(0.265, 0.225, square) * front)
    colour *= 1 - np.float32(0.6) * bump(square - np.float32(0.235), 0.06) * front
    return colour * (1 - np.float32(0.93) * smooth(0.050, 0.034, square) * front)
