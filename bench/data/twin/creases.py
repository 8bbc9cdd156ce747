"""Where does skin fold?  Lines that deepen with the expression and with age, as factors on the skin's reflectance."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bench.data.twin.field import Floats, bump, smooth
from bench.data.twin.head import SKIN
from bench.data.twin.surface import Surface

_DEPTH = 0.55  # how dark a full fold is
_DEEPEST = 0.75
Units = dict[str, float]


def crease(albedo: Floats, seen: Surface, units: Units, wrinkles: float) -> None:
    """Darken folds in place.  `units` are the face units in action, `wrinkles` in [0, 1] those of age."""
    x, y, z = seen.rest
    aside, skin = np.abs(x), seen.part == SKIN
    folds: tuple[tuple[Floats, Callable[[Floats, Floats, Units, float], Floats]], ...] = (
        ((y > 7.58) & (y < 7.88) & (z > 0.9), _forehead),
        ((y > 7.2) & (y < 7.6) & (aside < 0.14) & (z > 1.0), _frown),
        ((y > 6.53) & (y < 6.98) & (aside < 0.40) & (z > 0.9), _laugh_lines),
        ((aside > 0.46) & (aside < 0.62) & (y > 7.15) & (y < 7.45) & (z > 0.7), _crows_feet),
    )
    for area, fold in folds:
        index = np.flatnonzero(area & skin)
        if len(index):
            depth = np.clip(fold(x[index], y[index], units, wrinkles), np.float32(0), np.float32(_DEEPEST))
            albedo[:, index] *= 1 - depth * np.float32(_DEPTH)


def _side(units: Units, name: str, x: Floats) -> Floats:
    """The intensity of a two-sided unit on the side of each fragment; the subject's left is x > 0."""
    return np.where(x > 0, np.float32(units.get(f"{name}Left", 0.0)), np.float32(units.get(f"{name}Right", 0.0)))


def _forehead(x: Floats, y: Floats, units: Units, wrinkles: float) -> Floats:
    """Three level lines: raised brows, action units 1 and 2."""
    inner = np.float32(units.get("browInnerUp", 0.0)) * bump(x, 0.35)
    outer = _side(units, "browOuterUp", x) * bump(np.abs(x) - np.float32(0.28), 0.28)
    bow = np.float32(0.03) * bump(x, 0.5)
    lines = (
        bump(y - np.float32(7.63) - bow, 0.022)
        + bump(y - np.float32(7.715) - bow, 0.022)
        + bump(y - np.float32(7.80) - bow, 0.022)
    )
    return (np.float32(0.55) * (inner + outer) + np.float32(0.12 * wrinkles)) * np.float32(1.6 * wrinkles) * lines


def _frown(x: Floats, y: Floats, units: Units, wrinkles: float) -> Floats:
    """Upright lines between the brows (action unit 4) and level ones over the nose (action unit 9)."""
    down = 0.5 * (units.get("browDownLeft", 0.0) + units.get("browDownRight", 0.0))
    upright = bump(np.abs(x) - np.float32(0.055), 0.022) * bump(y - np.float32(7.47), 0.12)
    level = (bump(y - np.float32(7.25), 0.018) + bump(y - np.float32(7.31), 0.016)) * bump(x, 0.13)
    frown = np.float32((0.8 * down + 0.1 * wrinkles) * (0.5 + wrinkles)) * upright
    return frown + np.float32(0.7) * _side(units, "noseSneer", x) * level


def _laugh_lines(x: Floats, y: Floats, units: Units, wrinkles: float) -> Floats:
    """From the nose to the corners of the mouth: action units 9, 10, 12 and 14."""
    pull = np.float32(0.16 * wrinkles) + np.float32(0.40) * _side(units, "mouthSmile", x)
    pull = pull + np.float32(0.30) * _side(units, "mouthUpperUp", x) + np.float32(0.35) * _side(units, "noseSneer", x)
    pull = pull + np.float32(0.22) * _side(units, "mouthDimple", x)
    path = np.float32(0.185) + np.float32(0.15) * np.clip((np.float32(6.95) - y) * np.float32(1.0 / 0.38), 0, 1)
    line = bump(np.abs(x) - path, 0.032) * smooth(6.53, 6.62, y) * smooth(6.98, 6.90, y)
    return pull * line * np.float32(0.5 + 0.5 * wrinkles)


def _crows_feet(x: Floats, y: Floats, units: Units, wrinkles: float) -> Floats:
    """Outside the eyes: action unit 6."""
    aside = np.abs(x)
    line = bump(y - (np.float32(7.27) + (aside - np.float32(0.5)) * np.float32(0.5)), 0.016)
    pull = np.float32(0.5) * _side(units, "cheekSquint", x) + np.float32(0.15 * wrinkles)
    return pull * line * smooth(0.46, 0.50, aside) * smooth(0.62, 0.55, aside) * np.float32(wrinkles)
