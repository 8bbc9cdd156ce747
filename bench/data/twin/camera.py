"""Where does a point of the head land in the picture?  Rotation, perspective, and a crop fixed by the neutral face."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bench.data.twin.head import LEFT_EYE, RIGHT_EYE, Floats, Head, centre
from bench.data.twin.scene import Camera, Pose

Vector = tuple[float, float, float]

_AVERAGE_FACE = 0.66  # dm from the eyes to the mouth, for which Camera.distance is meant
_PIVOT_DEPTH = 0.9  # dm from the face back to the axis of the neck
_REST_EYES = (0.0, 7.284, 1.245)  # the middle between the eyes of the rest pose
_CENTRE_Y = 0.545  # the face's anchor lies a little below the middle of the picture


@dataclass(frozen=True, eq=False)
class View:
    """A projection: `rotation` (3, 3), `pivot` and `anchor` in decimetres, `distance` in decimetres, `scale` in
    pixels per decimetre."""

    rotation: Floats
    pivot: Floats
    anchor: tuple[float, float]
    distance: float
    scale: float
    origin: tuple[float, float]
    roll: tuple[float, float]  # cosine and sine of the head's roll
    foreshortening: float  # cosine of the yaw, at least 0.6

    def turn(self, vectors: Floats) -> Floats:
        """Rotate rows (n, 3) without BLAS: products and sums in a fixed order."""
        x, y, z = vectors[:, 0], vectors[:, 1], vectors[:, 2]
        r = self.rotation
        return np.stack([x * r[k, 0] + y * r[k, 1] + z * r[k, 2] for k in range(3)], 1)

    def place(self, points: Floats) -> Floats:
        """Camera coordinates (n, 3) of model points, the anchor at x = y = 0."""
        placed = self.turn(points - self.pivot)
        placed[:, 0] -= np.float32(self.anchor[0])
        placed[:, 1] -= np.float32(self.anchor[1])
        return placed

    def project(self, placed: Floats) -> tuple[Floats, Floats, Floats]:
        """Pixel coordinates x, y and nearness 1 / depth of camera points."""
        nearness = np.float32(1) / (np.float32(self.distance) - placed[:, 2])
        zoom = nearness * np.float32(self.scale * self.distance)
        return (
            np.float32(self.origin[0]) + placed[:, 0] * zoom,
            np.float32(self.origin[1]) - placed[:, 1] * zoom,
            nearness,
        )

    def pixel(self, point: Vector) -> tuple[float, float]:
        """The pixel coordinates of one model point."""
        x, y, _ = self.project(self.place(np.array([point], np.float32)))
        return float(x[0]), float(y[0])


@dataclass(frozen=True)
class Anchors:
    """Points of the neutral face that fix the crop: eyeball centres, their middle, the mouth, and the eye-to-mouth
    distance in dm."""

    left_eye: Vector
    right_eye: Vector
    eyes: Vector
    mouth: Vector
    length: float


def anchors(head: Head, neutral: Floats) -> Anchors:
    """The crop's points, from the neutral face only, so that the crop tells nothing about the expression."""
    left, right = centre(neutral, head.eye(LEFT_EYE)), centre(neutral, head.eye(RIGHT_EYE))
    mouth = centre(neutral, head.mouth)
    eyes = between(left, right, 0.5)
    length = math.sqrt(math.fsum((e - m) * (e - m) for e, m in zip(eyes, mouth, strict=True)))
    return Anchors(left, right, eyes, mouth, length)


def view(face: Anchors, pose: Pose, camera: Camera, width: int) -> View:
    """The camera of a scene for a square picture of `width` pixels."""
    rotation = np.array(_rotation(pose), np.float32)
    x, y, z = between(face.eyes, face.mouth, 0.4)
    pivot = np.array([x, y, z - _PIVOT_DEPTH], np.float32)
    looked_at = np.array([between(face.eyes, face.mouth, 0.44)], np.float32) - pivot
    towards = (looked_at[0] * rotation[:2]).astype(np.float64)
    return View(
        rotation=rotation,
        pivot=pivot,
        anchor=(math.fsum(towards[0].tolist()), math.fsum(towards[1].tolist())),
        distance=camera.distance * face.length / _AVERAGE_FACE,
        scale=camera.scale * width / face.length,
        origin=((0.5 + camera.shift_x) * width, (_CENTRE_Y + camera.shift_y) * width),
        roll=(_cosine(pose.roll), _sine(pose.roll)),
        foreshortening=max(0.6, _cosine(pose.yaw)),
    )


def carried(face: Anchors, point: Vector) -> Vector:
    """A point of the rest pose, moved as far as this person's eyes are from those of the rest pose."""
    x, y, z = (p + (eye - rest) for p, eye, rest in zip(point, face.eyes, _REST_EYES, strict=True))
    return x, y, z


def between(a: Vector, b: Vector, share: float) -> Vector:
    """The point that lies `share` of the way from a to b."""
    x, y, z = (p + (q - p) * share for p, q in zip(a, b, strict=True))
    return x, y, z


def _rotation(pose: Pose) -> list[list[float]]:
    """Roll after pitch after yaw, as a matrix of Python floats."""
    cy, sy, cp, sp, cr, sr = (f(angle) for angle in (pose.yaw, -pose.pitch, pose.roll) for f in (_cosine, _sine))
    yaw = [[cy, 0.0, sy], [0.0, 1.0, 0.0], [-sy, 0.0, cy]]
    pitch = [[1.0, 0.0, 0.0], [0.0, cp, -sp], [0.0, sp, cp]]
    roll = [[cr, -sr, 0.0], [sr, cr, 0.0], [0.0, 0.0, 1.0]]
    return _product(roll, _product(pitch, yaw))


def _product(a: list[list[float]], b: list[list[float]]) -> list[list[float]]:
    return [[math.fsum(a[i][k] * b[k][j] for k in range(3)) for j in range(3)] for i in range(3)]


def _cosine(degrees: float) -> float:
    return round(math.cos(math.radians(degrees)), 9)  # libm may differ in the last bit


def _sine(degrees: float) -> float:
    return round(math.sin(math.radians(degrees)), 9)
