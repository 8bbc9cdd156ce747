"""What if no face is found?  Lower the bar, then enlarge the picture, then keep it whole: flagged, never dropped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from bench.data.align.detector import Detector, Face
from bench.data.align.similarity import warp

SURE, DOUBTFUL = 0.9, 0.5
SMALLEST_SIDE = 320
LARGEST_SIDE = 1280
"""A longer picture is shrunk for detection: memory grows with its area, and its faces are large enough."""

STEPS = ("sure", "doubtful", "enlarged", "whole image")


@dataclass(frozen=True)
class Aligned:
    """A face at the size asked for.  `step` of STEPS is how it was found; `face` (in pixels of the original) is None
    where the whole image was kept."""

    image: Image.Image
    step: str
    face: Face | None


def align(image: Image.Image, detector: Detector, size: int) -> Aligned:
    """Find the main face of an RGB image and align it to size x size px."""
    step, face = find(image, detector)
    if face is None:
        return Aligned(image.resize((size, size), Image.Resampling.BILINEAR), step, None)
    return Aligned(warp(image, face.landmarks, size), step, face)


def find(image: Image.Image, detector: Detector) -> tuple[str, Face | None]:
    """The main face and the step that found it."""
    scale = min(1.0, LARGEST_SIDE / max(image.size))
    faces = _detect(image, detector, scale, border=0)
    if sure := [face for face in faces if face.score >= SURE]:
        return "sure", main_face(sure, image.size)
    if faces:
        return "doubtful", main_face(faces, image.size)
    scale = max(1.0, SMALLEST_SIDE / min(image.size)) if scale == 1.0 else scale
    # a face that fills the picture has no surroundings to be told from; a border gives it some
    faces = _detect(image, detector, scale, border=int(max(image.size) * scale) // 4)
    return ("enlarged", main_face(faces, image.size)) if faces else ("whole image", None)


def main_face(faces: list[Face], size: tuple[int, int]) -> Face:
    """The largest face, with a penalty for lying off the centre: datasets centre the person who was labelled."""

    def weight(face: Face) -> float:
        left, top, right, bottom = face.box
        off = ((left + right - size[0]) / 2) ** 2 + ((top + bottom - size[1]) / 2) ** 2
        return (right - left) * (bottom - top) - 2 * off

    return max(faces, key=weight)


def _detect(image: Image.Image, detector: Detector, scale: float, border: int) -> list[Face]:
    """Faces in the scaled and bordered image, in pixels of the original."""
    shown = image
    if scale != 1.0:
        shown = image.resize([max(1, round(side * scale)) for side in image.size], Image.Resampling.BICUBIC)
    if border:
        shown = ImageOps.expand(shown, border, fill=(123, 117, 104))  # the network's mean: nothing to see
    back = np.array([image.width / (shown.width - 2 * border), image.height / (shown.height - 2 * border)])
    faces = []
    for face in detector(np.asarray(shown), DOUBTFUL):
        left, top = (np.array(face.box[:2]) - border) * back
        right, bottom = (np.array(face.box[2:]) - border) * back
        box = (float(left), float(top), float(right), float(bottom))
        faces.append(Face(face.score, box, (face.landmarks - border) * back))
    return faces
