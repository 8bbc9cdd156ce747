"""Which colour is the skin?  Tone, mottling, blush, freckles, beard, brows, lips, lids and clothes, painted over the
rest pose."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.data.twin.field import Floats, bump, column_of, noise, smooth
from bench.data.twin.head import SKIN
from bench.data.twin.identity import Brow, Identity
from bench.data.twin.surface import Surface

# Linear RGB from light to dark.
TONES: tuple[tuple[float, float, float], ...] = (
    (0.812, 0.564, 0.440), (0.714, 0.460, 0.328), (0.585, 0.348, 0.221),
    (0.378, 0.207, 0.119), (0.212, 0.106, 0.059), (0.093, 0.0465, 0.0287),
)  # fmt: skip
_LID_DARK = (0.06, 0.035, 0.03)
_NECKLINE = 5.90


def base_tone(tone: float) -> tuple[float, float, float]:
    """The skin's colour in linear RGB for a tone from 0 (light) to 1 (dark)."""
    position = tone * (len(TONES) - 1.001)
    k = int(position)
    red, green, blue = (a + (b - a) * (position - k) for a, b in zip(TONES[k], TONES[k + 1], strict=True))
    return red, green, blue


def skin_albedo(seen: Surface, person: Identity, clothes: tuple[float, float, float]) -> Floats:
    """Reflectance (3, n) as if every fragment were skin; eyes, teeth and hair are laid over it later."""
    base, skin = base_tone(person.skin.tone), person.skin
    x, y, z = seen.rest
    aside, frontal = np.abs(x), smooth(0.55, 0.85, z)
    albedo = column_of(base) * _mottle(x, y, skin.mottle)
    cheek = _disc(aside - np.float32(0.40), y - np.float32(6.98), 0.26)
    nose = _disc(x, y - np.float32(6.93), 0.16)
    _blend(
        albedo,
        np.minimum(cheek + np.float32(0.6) * nose, np.float32(1)) * frontal * np.float32(skin.blush),
        _tinted(base, (1.05, 0.62, 0.60)),
    )
    under_eye = _disc((aside - np.float32(0.30)) * np.float32(0.7), y - np.float32(7.14), 0.13)
    _blend(albedo, np.float32(0.5 * skin.eye_shadow) * under_eye * frontal, _tinted(base, (0.72, 0.62, 0.66)))
    if skin.freckles > 0.0:
        spot = smooth(0.70, 0.80, noise(x * 34, y * 34)) * _disc(x, (y - np.float32(7.0)) * np.float32(1.6), 0.55)
        _blend(albedo, np.float32(skin.freckles) * spot * frontal, _tinted(base, (0.55, 0.50, 0.45)))
    if skin.beard > 0.0:
        _blend(albedo, _beard(seen, skin.beard, skin.moustache), _beard_colour(person.hair.colour, base))
    _paint_brows(albedo, seen, person.brow)
    _blend(albedo, seen.lips * np.float32(skin.lip_strength), _on_skin(skin.lip_colour, base))
    _blend(albedo, np.minimum(seen.lids * np.float32(0.25 + 0.7 * skin.eyeliner), np.float32(0.95)), _LID_DARK)
    _blend(
        albedo,
        smooth(_NECKLINE + 0.05, _NECKLINE - 0.05, y - np.float32(0.10) * bump(x, 0.5)) * (seen.part == SKIN),
        clothes,
    )
    return albedo


def _blend(
    albedo: Floats, amount: Floats, colour: tuple[float, float, float], index: NDArray[np.intp] | None = None
) -> None:
    """Mix a colour into the reflectance in place; `amount` (n,) in [0, 1], for the fragments `index` or for all."""
    if index is None:
        albedo += (column_of(colour) - albedo) * amount.astype(np.float32)
    else:
        albedo[:, index] += (column_of(colour) - albedo[:, index]) * amount.astype(np.float32)


