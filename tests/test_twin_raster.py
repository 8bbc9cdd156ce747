"""Does the z-buffer see what a loop over all pixels and triangles sees?"""

from __future__ import annotations

import numpy as np
import pytest

from bench.data.twin.raster import rasterise


def by_loops(x, y, near, triangles, width):
    """Per pixel the nearest triangle that holds its centre, by half-planes in double precision; -1 where none."""
    best = np.full((width, width), -1)
    depth = np.zeros((width, width))
    for t, (a, b, c) in enumerate(triangles):
        area = (x[b] - x[a]) * (y[c] - y[a]) - (x[c] - x[a]) * (y[b] - y[a])
        if area >= 0:
            continue
        for row in range(width):
            for column in range(width):
                px, py = column + 0.5, row + 0.5
                w1 = ((px - x[a]) * (y[c] - y[a]) - (py - y[a]) * (x[c] - x[a])) / area
                w2 = ((py - y[a]) * (x[b] - x[a]) - (px - x[a]) * (y[b] - y[a])) / area
                if min(w1, w2, 1 - w1 - w2) < 0:
                    continue
                here = (1 - w1 - w2) * near[a] + w1 * near[b] + w2 * near[c]
                if here > depth[row, column] + 1e-6:
                    best[row, column], depth[row, column] = t, here
    return best


@pytest.mark.parametrize("seed", range(6))
def test_random_triangles_are_seen_as_by_plain_loops(seed):
    rng, width = np.random.default_rng(seed), 24
    x, y = (rng.uniform(-6, 30, 36).astype(np.float32) for _ in range(2))
    near = rng.uniform(0.1, 0.6, 36).astype(np.float32)
    triangles = rng.permutation(36).reshape(12, 3).astype(np.int32)
    seen = rasterise(x, y, near, triangles, width)
    picture = np.full(width * width, -1)
    picture[seen.pixel] = seen.triangle
    expected = by_loops(x.astype(float), y.astype(float), near.astype(float), triangles, width)
    # the slack of a thousandth of a pixel may add a pixel whose centre lies on an edge
    assert (picture.reshape(width, width) != expected).sum() <= 1


def test_weights_reproduce_the_pixel_centre():
    x, y = np.array([1, 30, 4], np.float32), np.array([2, 9, 31], np.float32)
    triangle = np.array([[0, 2, 1]], np.int32)
    seen = rasterise(x, y, np.full(3, 0.5, np.float32), triangle, 32)
    assert len(seen.pixel) > 200
    np.testing.assert_allclose(seen.weights.sum(0), 1, atol=1e-6)
    corner_x, corner_y = x[triangle[0]], y[triangle[0]]
    np.testing.assert_allclose(corner_x @ seen.weights, seen.pixel % 32 + 0.5, atol=1e-4)
    np.testing.assert_allclose(corner_y @ seen.weights, seen.pixel // 32 + 0.5, atol=1e-4)


def test_a_fan_of_triangles_leaves_no_crack():
    corners = 40
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    x = np.append(32 + 60 * np.cos(angle), 32.123).astype(np.float32)
    y = np.append(32 + 60 * np.sin(angle), 31.456).astype(np.float32)
    ring = np.arange(corners)
    triangles = np.stack([np.full(corners, corners), (ring + 1) % corners, ring], 1).astype(np.int32)
    assert len(rasterise(x, y, np.full(corners + 1, 0.5, np.float32), triangles, 64).pixel) == 64 * 64


def test_of_two_equal_triangles_the_lower_number_wins():
    x, y = np.array([0, 0, 20], np.float32), np.array([0, 20, 0], np.float32)
    triangles = np.array([[0, 1, 2]] * 3, np.int32)
    assert set(rasterise(x, y, np.full(3, 0.5, np.float32), triangles, 16).triangle) == {0}


def test_triangles_seen_from_behind_are_culled_only_on_demand():
    x, y = np.array([0, 20, 0], np.float32), np.array([0, 0, 20], np.float32)
    near, triangle = np.full(3, 0.5, np.float32), np.array([[0, 1, 2]], np.int32)
    assert len(rasterise(x, y, near, triangle, 16).pixel) == 0
    assert len(rasterise(x, y, near, triangle, 16, cull=False).pixel) > 100
