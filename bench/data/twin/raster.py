"""Which triangle does each pixel see?  A z-buffer by scan lines: spans per triangle and row, then the nearest
fragment per pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_MIN_AREA = 1e-6
_SLACK = 1e-3  # pixels by which a span is widened: neighbours overlap rather than leave a crack; depth decides
_DEPTH_STEPS = 2.0**28


@dataclass(frozen=True, eq=False)
class Fragments:
    """The visible fragments, ordered by pixel.

    `pixel` (n,) is row * width + column, `triangle` (n,) its triangle, `weights` (3, n) the barycentric weights,
    linear on the screen.
    """

    pixel: NDArray[np.intp]
    triangle: NDArray[np.int32]
    weights: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Spans:
    """Runs of pixels of a triangle in a row, with weights 1 and 2 and nearness at the first pixel centre and their
    steps per column."""

    triangle: NDArray[np.int32]
    first: NDArray[np.intp]  # row * width + first column
    length: NDArray[np.intp]
    start: NDArray[np.float32]  # (3, spans): weight 1, weight 2, nearness
    step: NDArray[np.float32]  # (3, spans)


def rasterise(
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    nearness: NDArray[np.float32],
    triangles: NDArray[np.int32],
    width: int,
    cull: bool = True,
) -> Fragments:
    """Scan-convert triangles onto a square image of `width` pixels.

    `x`, `y` (V,) are pixel coordinates, y down, pixel centres at halves.  `nearness` (V,) is positive, larger when
    nearer, and linear on the screen (1 / depth under perspective).  With `cull`, triangles seen from behind are left
    out.  Equal nearness: the lower triangle wins.
    """
    spans = _spans(x, y, nearness, triangles, width, cull)
    span = np.repeat(np.arange(len(spans.first), dtype=np.int32), spans.length)
    column = np.arange(len(span), dtype=np.int32) - np.repeat(
        (np.cumsum(spans.length) - spans.length).astype(np.int32), spans.length
    )
    pixel = spans.first[span] + column
    near = spans.start[2][span] + column.astype(np.float32) * spans.step[2][span]
    winner = _nearest(pixel, near, spans.triangle[span], width * width)
    span, along = span[winner], column[winner].astype(np.float32)
    first = spans.start[0][span] + along * spans.step[0][span]
    second = spans.start[1][span] + along * spans.step[1][span]
    weights = np.stack([1 - first - second, first, second])
    return Fragments(pixel[winner], spans.triangle[span], weights)


def _nearest(
    pixel: NDArray[np.intp], near: NDArray[np.float32], triangle: NDArray[np.int32], pixels: int
) -> NDArray[np.intp]:
    """The winning fragment of each covered pixel, in pixel order: depth in the high bits of a key, triangle id in the
    low 16."""
    depth = np.float32(_DEPTH_STEPS) - near * np.float32(_DEPTH_STEPS)
    key = (depth.astype(np.int64) << 16) | triangle
    best = np.full(pixels, np.iinfo(np.int64).max, np.int64)
    np.minimum.at(best, pixel, key)
    fragment = np.full(pixels, -1, np.intp)
    won = np.flatnonzero(best[pixel] == key)
    fragment[pixel[won]] = won
    return fragment[fragment >= 0]


def _spans(
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    nearness: NDArray[np.float32],
    triangles: NDArray[np.int32],
    width: int,
    cull: bool,
) -> _Spans:
    """One span per triangle and pixel row.  Double precision: there are few, and long thin triangles need it."""
    corners = np.ascontiguousarray(triangles.T)  # (3, T)
    corner_x, corner_y = x[corners].astype(np.float64), y[corners].astype(np.float64)
    edges = [corner_x[1] - corner_x[0], corner_x[2] - corner_x[0], corner_y[1] - corner_y[0], corner_y[2] - corner_y[0]]
    area = edges[0] * edges[3] - edges[1] * edges[2]
    drawn = (area < -_MIN_AREA) if cull else (np.abs(area) > _MIN_AREA)
    triangle, row = _rows(corner_y, drawn, width)
    ux, vx, uy, vy = ((edge / np.where(drawn, area, 1.0))[triangle] for edge in edges)
    # weight 1 = (x - x0) vy - (y - y0) vx, weight 2 = (y - y0) ux - (x - x0) uy, each over the area
    down, left = (row + 0.5) - corner_y[0, triangle], corner_x[0, triangle]
    slope, level = np.stack([vy, -uy]), np.stack([-down * vx, down * ux])
    low, high = _limits(slope, level)
    first = np.clip(np.ceil(left + low - 0.5 - _SLACK), 0, width).astype(np.int64)
    last = np.clip(np.floor(left + high - 0.5 + _SLACK), -1, width - 1).astype(np.int64)
    full = np.flatnonzero(last >= first)
    triangle, row, first, last = triangle[full], row[full], first[full], last[full]
    slope = slope[:, full]
    weight = level[:, full] + slope * (first + 0.5 - left[full])
    near = nearness[corners].astype(np.float64)[:, triangle]  # (3, spans)
    rise = near[1:] - near[0]
    start = np.stack([weight[0], weight[1], near[0] + weight[0] * rise[0] + weight[1] * rise[1]]).astype(np.float32)
    step = np.stack([slope[0], slope[1], slope[0] * rise[0] + slope[1] * rise[1]]).astype(np.float32)
    return _Spans(triangle.astype(np.int32), row * width + first, last - first + 1, start, step)


def _rows(
    corner_y: NDArray[np.float64], drawn: NDArray[np.bool_], width: int
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Each drawn triangle once per row whose pixel centres it may cover: triangle and row."""
    top = np.clip(np.ceil(_least(corner_y) - 0.5), 0, width).astype(np.int64)
    bottom = np.clip(np.floor(-_least(-corner_y) - 0.5), -1, width - 1).astype(np.int64)
    kept = np.flatnonzero(drawn & (bottom >= top))
    count = (bottom - top + 1)[kept]
    triangle = np.repeat(kept, count)
    return triangle, top[triangle] + np.arange(len(triangle)) - np.repeat(np.cumsum(count) - count, count)


def _least(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """The smallest of three coordinates (3, T); a reduction along a short axis is several times slower."""
    return np.minimum(np.minimum(corners[0], corners[1]), corners[2])


def _limits(slope: NDArray[np.float64], level: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where along a row all three weights are non-negative: the largest lower and the smallest upper bound."""
    low, high = np.full(slope.shape[1], -np.inf), np.full(slope.shape[1], np.inf)
    bounds = ((slope[0], level[0]), (slope[1], level[1]), (-slope[0] - slope[1], 1.0 - level[0] - level[1]))
    for rate, value in bounds:
        with np.errstate(divide="ignore", invalid="ignore"):
            root = -value / rate
        low = np.where(rate > 0, np.maximum(low, root), low)
        high = np.where(rate < 0, np.minimum(high, root), high)
        high = np.where((rate == 0) & (value < 0), -np.inf, high)
    return low, high
