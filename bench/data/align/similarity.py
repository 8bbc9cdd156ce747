"""How is a face turned upright and brought to one scale?  A similarity of its five landmarks to a template."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

TEMPLATE_SIZE = 112
TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
"""Right eye, left eye, nose, right and left corner of the mouth in a picture of 112 px: the ArcFace template (Deng et
al., 2019)."""


def umeyama(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """The 2 x 3 matrix [s R | t] that takes points `source` (n, 2) to `target` (n, 2) with least squares, without
    reflection.

    S. Umeyama, "Least-squares estimation of transformation parameters between two point patterns", PAMI 1991, eqs.
    39-42: R = U S V^T of the covariance, s = tr(D S) / var(source), t = mean(target) - s R mean(source).
    """
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    covariance = (target - target_mean).T @ (source - source_mean) / len(source)
    left, singular, right = np.linalg.svd(covariance)
    signs = np.array([1.0, np.sign(np.linalg.det(left) * np.linalg.det(right))])
    rotation = left @ np.diag(signs) @ right
    scale = (singular * signs).sum() / ((source - source_mean) ** 2).sum(axis=1).mean()
    return np.column_stack([scale * rotation, target_mean - scale * rotation @ source_mean])


def warp(image: Image.Image, landmarks: NDArray[np.float64], size: int) -> Image.Image:
    """The face of `image` at size x size px, its landmarks (5, 2) as near to the template as a similarity can bring
    them."""
    matrix = umeyama(landmarks, TEMPLATE * (size / TEMPLATE_SIZE))
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    factor = max(1, int(1 / scale))  # shrinking by more than two would skip pixels: average blocks first
    if factor > 1:
        image = image.reduce(factor)
        matrix = matrix @ np.diag([factor, factor, 1.0])
    inverse = np.linalg.inv(np.vstack([matrix, [0.0, 0.0, 1.0]]))
    return image.transform((size, size), Image.Transform.AFFINE, tuple(inverse[:2].ravel()), Image.Resampling.BICUBIC)
