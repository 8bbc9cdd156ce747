"""Does anything but the expression tell the label?  A linear probe on all else that is drawn stays at chance."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from bench.data.twin.expression import sample_expression
from bench.data.twin.hairstyle import STYLES
from bench.data.twin.identity import sample_identity
from bench.data.twin.metadata import light_row
from bench.data.twin.population import TWINS, roster, spec
from bench.data.twin.presets import PRESETS
from bench.data.twin.scene import OCCLUDERS, sample_scene
from bench.data.twin.stream import derive_seed


def described(twin, index, identity):
    """Pose, camera, light, sensor, occluder and person of an image, drawn without rendering."""
    seed, difficulty = derive_seed(twin.name, twin.seed), PRESETS[twin.preset]
    scene = sample_scene(seed, index, difficulty)
    person = sample_identity(seed, identity, difficulty)
    pose, camera = scene.pose, scene.camera
    numbers = [pose.yaw, pose.pitch, pose.roll, abs(pose.yaw), abs(pose.pitch), camera.distance, camera.scale]
    numbers += [camera.shift_x, camera.shift_y, scene.noise, scene.blur, float(scene.grey), *light_row(scene)]
    numbers += [person.skin.tone, person.age, person.gender, person.skin.wrinkles, person.brow.lift, person.skin.beard]
    numbers += [float(scene.occluder.kind == kind) for kind in OCCLUDERS]
    return numbers + [float(person.hair.style == style) for style in STYLES]


@pytest.mark.parametrize("name", TWINS)
def test_a_linear_probe_on_scene_and_person_stays_at_chance(name):
    twin = spec(name, "quick")
    people = roster(twin)
    rows = np.array([described(twin, index, int(who)) for index, who in enumerate(people.identities)])
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500, class_weight="balanced"))
    probe.fit(rows[: twin.train_size], people.labels[: twin.train_size])
    truth = people.labels[twin.train_size :]
    accuracy = balanced_accuracy_score(truth, probe.predict(rows[twin.train_size :]))
    classes = len(twin.classes)
    # balanced accuracy of a guess: the mean of the classes' recalls, each binomial
    spread = (sum((1 / classes) * (1 - 1 / classes) / count for count in np.bincount(truth))) ** 0.5 / classes
    assert abs(accuracy - 1 / classes) < 3.5 * spread


def test_the_same_probe_finds_the_label_in_the_action_units():
    """The probe above can fail: given the action units it is far above chance."""
    twin = spec("affectnet7-twin", "quick", count=800)
    seed, people = derive_seed(twin.name, twin.seed), roster(twin)
    rows = [
        {f"{action}": 1 for action in sample_expression(twin.classes[label], seed, index, PRESETS[twin.preset]).actions}
        for index, label in enumerate(people.labels)
    ]
    names = sorted({name for row in rows for name in row})
    table = np.array([[row.get(name, 0) for name in names] for row in rows])
    encoded = OneHotEncoder(handle_unknown="ignore").fit_transform(table)
    probe = LogisticRegression(max_iter=500, class_weight="balanced").fit(
        encoded[: twin.train_size], people.labels[: twin.train_size]
    )
    predicted = probe.predict(encoded[twin.train_size :])
    assert balanced_accuracy_score(people.labels[twin.train_size :], predicted) > 2.5 / 7


def test_neither_class_nor_person_is_an_argument_of_the_scene():
    assert set(inspect.signature(sample_scene).parameters) == {"seed", "index", "preset"}


def test_pose_and_occluders_have_the_spread_of_the_preset():
    hard = PRESETS["hard"]
    scenes = [sample_scene(1, index, hard) for index in range(3000)]
    assert abs(np.std([scene.pose.yaw for scene in scenes]) - hard.yaw) < 1.0
    assert abs(np.mean([scene.occluder.kind != "none" for scene in scenes]) - hard.occlusion) < 0.03
    directions = np.array([scene.light.direction for scene in scenes])
    np.testing.assert_allclose((directions**2).sum(1), 1, atol=1e-7)


def test_easy_scenes_have_no_occluder_and_no_grey_film():
    scenes = [sample_scene(1, index, PRESETS["easy"]) for index in range(300)]
    assert not any(scene.grey or scene.occluder.kind != "none" for scene in scenes)
