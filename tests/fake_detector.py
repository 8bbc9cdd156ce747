"""A face detector that knows what it will find: the optional one is a large download and needs photos."""

from __future__ import annotations

import numpy as np

from bench.data.align.detector import Face

MARKS = np.array([[40.0, 45.0], [60.0, 45.0], [50.0, 55.0], [42.0, 65.0], [58.0, 65.0]])


class FakeDetector:
    """Finds one face in pictures whose width it knows; counts how often it looked."""

    def __init__(self, faces: dict[int, float] | None = None) -> None:
        self.faces, self.looks = faces or {}, 0

    def __call__(self, pixels: np.ndarray, threshold: float) -> list[Face]:
        self.looks += 1
        score = self.faces.get(pixels.shape[1], 0.0)
        return [Face(score, (30.0, 30.0, 70.0, 80.0), MARKS)] if score >= threshold else []
