"""How does hair look?  Its coverage with a ragged edge, its strands, its soft silhouette, and what hangs behind the
head."""

from __future__ import annotations

import numpy as np

from bench.data.twin.camera import View, carried
from bench.data.twin.field import Floats, column_of, noise, smooth
from bench.data.twin.hairstyle import Hair
from bench.data.twin.head import SKIN
from bench.data.twin.person import Person
from bench.data.twin.surface import Surface

_CROWN = (0.0, 7.55, 0.1)  # the middle of the skull on the rest pose
_KNOT = (0.0, 8.25, -0.15)


def coverage(seen: Surface, hair: Hair) -> Floats:
    """How much hair covers each fragment (n,) in [0, 1]; strands make the hairline ragged."""
    if hair.bald:
        return np.zeros(len(seen), np.float32)
    if hair.style.cloth:
        return smooth(0.0, 0.02, seen.hair_height) * (seen.part == SKIN)
    x, _, z = seen.rest
    strands = noise(x * 30 + z * 9, seen.hair_height * 3) - np.float32(0.5)
    return smooth(-0.05, 0.04, seen.hair_height + strands * np.float32(0.07)) * (seen.part == SKIN)


def paint_hair(albedo: Floats, cover: Floats, seen: Surface, hair: Hair) -> None:
    """Lay hair or cloth over the reflectance in place."""
    index = np.flatnonzero(cover > 0)
    x, y, z = seen.rest[:, index]
    if hair.style.cloth:
        tint = np.float32(0.85) + np.float32(0.3) * noise(x * 5 + z * 3, y * 5)
    else:
        wave = np.float32(hair.style.curl) * (noise(x * 6, y * 6 + z * 4) - np.float32(0.5))
        across = x * np.float32(26) + z * np.float32(8) + wave * np.float32(12)
        coarse, fine = noise(across, y * 2), noise(across * np.float32(2.3), y * 3)
        tint = np.float32(0.45) + np.float32(0.7) * coarse + np.float32(0.4) * fine
    albedo[:, index] += (column_of(hair.cover_colour) * tint - albedo[:, index]) * cover[index]


def opacity(seen: Surface, cover: Floats, hair: Hair) -> Floats:
    """How opaque each fragment is (n,): hair seen edge-on lets the backdrop through, so the silhouette is soft."""
    if hair.bald or hair.style.cloth:
        return np.ones(len(seen), np.float32)
    x, y, z = seen.rest
    frizz = noise(x * 16 + z * 16, y * 16) - np.float32(0.5)
    edge = seen.normal[2] + frizz * np.float32(0.5 * hair.style.fuzz)
    return 1 - cover * (1 - smooth(0.02, 0.10 + 0.35 * hair.style.fuzz, edge))


def behind_head(person: Person, view: View, width: int) -> tuple[Floats, Floats] | None:
    """What hangs loose behind the head or is knotted on it: opacity and tint (width, width), or None for short hair."""
    hair = person.identity.hair
    if hair.curtain <= 0.0 and hair.bun <= 0.0:
        return None
    if hair.bun > 0.0:
        across, down = _plane(person, view, width, _KNOT)
        return _knot(across, down, hair)
    across, down = _plane(person, view, width, _CROWN)
    return _curtain(across, down, hair)


def _plane(person: Person, view: View, width: int, point: tuple[float, float, float]) -> tuple[Floats, Floats]:
    """Coordinates across and down (width, width) in decimetres from a point of the head, turned with its roll."""
    scale = view.scale
    x0, y0 = view.pixel(carried(person.face, point))
    step = np.arange(width, dtype=np.float32) + np.float32(0.5)
    dx, dy = (step - np.float32(x0)) * np.float32(1.0 / scale), (step - np.float32(y0)) * np.float32(1.0 / scale)
    cosine, sine = np.float32(view.roll[0]), np.float32(view.roll[1])
    return dx[None, :] * cosine - dy[:, None] * sine, dx[None, :] * sine + dy[:, None] * cosine


def _curtain(across: Floats, down: Floats, hair: Hair) -> tuple[Floats, Floats]:
    """A dome over the skull and a fall of hair beside the face, with wavy, ragged edges."""
    wave = (noise(down * 2, across * 0 + 5) - np.float32(0.5)) * np.float32(0.30 * hair.style.curl)
    width = np.float32(0.90 + hair.thickness) + np.float32(hair.flare) * np.clip(down, 0, 2)
    reach = (across + wave) / width
    dome = np.where(down < 0, down * np.float32(1.0 / (0.95 + hair.thickness)), np.float32(0))
    strands = noise(reach * 22, down * 2)
    radius = reach * reach + dome * dome + (strands - np.float32(0.5)) * np.float32(0.12 * (1 - hair.style.cloth))
    tip = (
        down
        + np.float32(0.15) * reach * reach
        + (strands - np.float32(0.5)) * np.float32(0.25 * (1 - hair.style.cloth))
    )
    cover = smooth(1.05, 0.92, radius) * smooth(hair.curtain + 0.07, hair.curtain - 0.07, tip)
    shadow = np.float32(0.30) + np.float32(0.45) * np.clip(reach * reach, 0, 1)  # darker close to the neck
    if hair.style.cloth:
        return cover, shadow + np.float32(0.15)
    return cover, shadow * (np.float32(0.6) + np.float32(0.8) * strands)


def _knot(across: Floats, down: Floats, hair: Hair) -> tuple[Floats, Floats]:
    distance = (across * across + down * down) * np.float32(1.0 / (hair.bun * hair.bun))
    strands = noise(across * 20 + down * 8, down * 6)
    light = np.clip(np.float32(0.55) - down * np.float32(0.5 / hair.bun), np.float32(0.25), np.float32(0.9))
    return smooth(1.1, 0.85, distance + (strands - np.float32(0.5)) * np.float32(0.3)), light * (
        np.float32(0.6) + np.float32(0.8) * strands
    )
