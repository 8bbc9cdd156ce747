"""What covers a part of the face?  Glasses, a mask, or something held before it, drawn over the picture."""

from __future__ import annotations

import math

import numpy as np

from bench.data.twin.camera import View
from bench.data.twin.field import Floats, bump, column_of, smooth
from bench.data.twin.person import Person
from bench.data.twin.scene import Occluder, Scene
from bench.data.twin.shading import flat_colour
from bench.data.twin.skin import base_tone
from bench.data.twin.surface import Surface

_LENS_DARK, _LENS_CLEAR = 0.92, 0.06
_LENS_FORWARD = 0.25  # dm from the eyeball's centre to the glasses
_AVERAGE_FACE = 0.66


def occlude(picture: Floats, seen: Surface, person: Person, scene: Scene, view: View, width: int) -> Floats | None:
    """Draw the scene's occluder over `picture` (3, width * width) in place; returns its opacity (width * width,), or
    None without one."""
    occluder = scene.occluder
    if occluder.kind == "none":
        return None
    if occluder.kind == "mask":
        return _mask(picture, seen, occluder, scene)
    if occluder.kind == "block":
        return _block(picture, person, occluder, scene, width)
    return _glasses(picture, person, occluder, view, width)


def _lay(picture: Floats, colour: Floats, opacity: Floats) -> None:
    picture += (colour - picture) * opacity


def _mask(picture: Floats, seen: Surface, occluder: Occluder, scene: Scene) -> Floats:
    """A cloth mask over nose and mouth; it follows the skin."""
    x, y, z = seen.rest
    cover = smooth(0.10, 0.13, smooth(7.02, 6.98, y - np.float32(0.12) * bump(x, 0.3)) * (z > 0.35) * (y > 6.0))
    n = occluder.numbers
    colour = flat_colour((0.25 + 0.5 * n[0], 0.45 + 0.35 * n[1], 0.6 + 0.3 * n[2]), scene.light)
    fold = np.float32(0.55) + np.float32(0.45) * np.clip(seen.normal[2], 0, 1) * seen.occlusion
    opacity = np.zeros(picture.shape[1], np.float32)
    opacity[seen.pixel] = cover
    cloth = np.zeros_like(picture)
    cloth[:, seen.pixel] = colour * fold
    _lay(picture, cloth, opacity)
    return opacity


def _block(picture: Floats, person: Person, occluder: Occluder, scene: Scene, width: int) -> Floats:
    """A rounded thing in front of the face, often of the colour of the skin, like a hand."""
    n = occluder.numbers
    x, y = n[0] * width, (0.35 + 0.65 * n[1]) * width
    radius_x, radius_y = (0.08 + 0.14 * n[2]) * width, (0.06 + 0.10 * n[3]) * width
    angle = math.pi * n[4]
    cosine, sine = np.float32(round(math.cos(angle), 9)), np.float32(round(math.sin(angle), 9))
    column, row = _grid(width)
    dx, dy = column - np.float32(x), row - np.float32(y)
    u, v = (
        (dx * cosine + dy * sine) * np.float32(1.0 / radius_x),
        (dy * cosine - dx * sine) * np.float32(1.0 / radius_y),
    )
    distance = (u * u * u * u + v * v * v * v).ravel()
    opacity = smooth(1.05, 0.95, distance)
    colour = base_tone(person.identity.skin.tone) if n[5] < 0.6 else (n[6], n[7], n[5])
    rounding = np.float32(0.65) + np.float32(0.35) * (1 - np.clip(distance, 0, 1))
    _lay(picture, flat_colour(colour, scene.light) * rounding, opacity)
    return opacity


def _glasses(picture: Floats, person: Person, occluder: Occluder, view: View, width: int) -> Floats:
    """Two rounded lenses with rims and a bridge.  The opacity counts dark lenses, not clear ones."""
    n = occluder.numbers
    frame, lens = (layer.ravel() for layer in _spectacles(person, occluder, view, width))
    dark = occluder.kind == "sunglasses"
    picture *= 1 - lens * np.float32(_LENS_DARK if dark else _LENS_CLEAR)
    _lay(picture, column_of((0.3 * n[3], 0.2 * n[3], 0.15 * n[3])), frame)
    return np.maximum(frame, lens) if dark else frame


def _spectacles(person: Person, occluder: Occluder, view: View, width: int) -> tuple[Floats, Floats]:
    """Opacity of the frame and of the lenses (width, width): superellipses round the eyes, turned with the head."""
    n = occluder.numbers
    eyes = [view.pixel((x, y, z + _LENS_FORWARD)) for x, y, z in (person.face.left_eye, person.face.right_eye)]
    radius = (0.20 + 0.06 * n[0]) * view.scale * person.face.length / _AVERAGE_FACE
    narrow, aspect, rim = radius * view.foreshortening, 0.65 + 0.35 * n[1], 0.10 + 0.12 * n[2]
    column, row = _grid(width)
    frame, lens = np.zeros((width, width), np.float32), np.zeros((width, width), np.float32)
    for x, y in eyes:
        across, down = _turned(column - np.float32(x), row - np.float32(y), view)
        u, v = across * np.float32(1.0 / narrow), down * np.float32(1.0 / (radius * aspect))
        distance = np.sqrt(np.sqrt(u * u * u * u + v * v * v * v))
        frame = np.maximum(frame, smooth(rim, rim * 0.6, np.abs(distance - 1)))
        lens = np.maximum(lens, smooth(1.02, 0.98, distance))
    (left, left_y), (right, right_y) = eyes
    across, down = _turned(column - np.float32((left + right) / 2), row - np.float32((left_y + right_y) / 2), view)
    between = np.abs(across) < np.float32(abs(left - right) / 2 - narrow)
    bridge = smooth(radius * rim, radius * rim * 0.6, np.abs(down + np.float32(radius * 0.25))) * between
    return np.maximum(frame, bridge), lens


def _turned(dx: Floats, dy: Floats, view: View) -> tuple[Floats, Floats]:
    """Offsets on the picture turned into the head's own axes."""
    cosine, sine = np.float32(view.roll[0]), np.float32(view.roll[1])
    return dx * cosine - dy * sine, dx * sine + dy * cosine


def _grid(width: int) -> tuple[Floats, Floats]:
    """Pixel centres: columns (1, width) and rows (width, 1)."""
    step = np.arange(width, dtype=np.float32) + np.float32(0.5)
    return step[None, :], step[:, None]
