"""Is an image a function of its arguments alone, and does it show what its metadata says?"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.data.twin import person as people
from bench.data.twin.expression import EXPRESSIONS, sample_expression
from bench.data.twin.head import load_head
from bench.data.twin.metadata import ROW, row
from bench.data.twin.person import build_person, load_person
from bench.data.twin.presets import PRESETS
from bench.data.twin.render import render, render_image
from bench.data.twin.scene import OCCLUDERS, Light, Occluder, Pose, sample_scene
from bench.data.twin.shadow import lit
from bench.data.twin.stream import Domain, Stream

GOLDEN = json.loads(Path(__file__).with_name("golden_twin.json").read_text())
SEED = 2026


def golden_digest(preset: str, size: int) -> str:
    """SHA-256 over pixels, masks and landmarks of eight images, one of each class."""
    content = hashlib.sha256()
    for index, name in enumerate(EXPRESSIONS):
        drawn = render_image(SEED, index, name, index, preset, size)
        content.update(drawn.image.tobytes() + drawn.masks.tobytes() + drawn.landmarks.astype("<f4").tobytes())
    return content.hexdigest()


@pytest.mark.parametrize("key", GOLDEN)
def test_images_are_bit_identical_on_every_machine(key):
    preset, size = key.split()
    assert golden_digest(preset, int(size)) == GOLDEN[key]


def test_an_image_depends_on_neither_order_nor_cache():
    forwards = [render_image(1, index, "fear", index % 3, "hard", 32).image for index in range(6)]
    people.load_person.cache_clear()
    backwards = [render_image(1, index, "fear", index % 3, "hard", 32).image for index in reversed(range(6))]
    assert all(np.array_equal(a, b) for a, b in zip(forwards, reversed(backwards), strict=True))


def drawn_with(units: dict[str, float], size: int = 48, **scene):
    """A frontal, unoccluded picture of one person with the given face units."""
    person = load_person(1, 4, "easy")
    still = replace(sample_expression("neutral", 1, 0, replace(PRESETS["easy"], leak=0.0)), units=units, gaze={})
    plain = replace(
        sample_scene(1, 0, PRESETS["easy"]),
        **{"pose": Pose(0.0, 0.0, 0.0), "occluder": Occluder("none", (0.5,) * 8), **scene},
    )
    return render(person, still, plain, Stream(1, Domain.PIXELS, 0), size)


def test_a_still_face_has_empty_masks():
    assert not drawn_with({}).masks.any()


@pytest.mark.parametrize(
    ("units", "region"),
    [
        ({"browDownLeft": 1.0, "browDownRight": 1.0}, 0),
        ({"eyeWideLeft": 1.0}, 1),
        ({"noseSneerLeft": 1.0}, 2),
        ({"mouthSmileLeft": 1.0}, 3),
    ],
)
def test_the_mask_of_a_region_lies_where_the_picture_changes(units, region):
    moved, still = drawn_with(units), drawn_with({})
    assert moved.masks[..., region].max() > 20 and not np.delete(moved.masks, region, 2).any()
    change = np.abs(moved.image.astype(int) - still.image).sum(2)
    inside = moved.masks[..., region] > 20
    assert change[inside].mean() > 3 * change[~inside].mean()


def test_mouth_corners_move_with_a_smile_and_eyes_stay():
    smile, still = drawn_with({"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0}), drawn_with({})
    assert np.array_equal(smile.landmarks[:2], still.landmarks[:2])
    assert (smile.landmarks[3:, 1] < still.landmarks[3:, 1]).all()


def test_landmarks_lie_on_what_they_name():
    still = drawn_with({}, size=96)
    left_eye, right_eye, nose, left_mouth, right_mouth = still.landmarks
    assert right_eye[0] < nose[0] < left_eye[0] and right_mouth[0] < nose[0] < left_mouth[0]
    assert left_eye[1] < nose[1] < left_mouth[1]
    column, line = left_eye.astype(int)
    cheek = still.image[line + 16, column].astype(int)
    assert still.image[line, column].sum() < 0.8 * cheek.sum()  # an iris is darker than the cheek


@pytest.mark.parametrize("kind", [kind for kind in OCCLUDERS if kind != "none"])
def test_an_occluder_changes_the_picture_and_hides_masks(kind):
    units = {"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0, "eyeWideLeft": 1.0, "eyeWideRight": 1.0}
    occluder = Occluder(kind, (0.5, 0.4, 0.9, 0.9, 0.1, 0.7, 0.2, 0.9))
    bare, covered = drawn_with(units), drawn_with(units, occluder=occluder)
    assert (bare.image != covered.image).any()
    assert (covered.masks <= bare.masks).all() and covered.masks.sum() < bare.masks.sum()


def test_light_from_the_left_shades_the_other_side():
    light = Light((0.9, 0.3, 0.316), (1.0, 1.0, 1.0), (0.2, 0.2, 0.2), 1.0)
    image = drawn_with({}, light=light).image.astype(float)
    centre = image[16:36]
    assert centre[:, 26:34].mean() > 1.15 * centre[:, 14:22].mean()  # x grows to the subject's left


def test_the_nose_throws_a_shadow_on_the_cheek_away_from_the_light():
    person = build_person(load_person(1, 4, "easy").identity)
    placed = person.neutral - np.array(person.face.eyes, np.float32)  # the map is centred on the face
    from_left, from_right = lit(placed, (0.94, 0.0, 0.342)), lit(placed, (-0.94, 0.0, 0.342))
    x, y, z = load_head().rest.T
    beside = (y > 6.8) & (y < 7.05) & (z > 1.2) & (np.abs(x) > 0.16) & (np.abs(x) < 0.3)
    assert from_left[beside & (x > 0)].mean() > from_left[beside & (x < 0)].mean() + 0.2
    assert from_right[beside & (x < 0)].mean() > from_right[beside & (x > 0)].mean() + 0.2


def test_the_row_of_an_image_says_what_was_drawn():
    drawn = render_image(3, 17, "surprise", 5, "hard", 32)
    filled = row(drawn)
    assert filled.dtype == ROW and filled.shape == ()
    assert EXPRESSIONS[filled["shown"]] == "surprise"
    assert filled["pose"].tolist() == pytest.approx(
        [drawn.scene.pose.yaw, drawn.scene.pose.pitch, drawn.scene.pose.roll], rel=1e-6
    )
    assert np.count_nonzero(filled["action_units"]) == len(drawn.expression.actions)
