"""What is behind the head?  A gradient with soft ellipses and blotches, shoulders, and loose hair; linear RGB."""

from __future__ import annotations

import numpy as np

from bench.data.twin.camera import View, carried
from bench.data.twin.field import Floats, column_of, smooth
from bench.data.twin.hair import behind_head
from bench.data.twin.person import Person
from bench.data.twin.scene import Backdrop, Scene
from bench.data.twin.shading import flat_colour
from bench.data.twin.stream import Stream

_LATTICE = 12  # points of the blotches' lattice along each side
_THROAT = (0.0, 5.75, 0.25)  # on the rest pose


def render_backdrop(scene: Scene, person: Person, view: View, stream: Stream, size: int, sub: int) -> Floats:
    """The backdrop (3, size * sub, size * sub): smooth parts at `size`, outlines of clothes and hair at the finer
    width."""
    plain = _plain(scene.backdrop, stream, size) * np.float32(scene.light.exposure)
    fine = np.repeat(np.repeat(plain, sub, 1), sub, 2)
    width = size * sub
    clothes = flat_colour(scene.backdrop.clothes, scene.light)[:, :, None]
    fine += (clothes - fine) * _shoulders(person, view, width)
    loose = behind_head(person, view, width)
    if loose is not None:
        cover, tint = loose
        colour = flat_colour(person.identity.hair.cover_colour, scene.light)[:, :, None] * np.float32(1.2)
        fine += (colour * tint - fine) * cover
    return fine


def _plain(backdrop: Backdrop, stream: Stream, size: int) -> Floats:
    position = np.arange(size, dtype=np.float32) * np.float32(1.0 / size)
    x, y = position[None, :], position[:, None]
    top_left, top_right, bottom_left, bottom_right = (column_of(c)[:, :, None] for c in backdrop.corners)
    picture = (top_left * (1 - x) + top_right * x) * (1 - y) + (bottom_left * (1 - x) + bottom_right * x) * y
    for blob in backdrop.blobs:
        dx, dy = (
            (x - np.float32(blob.x)) * np.float32(1.0 / blob.radius_x),
            (y - np.float32(blob.y)) * np.float32(1.0 / blob.radius_y),
        )
        cover = smooth(1.0, 0.7, dx * dx + dy * dy) * np.float32(blob.opacity)
        picture += (column_of(blob.colour)[:, :, None] - picture) * cover
    return np.clip(picture * (1 + np.float32(0.5) * _blotches(stream, size)), 0, 1)


def _blotches(stream: Stream, size: int) -> Floats:
    """Coarse noise (3, size, size) in [-0.5, 0.5], mostly grey, interpolated from a lattice."""
    raw = stream.grains(_LATTICE * _LATTICE * 3).astype(np.float32).reshape(3, _LATTICE, _LATTICE) / np.float32(
        65535
    ) - np.float32(0.5)
    lattice = raw * np.float32(0.3) + raw[:1] * np.float32(0.7)
    place = np.arange(size, dtype=np.float32) * np.float32((_LATTICE - 1) / size)
    cell = np.minimum(place.astype(np.int64), _LATTICE - 2)
    t = place - cell.astype(np.float32)
    rows = lattice[:, cell] * (1 - t)[None, :, None] + lattice[:, cell + 1] * t[None, :, None]
    return rows[:, :, cell] * (1 - t) + rows[:, :, cell + 1] * t


def _shoulders(person: Person, view: View, width: int) -> Floats:
    """Opacity (width, width) of the clothes below the neck: a rounded slope to both sides."""
    x0, y0 = view.pixel(carried(person.face, _THROAT))
    step = np.arange(width, dtype=np.float32) + np.float32(0.5)
    across = ((step - np.float32(x0)) * np.float32(1.0 / view.scale))[None, :]
    down = ((step - np.float32(y0)) * np.float32(1.0 / view.scale))[:, None]
    slope = down - np.float32(0.10) - np.float32(0.22) * np.abs(across)
    return smooth(-0.03, 0.03, slope) * smooth(2.1, 1.9, np.abs(across))