def _mottle(x: Floats, y: Floats, strength: float) -> Floats:
    """Uneven colour, (3, n) about one: broad red patches and fine pores."""
    broad = (noise(x * 7 + 31, y * 7) - np.float32(0.5)) * np.float32(0.13 * strength)
    fine = (noise(x * 42, y * 42 + 17) - np.float32(0.5)) * np.float32(0.10 * strength)
    return np.stack([1 + broad * np.float32(0.5) + fine, 1 - broad + fine, 1 - broad + fine])


def _disc(dx: Floats, dy: Floats, radius: float) -> Floats:
    """A soft round spot: 1 in the middle, 0 at `radius`."""
    t = np.maximum(np.float32(0), 1 - (dx * dx + dy * dy) * np.float32(1.0 / (radius * radius)))
    return t * t


def _beard(seen: Surface, strength: float, moustache: bool) -> Floats:
    """Opacity of the beard, broken up by stubble."""
    x, y, z = seen.rest
    aside = np.abs(x)
    upper_edge = np.float32(6.50) + np.float32(0.62) * smooth(0.22, 0.70, aside)
    ragged = (noise(x * 20, y * 20) - np.float32(0.5)) * np.float32(0.10)
    area = smooth(-0.10, 0.10, upper_edge - y + ragged) * smooth(5.9, 6.25, y) * smooth(0.2, 0.5, z)
    if moustache:
        lip = smooth(0.33, 0.20, aside) * smooth(6.56, 6.70, y) * smooth(6.86, 6.77, y + ragged) * smooth(1.2, 1.3, z)
        area = np.maximum(area, np.float32(0.9) * lip)
    stubble = np.float32(0.75) + np.float32(0.5) * noise(x * 55, y * 38)
    return np.clip(area * stubble * np.float32(strength), 0, 1) * (1 - np.clip(seen.lips, 0, 1))


def _paint_brows(albedo: Floats, seen: Surface, brow: Brow) -> None:
    """Hairs along a curve that rises to its arch at 62 % of its length and thins out to the temple."""
    x, y, z = seen.rest
    index = np.flatnonzero((y > 7.28) & (y < 7.68) & (z > 0.7) & (np.abs(x) < 0.64) & (seen.part == SKIN))
    x, y = x[index], y[index]
    along = (np.abs(x) - np.float32(brow.inner)) * np.float32(1.0 / (brow.outer - brow.inner))
    bend = (along - np.float32(0.62)) * np.float32(1.0 / 0.62)
    middle = np.float32(7.455 + brow.lift) + np.float32(brow.arch) * (1 - bend * bend)
    middle = middle - np.float32(0.06) * np.maximum(along - np.float32(0.62), 0)
    half = np.float32(brow.thickness) * (
        1 - np.float32(0.72) * np.clip((along - np.float32(0.25)) / np.float32(0.75), 0, 1)
    )
    hairs = noise(np.abs(x) * 60 - y * 26, y * 9)
    distance = np.abs(y - middle) / half + (hairs - np.float32(0.5)) * np.float32(0.5)
    ends = smooth(-0.10, 0.08, along) * smooth(1.10, 0.92, along)
    opacity = smooth(1.3, 0.6, distance) * ends * (np.float32(brow.density) - np.float32(0.30) * hairs)
    _blend(albedo, np.clip(opacity, 0, 1), brow.colour, index)


def _tinted(base: tuple[float, float, float], tint: tuple[float, float, float]) -> tuple[float, float, float]:
    return base[0] * tint[0], base[1] * tint[1], base[2] * tint[2]


def _on_skin(colour: tuple[float, float, float], base: tuple[float, float, float]) -> tuple[float, float, float]:
    """A lip colour as it looks on that skin: darker lips on darker skin."""
    red, green, blue = (c * (0.12 + 0.88 * b / t) for c, b, t in zip(colour, base, TONES[0], strict=True))
    return red, green, blue


def _beard_colour(hair: tuple[float, float, float], base: tuple[float, float, float]) -> tuple[float, float, float]:
    red, green, blue = (0.9 * h + 0.1 * b for h, b in zip(hair, base, strict=True))
    return red, green, blue
