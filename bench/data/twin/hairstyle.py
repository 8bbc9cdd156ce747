"""Which hair does a person have?  Styles as data, and the hairline as a height over the scalp."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from bench.data.twin.head import SKIN, Floats, Head, load_head
from bench.data.twin.stream import Stream

Rgb = tuple[float, float, float]

# The hairline as (z, y) knots over the rest pose, from the back of the neck to the forehead: hair grows above it.
_SHORT_LINE = (
    (-0.55, 6.50), (0.15, 6.75), (0.50, 6.95), (0.72, 7.25), (0.92, 7.45), (1.05, 7.66), (1.20, 7.90), (1.35, 7.98),
    (1.70, 8.00),
)  # fmt: skip
_LONG_LINE = (
    (-0.55, 5.90), (0.35, 6.10), (0.55, 6.80), (0.75, 7.25), (0.92, 7.45), (1.05, 7.66), (1.20, 7.90), (1.35, 7.98),
    (1.70, 8.00),
)  # fmt: skip
_LOWER = 0.07  # how far the line comes down the forehead at drop 0


@dataclass(frozen=True)
class Style:
    """`cover` is the (low, high) thickness over the scalp in dm, `drop` how far the line comes down the forehead,
    `part` its tilt from side to side, `recede` how far its corners rise.  `fuzz` in [0, 1] is the softness of the
    silhouette, `curl` in [0, 1] that of the strands. `curtain` is the (low, high) length of loose hair below the
    crown (0 for none), `bun` the (low, high) radius of a knot. `cloth` marks a cap or a scarf.  `female` and `male`
    weigh how often it is drawn.
    """

    name: str
    cover: tuple[float, float]
    female: float
    male: float
    long: bool = False
    drop: tuple[float, float] = (-0.08, 0.06)
    part: float = 0.0
    recede: float = 0.0
    fuzz: float = 0.35
    curl: float = 0.1
    curtain: tuple[float, float] = (0.0, 0.0)
    bun: tuple[float, float] = (0.0, 0.0)
    cloth: bool = False


STYLES: tuple[Style, ...] = (
    Style("bald", (0.0, 0.0), 0.0, 0.10),
    Style("buzz", (0.01, 0.03), 0.02, 0.16, drop=(-0.06, 0.04), fuzz=0.15, curl=0.6),
    Style("receding", (0.02, 0.07), 0.0, 0.10, drop=(-0.16, -0.06), recede=0.5, fuzz=0.3),
    Style("crop", (0.05, 0.14), 0.07, 0.24),
    Style("side part", (0.08, 0.20), 0.05, 0.18, drop=(-0.02, 0.08), part=0.22),
    Style("fringe", (0.08, 0.18), 0.05, 0.08, drop=(0.12, 0.26), fuzz=0.4),
    Style("full curls", (0.12, 0.28), 0.08, 0.08, fuzz=1.0, curl=1.0, curtain=(0.25, 0.55)),
    Style("bob", (0.08, 0.18), 0.15, 0.01, long=True, curtain=(1.0, 1.5), fuzz=0.4),
    Style("bob with fringe", (0.08, 0.16), 0.11, 0.01, long=True, drop=(0.14, 0.26), curtain=(0.9, 1.6), fuzz=0.4),
    Style("long straight", (0.05, 0.14), 0.16, 0.02, long=True, part=0.12, curtain=(1.8, 2.6)),
    Style("long wavy", (0.10, 0.24), 0.14, 0.02, long=True, part=0.15, curtain=(1.5, 2.4), fuzz=0.8, curl=0.7),
    Style("tied back", (0.03, 0.07), 0.11, 0.02, drop=(-0.08, 0.0), fuzz=0.2),
    Style("bun", (0.03, 0.08), 0.08, 0.01, drop=(-0.08, 0.0), bun=(0.28, 0.45), fuzz=0.3),
    Style("cap", (0.06, 0.12), 0.02, 0.05, drop=(0.06, 0.20), fuzz=0.0, cloth=True),
    Style("scarf", (0.05, 0.09), 0.06, 0.0, long=True, drop=(0.06, 0.16), curtain=(2.4, 2.6), fuzz=0.0, cloth=True),
)

_COLOURS: tuple[Rgb, ...] = (
    (0.05, 0.035, 0.03),
    (0.12, 0.07, 0.045),
    (0.25, 0.14, 0.07),
    (0.43, 0.29, 0.14),
    (0.40, 0.16, 0.07),
)
_GREY = 0.55


@dataclass(frozen=True)
class Hair:
    """One person's hair: a style with its numbers settled.  Lengths in decimetres, `colour` linear RGB, `side` -1 or
    1."""

    style: Style
    colour: Rgb
    cover_colour: Rgb
    thickness: float
    drop: float
    side: float
    curtain: float
    flare: float
    bun: float

    @property
    def bald(self) -> bool:
        return self.style.name == "bald"


def sample_hair(stream: Stream, age: float, gender: float, darkness: float) -> Hair:
    """Draw a style that fits, and its numbers.  The greater `darkness` in [0, 1], the more often hair is black."""
    style = _draw_style(stream, gender)
    hue = _COLOURS[0] if stream.chance(1.3 * darkness) else stream.choice(_COLOURS)
    grey = min(max((age - 0.78) / 0.22, 0.0), 1.0) * stream.uniform(0.3, 1.0)
    cloth = (stream.uniform(0.03, 0.6), stream.uniform(0.03, 0.6), stream.uniform(0.03, 0.6))
    colour = (hue[0] + (_GREY - hue[0]) * grey, hue[1] + (_GREY - hue[1]) * grey, hue[2] + (_GREY - hue[2]) * grey)
    return Hair(
        style=style,
        colour=colour,
        cover_colour=cloth if style.cloth else colour,
        thickness=stream.uniform(*style.cover),
        drop=stream.uniform(*style.drop) - 0.10 * max(0.0, age - 0.7) * gender,
        side=1.0 if stream.chance(0.5) else -1.0,
        curtain=stream.uniform(*style.curtain),
        flare=stream.uniform(-0.05, 0.22) if style.curl > 0.3 else stream.uniform(-0.05, 0.12),
        bun=stream.uniform(*style.bun),
    )


def _draw_style(stream: Stream, gender: float) -> Style:
    weights = [(1.0 - gender) * style.female + gender * style.male for style in STYLES]
    target = stream.uniform() * sum(weights)
    for style, weight in zip(STYLES, weights, strict=True):
        target -= weight
        if target < 0.0:
            return style
    return STYLES[-1]


def height_over_hairline(hair: Hair) -> Floats:
    """How far each vertex lies above the hairline (V,), in decimetres; negative below it and off the scalp."""
    head = load_head()
    x, y, z = head.rest.T
    front = _ramp(z, 0.75, 1.15)
    style = hair.style
    line = _hairline(style.long) - np.float32(hair.drop + _LOWER) * front
    line = line + np.float32(style.part * hair.side) * x * front
    corner = np.maximum(np.float32(0), 1 - np.abs(np.abs(x) - np.float32(0.38)) / np.float32(0.25))
    line = line + np.float32(style.recede) * corner * _ramp(z, 0.6, 0.9)
    height = np.where(head.vertex_part == SKIN, y - line, np.float32(-1))
    bare_ears = np.where(head.ears, np.minimum(height, np.float32(-0.12)), height)
    return (height if style.long else bare_ears).astype(np.float32)


def scalp_lift(hair: Hair, height: Floats) -> Floats:
    """How far hair lifts each vertex along its normal (V,), in decimetres; it thins out at the hairline and round the
    ears."""
    if hair.bald:
        return np.zeros_like(height)
    above_neck = _ramp(load_head().rest[:, 1], 6.3, 6.9)
    return _smooth(0.0, 0.10 + 1.2 * hair.thickness, height) * np.float32(hair.thickness) * _ear_distance() * above_neck


@lru_cache(maxsize=2)
def _hairline(long: bool) -> Floats:
    """The height of the hairline at each vertex: _LONG_LINE at the sides, _SHORT_LINE in the middle of the head."""
    x, _, z = load_head().rest.T
    short = _piecewise(z, _SHORT_LINE)
    if not long:
        return short
    return short + (_piecewise(z, _LONG_LINE) - short) * _ramp(np.abs(x), 0.22, 0.42)


@lru_cache(maxsize=1)
def _ear_distance() -> Floats:
    """0 at an ear, 1 from 2.2 cm on."""
    head: Head = load_head()
    ears = head.rest[head.ears].astype(np.float64)
    nearest = np.full(len(head.rest), 9.0)
    for ear in ears:
        d = head.rest - ear
        nearest = np.minimum(nearest, np.sqrt(d[:, 0] * d[:, 0] + d[:, 1] * d[:, 1] + d[:, 2] * d[:, 2]))
    return _smooth(0.02, 0.22, nearest.astype(np.float32))


def _piecewise(z: Floats, knots: tuple[tuple[float, float], ...]) -> Floats:
    """Linear interpolation, from exact operations only (np.interp may be compiled with fused multiply-add)."""
    y = np.full_like(z, knots[0][1])
    for (z0, y0), (z1, y1) in pairwise(knots):
        y += np.float32(y1 - y0) * _ramp(z, z0, z1)
    return y


def _ramp(x: Floats, low: float, high: float) -> Floats:
    return np.clip((x - np.float32(low)) / np.float32(high - low), np.float32(0), np.float32(1))


def _smooth(low: float, high: float, x: Floats) -> Floats:
    t = _ramp(x, low, high)
    return t * t * (3 - 2 * t)
