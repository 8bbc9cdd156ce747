"""What is the head made of?  The baked mesh, its named displacements, and the points that a camera needs.

Lengths are decimetres in the package's rest pose: x to the subject's left, y up, z forward.  Source and licence:
NOTICE.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

ASSET = Path(__file__).with_name("head.npz")

SKIN, LEFT_EYE, RIGHT_EYE, TONGUE, UPPER_TEETH, LOWER_TEETH, MOUTH_CAVITY = 0, 1, 2, 3, 4, 5, 7
REGIONS = ("brow", "eyes", "nose", "mouth")
LANDMARKS = ("left eye", "right eye", "nose tip", "left mouth corner", "right mouth corner")  # left is the subject's
_EAR_MOVES = 0.015  # decimetres


@dataclass(frozen=True, eq=False)
class Displacement:
    """A sparse shape key: `offset` (n, 3) is added to the vertices `index` (n,) at weight 1."""

    index: NDArray[np.intp]
    offset: Floats


@dataclass(frozen=True, eq=False)
class Head:
    """V vertices and T triangles.  `lips`, `lids` and `occlusion` (V,) are in [0, 1]; occlusion 1 means open to the
    sky.

    `displacements` are named `race:`, `univ:` (age, gender, weight), `loc+`/`loc-` (local shape) and `au:` (face
    units).
    """

    rest: Floats  # (V, 3)
    triangles: Ints  # (T, 3)
    corners: NDArray[np.intp]  # (3T,): the triangles flattened
    triangle_part: NDArray[np.uint8]  # (T,)
    vertex_part: NDArray[np.uint8]  # (V,)
    lips: Floats
    lids: Floats
    occlusion: Floats
    ears: NDArray[np.bool_]
    displacements: dict[str, Displacement]
    local_shapes: tuple[str, ...]
    mouth: NDArray[np.intp]
    landmark_vertices: tuple[int, int, int]  # nose tip, left and right mouth corner

    def eye(self, part: int) -> NDArray[np.intp]:
        """The vertices of one eyeball."""
        return np.flatnonzero(self.vertex_part == part)


def centre(vertices: Floats, index: NDArray[np.intp]) -> tuple[float, float, float]:
    """The mean of some vertices, summed exactly: NumPy's own sums depend on the processor's vector width."""
    x, y, z = (math.fsum(vertices[index, axis].tolist()) / len(index) for axis in range(3))
    return x, y, z


def displace(vertices: Floats, displacement: Displacement, weight: float) -> None:
    """Add a shape key in place."""
    vertices[displacement.index] += np.float32(weight) * displacement.offset


def vertex_normals(head: Head, vertices: Floats) -> Floats:
    """Unit normals (V, 3): the area-weighted mean of the normals of the adjoining triangles."""
    corner = vertices[head.corners].reshape(-1, 3, 3)  # (T, corner, xyz)
    u, v = corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]
    normals = np.empty_like(vertices)
    for k in range(3):
        i, j = (k + 1) % 3, (k + 2) % 3
        cross = u[:, i] * v[:, j] - u[:, j] * v[:, i]
        normals[:, k] = np.bincount(head.corners, np.repeat(cross, 3), len(vertices))
    return unit_rows(normals)


def unit_rows(vectors: Floats) -> Floats:
    """Rows scaled to length one; square roots and divisions are exact under IEEE 754, so every machine agrees."""
    x, y, z = vectors[:, 0], vectors[:, 1], vectors[:, 2]
    return vectors / np.maximum(np.sqrt(x * x + y * y + z * z), np.float32(1e-12))[:, None]


@lru_cache(maxsize=1)
def load_head() -> Head:
    """The shipped asset, read once per process."""
    with np.load(ASSET, allow_pickle=False) as baked:
        data = {name: baked[name] for name in baked.files}
    rest = (data["positions"].astype(np.float64) / 1e4).astype(np.float32)
    triangles = data["triangles"].astype(np.int32)
    lips = (data["lips"] / np.float32(255)).astype(np.float32)
    displacements = _displacements(data)
    local = sorted({name[4:] for name in displacements if name.startswith("loc+")})
    mouth = np.flatnonzero(lips > 0.5)
    return Head(
        rest=rest,
        triangles=triangles,
        corners=triangles.ravel().astype(np.intp),
        triangle_part=data["triangle_part"],
        vertex_part=data["vertex_part"],
        lips=lips,
        lids=(data["lids"] / np.float32(255)).astype(np.float32),
        occlusion=(data["occlusion"] / np.float32(255)).astype(np.float32),
        ears=_ears(rest, displacements),
        displacements=displacements,
        local_shapes=tuple(local),
        mouth=mouth,
        landmark_vertices=_landmark_vertices(rest, data["vertex_part"], mouth),
    )


def _displacements(data: dict[str, NDArray]) -> dict[str, Displacement]:
    start, index = data["target_start"], data["target_index"].astype(np.intp)
    offset = (data["target_steps"].astype(np.float64) / 1000).astype(np.float32)
    names = [str(name) for name in data["target_names"]]
    return {
        name: Displacement(index[a:b], offset[a:b]) for name, a, b in zip(names, start[:-1], start[1:], strict=True)
    }


def _ears(rest: Floats, displacements: dict[str, Displacement]) -> NDArray[np.bool_]:
    """The vertices that the ear's scale moves, cut off above and in front, where its shape key fades into the skin."""
    ears = np.zeros(len(rest), bool)
    for name in ("loc+l-ear-scale-incr", "loc+r-ear-scale-incr"):
        key = displacements[name]
        x, y, z = key.offset.T
        ears[key.index[x * x + y * y + z * z > _EAR_MOVES * _EAR_MOVES]] = True
    x, y, z = rest.T
    return ears & (np.abs(x) > 0.5) & (y > 6.65) & (y < 7.52) & (z > 0.05) & (z < 0.85)


def _landmark_vertices(rest: Floats, vertex_part: NDArray[np.uint8], mouth: NDArray[np.intp]) -> tuple[int, int, int]:
    x, y, z = rest.T
    nose = np.flatnonzero((vertex_part == SKIN) & (y > 6.8) & (y < 7.0) & (np.abs(x) < 0.05))
    return int(nose[np.argmax(z[nose])]), int(mouth[np.argmax(x[mouth])]), int(mouth[np.argmin(x[mouth])])
