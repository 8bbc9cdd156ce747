"""What happens to sample i in epoch e?  The random draws of the augmentations, as a function of (seed, epoch, sample),
and of the repeat where a sampler with replacement shows a sample several times in an epoch.

Every draw is a Philox4x32-10 word addressed by its coordinates (Salmon et al., "Parallel random numbers: as easy as
1, 2, 3", SC 2011), so batch size, order and number of workers cannot change it.  The packed integers are those with
which Pillow and torchvision would move pixels; bench/data/augment.py applies them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from bench import errors, seeds

PAPER_SIZE = 224  # pixels; the paper and its code resize every image to this
ERASE_TRIES = 10  # torchvision.transforms.RandomErasing.get_params gives up after so many boxes that do not fit
COLUMNS = 13  # integers in a packed row

# Draw index of each decision.  Fixed: another order is another augmentation for every stored seed.
_FLIP, _GEOMETRY, _ANGLE, _FIRST, _SECOND, _SCALE, _ERASE, _, _TOP, _LEFT, _BOX = range(11)

_U32 = np.uint64(0xFFFFFFFF)
_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL = 0x9E3779B9, 0xBB67AE85


@dataclass(frozen=True)
class AugmentSpec:
    """A training transform: flip, then geometry, normalisation, erasing (FIDELITY T4).

    `size` and `padding` are in pixels, `degrees` is the largest angle to either side, `scale` a range of factors,
    `translate` a fraction of the size, `erase_scale` a range of fractions of the image's area, `erase_ratio` a range
    of height / width, and the names ending in `_p` are probabilities.  `rotate_crop` is a rotation followed by a crop
    of the padded image, both under one `geometry_p`.
    """

    size: int
    flip_p: float = 0.0
    geometry: Literal["none", "rotate_crop", "affine"] = "none"
    geometry_p: float = 0.0
    degrees: float = 0.0
    padding: int = 0
    scale: tuple[float, float] = (1.0, 1.0)
    translate: float = 0.0
    erase_p: float = 0.0
    erase_scale: tuple[float, float] = (0.02, 0.33)
    erase_ratio: tuple[float, float] = (0.3, 3.3)

    def __post_init__(self) -> None:
        # 4096: beyond it the 16.16 products leave int32.  90: Pillow turns by whole quarters without interpolating.
        lengths = 1 <= self.size <= 4096 and 0 <= self.padding < self.size
        turns = 0 <= self.degrees < 90 and 0.1 < self.scale[0] <= self.scale[1]
        fractions = (self.flip_p, self.geometry_p, self.erase_p, self.translate)
        if not (lengths and turns and all(0 <= fraction <= 1 for fraction in fractions)):
            raise ValueError(f"not an augmentation: {self}")


_AFFINE = AugmentSpec(
    PAPER_SIZE, flip_p=0.5, geometry="affine", geometry_p=0.7, degrees=20.0, scale=(0.8, 1.0), translate=0.2
)
PRESETS: dict[str, AugmentSpec] = {
    "none": AugmentSpec(PAPER_SIZE),
    "rafdb": AugmentSpec(
        PAPER_SIZE,
        flip_p=0.5,
        geometry="rotate_crop",
        geometry_p=0.2,
        degrees=20.0,
        padding=32,
        erase_p=0.5,
        erase_scale=(0.02, 0.25),
    ),
    "affectnet": replace(_AFFINE, erase_p=0.5),
    "sfew": replace(_AFFINE, geometry_p=0.5),  # issue #7 of the official repository
}


def preset(name: str, size: int = PAPER_SIZE) -> AugmentSpec:
    """The transform `name` of PRESETS at `size` pixels.

    What the official code states in pixels is scaled with the image and rounded (padding 32 at 224 is 9 at 64 and
    16 at 112); fractions and degrees stay.  Raises UserError for a name that does not exist.
    """
    if name not in PRESETS:
        raise errors.unknown("augmentation preset", name, PRESETS)
    spec = PRESETS[name]
    return replace(spec, size=size, padding=round(spec.padding * size / spec.size))


@dataclass(frozen=True)
class Draws:
    """The decisions for B samples, in the units of torchvision's functional operations; each array has B entries.

    `angle` is in degrees, as torchvision.transforms.functional.rotate or affine takes it; `offset` (B, 2) holds top
    and left of the crop in the padded image, or the translation in x and y, in pixels; `erase` (B, 4) holds top, left,
    height and width, with height 0 where nothing is erased.  Where `geometry` is False, angle, offset and scale are 0.
    """

    flip: np.ndarray
    geometry: np.ndarray
    angle: np.ndarray
    offset: np.ndarray
    scale: np.ndarray
    erase: np.ndarray


def philox4x32(counter: np.ndarray, key: tuple[int, int]) -> np.ndarray:
    """Philox4x32-10: the block cipher of four 32-bit words, ten rounds (SC 2011, section 3.4; Random123).

    `counter` (..., 4) holds 32-bit words, `key` two of them.  Returns (..., 4) uint64, each below 2**32.
    """
    c0, c1, c2, c3 = np.moveaxis(np.asarray(counter, np.uint64), -1, 0)
    for turn in range(10):
        k0, k1 = (np.uint64((word + turn * weyl) & 0xFFFFFFFF) for word, weyl in zip(key, _WEYL, strict=True))
        even, odd = _MULTIPLIERS[0] * c0, _MULTIPLIERS[1] * c2  # 32 x 32 -> 64 bits, exact
        c0, c1, c2, c3 = (odd >> 32) ^ c1 ^ k0, odd & _U32, (even >> 32) ^ c3 ^ k1, even & _U32
    return np.stack([c0, c1, c2, c3], axis=-1)


def uniform(
    seed: int, epoch: int, sample_ids: np.ndarray, k: int, stream: str = "augment", repeats: np.ndarray | None = None
) -> np.ndarray:
    """`k` float64 draws in [0, 1) for each of B samples, (B, k), each with 53 random bits.

    Draw j of a sample depends on (seed, stream, epoch, sample id, repeat, j) alone; `sample_ids` (B,) are non-negative,
    `repeats` (B,) count how often the epoch has shown the sample before (below 2**32), none being 0.
    """
    ids = np.asarray(sample_ids)
    if seed < 0 or epoch < 0 or (ids.dtype.kind != "u" and (ids < 0).any()):
        raise ValueError(f"seed, epoch and sample ids must not be negative (seed {seed}, epoch {epoch})")
    ids = ids.astype(np.uint64)
    key = seeds.stream_seed(stream, seed, epoch)
    blocks = (k + 1) // 2  # one block of 128 bits holds two draws
    counter = np.zeros((len(ids), blocks, 4), np.uint64)
    counter[:, :, 0] = np.arange(blocks)
    if repeats is not None:
        counter[:, :, 1] = np.asarray(repeats, np.uint64)[:, None]
    counter[:, :, 2] = (ids & _U32)[:, None]
    counter[:, :, 3] = (ids >> np.uint64(32))[:, None]
    words = philox4x32(counter, (key & 0xFFFFFFFF, key >> 32)).reshape(len(ids), 2 * blocks, 2)
    return (((words[:, :, 0] << np.uint64(32)) | words[:, :, 1]) >> np.uint64(11))[:, :k] * 2.0**-53


def decide(
    spec: AugmentSpec, seed: int, epoch: int, sample_ids: np.ndarray, repeats: np.ndarray | None = None
) -> Draws:
    """The decisions of `spec` for B samples, distributed as in the transforms of torchvision (v1)."""
    ids = np.asarray(sample_ids)
    again = np.zeros(len(ids), np.int64) if repeats is None else np.asarray(repeats)
    u = uniform(seed, epoch, ids, _BOX + 2, repeats=again)
    geometry = (u[:, _GEOMETRY] < spec.geometry_p) & (spec.geometry != "none")
    if spec.geometry == "affine":
        reach = spec.translate * spec.size
        offset = np.rint(_between(u[:, [_FIRST, _SECOND]], -reach, reach))
    else:
        offset = np.floor(u[:, [_FIRST, _SECOND]] * (2 * spec.padding + 1))
    return Draws(
        flip=u[:, _FLIP] < spec.flip_p,
        geometry=geometry,
        angle=np.where(geometry, _between(u[:, _ANGLE], -spec.degrees, spec.degrees), 0.0),
        offset=np.where(geometry[:, None], offset, 0).astype(np.int64),
        scale=np.where(geometry, _between(u[:, _SCALE], *spec.scale), 0.0),
        erase=_erase_boxes(spec, u, seed, epoch, ids, again),
    )


def _erase_boxes(
    spec: AugmentSpec, u: np.ndarray, seed: int, epoch: int, ids: np.ndarray, repeats: np.ndarray
) -> np.ndarray:
    """Top, left, height, width (B, 4) after RandomErasing.get_params: a box that does not fit is drawn again."""
    boxes = np.zeros((len(ids), 4), np.int64)
    rows = np.flatnonzero(u[:, _ERASE] < spec.erase_p)
    shapes = u[rows, _BOX : _BOX + 2]
    for attempt in range(ERASE_TRIES):
        if attempt == 1:  # rare, and never with RAF-DB's ranges: only now are the draws of the retries worth making
            unit = uniform(seed, epoch, ids[rows], _BOX + 2 * ERASE_TRIES, repeats=repeats[rows])
            retries = unit[:, _BOX:].reshape(-1, ERASE_TRIES, 2)
        if attempt:
            shapes = retries[:, attempt]
        area = spec.size**2 * _between(shapes[:, 0], *spec.erase_scale)
        # math.exp, not np.exp: NumPy chooses its kernel by processor, and a box must not depend on the machine.
        ratio = np.array([math.exp(v) for v in _between(shapes[:, 1], *map(math.log, spec.erase_ratio))])
        height, width = np.rint(np.sqrt(area * ratio)), np.rint(np.sqrt(area / ratio))
        fits = (height < spec.size) & (width < spec.size)
        kept = rows[fits]
        boxes[kept, 2], boxes[kept, 3] = height[fits], width[fits]
        rows = rows[~fits]
        if attempt:
            retries = retries[~fits]
        if not len(rows):
            break
    places = u[:, [_TOP, _LEFT]] * (spec.size - boxes[:, 2:] + 1)
    boxes[:, :2] = np.where(boxes[:, 2:] > 0, places, 0)
    return boxes


def pack(spec: AugmentSpec, draws: Draws) -> np.ndarray:
    """Decisions as (B, 13) int32, which bench/data/augment.py applies.

    Columns 0-5: a, b, d, e, c, f of Pillow's inverse map in 16.16 fixed point, taken at pixel centres, so that output
    pixel (x, y) reads input pixel ((a x + b y + c) >> 16, (d x + e y + f) >> 16).  Columns 6-7: top and left of the
    crop, relative to the unpadded image, added to y and x beforehand.  Column 8: 1 for a mirrored image (before the
    map).  Columns 9-12: top, bottom, left, right of the erased box, the ends excluded.
    """
    packed = np.zeros((len(draws.flip), COLUMNS), np.int32)
    packed[:, :6] = (65536, 0, 0, 65536, 32768, 32768)  # the identity: 1.0, and half a pixel
    rows = np.flatnonzero(draws.geometry)
    if spec.geometry == "rotate_crop":
        packed[rows, :6] = _fixed_point(_rotation(draws.angle[rows], spec.size))
        packed[rows, 6:8] = draws.offset[rows] - spec.padding
    elif spec.geometry == "affine":
        matrix = _affine(draws.angle[rows], draws.offset[rows], draws.scale[rows], spec.size)
        packed[rows, :6] = _fixed_point(matrix)
    packed[:, 8] = draws.flip
    top, left, height, width = draws.erase.T
    packed[:, 9:] = np.stack([top, top + height, left, left + width], axis=1)
    return packed


def draw(
    spec: AugmentSpec, seed: int, epoch: int, sample_ids: np.ndarray, repeats: np.ndarray | None = None
) -> np.ndarray:
    """The packed rows (B, 13) int32 of B samples: `pack` of `decide`."""
    return pack(spec, decide(spec, seed, epoch, sample_ids, repeats))


def _between(u: np.ndarray, low: float, high: float) -> np.ndarray:
    return low + (high - low) * u


def _rotation(degrees: np.ndarray, size: int) -> np.ndarray:
    """The inverse map (n, 6) that PIL.Image.rotate makes: sines rounded to 15 digits, about the centre size / 2."""
    # math and Python's decimal round, value by value: NumPy's versions may differ from Pillow's in the last bit.
    radians = [-math.radians(angle % 360.0) for angle in degrees.tolist()]
    cos = np.array([round(math.cos(t), 15) for t in radians])
    sin = np.array([round(math.sin(t), 15) for t in radians])
    centre = size / 2
    c = cos * -centre + sin * -centre + centre
    f = -sin * -centre + cos * -centre + centre
    return np.stack([cos, sin, c, -sin, cos, f], axis=1)  # (n, 6)


def _affine(degrees: np.ndarray, shift: np.ndarray, scale: np.ndarray, size: int) -> np.ndarray:
    """The inverse map (n, 6) of torchvision's _get_inverse_affine_matrix for a PIL image, without shear."""
    radians = [math.radians(angle) for angle in degrees.tolist()]
    cos = np.array([math.cos(t) for t in radians]) / scale
    sin = np.array([math.sin(t) for t in radians]) / scale
    centre = size * 0.5
    x, y = (-centre - shift).T  # (n,), (n,)
    return np.stack([cos, sin, cos * x + sin * y + centre, -sin, cos, -sin * x + cos * y + centre], axis=1)


def _fixed_point(matrix: np.ndarray) -> np.ndarray:
    """a, b, c, d, e, f as Pillow's affine_fixed (Geometry.c) holds them: a, b, d, e, c, f in 16.16 at pixel centres."""
    a, b, c, d, e, f = matrix.T
    values = np.stack([a, b, d, e, c + a * 0.5 + b * 0.5, f + d * 0.5 + e * 0.5], axis=1)
    return np.floor(values * 65536.0 + 0.5)
