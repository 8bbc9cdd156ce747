"""What does the camera see at each fragment?  Vertex attributes interpolated to the visible pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.data.twin.head import Floats, Head
from bench.data.twin.raster import Fragments


@dataclass(frozen=True, eq=False)
class Surface:
    """n fragments.  `rest` (3, n) is the point on the rest pose, so that paint moves with the skin; `normal` (3, n)
    in camera axes.

    `part` is a part of the head; `occlusion`, `lips`, `lids`, `lit` are in [0, 1]; `hair_height` in decimetres over
    the hairline.
    """

    pixel: NDArray[np.intp]
    part: NDArray[np.uint8]
    rest: Floats
    normal: Floats
    occlusion: Floats
    lips: Floats
    lids: Floats
    lit: Floats
    hair_height: Floats
    fragments: Fragments

    def __len__(self) -> int:
        return len(self.pixel)


def surface(
    head: Head, seen: Fragments, nearness: Floats, normals: Floats, lit: Floats, hair_height: Floats
) -> Surface:
    """Interpolate.  The weights are corrected for perspective first."""
    corners = head.triangles[seen.triangle].T  # (3, n)
    weights = _perspective(seen.weights, nearness, corners)

    def spread(values: Floats) -> Floats:
        return interpolate(values, corners, weights)

    normal = np.stack([spread(np.ascontiguousarray(normals[:, k])) for k in range(3)])
    length = np.sqrt(normal[0] * normal[0] + normal[1] * normal[1] + normal[2] * normal[2])
    return Surface(
        pixel=seen.pixel,
        part=head.triangle_part[seen.triangle],
        rest=np.stack([spread(np.ascontiguousarray(head.rest[:, k])) for k in range(3)]),
        normal=normal / np.maximum(length, np.float32(1e-6)),
        occlusion=spread(head.occlusion),
        lips=spread(head.lips),
        lids=spread(head.lids),
        lit=spread(lit),
        hair_height=spread(hair_height),
        fragments=Fragments(seen.pixel, seen.triangle, weights),
    )


def interpolate(values: Floats, corners: NDArray[np.int32], weights: Floats) -> Floats:
    """Values (V,) at fragments (n,), from the triangles' `corners` (3, n) and barycentric `weights` (3, n)."""
    return values[corners[0]] * weights[0] + values[corners[1]] * weights[1] + values[corners[2]] * weights[2]


def _perspective(weights: Floats, nearness: Floats, corners: NDArray[np.int32]) -> Floats:
    """Barycentric weights on the screen to those on the triangle: w_k / z_k, scaled to sum to one."""
    scaled = weights * nearness[corners]
    return scaled / (scaled[0] + scaled[1] + scaled[2])
