"""Does the camera turn and project as a textbook pinhole does, with a crop that the expression cannot move?"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from bench.data.twin.camera import anchors, between, carried, view
from bench.data.twin.head import load_head
from bench.data.twin.person import load_person
from bench.data.twin.scene import Camera, Pose

PERSON = load_person(1, 2, "default")


def test_rotation_is_roll_after_pitch_after_yaw():
    camera = view(PERSON.face, Pose(20, -10, 7), Camera(10, 0.33, 0, 0), 100)
    expected = Rotation.from_euler("ZXY", [7, 10, 20], degrees=True).as_matrix()
    np.testing.assert_allclose(camera.rotation, expected, atol=1e-6)


def test_projection_is_that_of_a_pinhole():
    camera = view(PERSON.face, Pose(15, 5, -4), Camera(9, 0.33, 0.01, -0.02), 200)
    points = np.random.default_rng(0).normal([0, 7, 1], 0.4, (20, 3)).astype(np.float32)
    x, y, nearness = camera.project(camera.place(points))
    turned = (points - camera.pivot) @ camera.rotation.T.astype(float)
    depth = camera.distance - turned[:, 2]
    zoom = camera.scale * camera.distance / depth
    np.testing.assert_allclose(x, camera.origin[0] + (turned[:, 0] - camera.anchor[0]) * zoom, atol=2e-3)
    np.testing.assert_allclose(y, camera.origin[1] - (turned[:, 1] - camera.anchor[1]) * zoom, atol=2e-3)
    np.testing.assert_allclose(nearness, 1 / depth, rtol=1e-5)


def test_a_frontal_face_is_centred_and_has_the_asked_scale():
    camera = view(PERSON.face, Pose(0, 0, 0), Camera(1e4, 0.33, 0, 0), 100)  # so far away that there is no perspective
    eyes, mouth = camera.pixel(PERSON.face.eyes), camera.pixel(PERSON.face.mouth)
    assert abs(eyes[0] - 50) < 1.5 and eyes[1] < 54.5 < mouth[1]
    depth = PERSON.face.eyes[2] - PERSON.face.mouth[2]
    upright = (PERSON.face.length**2 - depth**2) ** 0.5 / PERSON.face.length
    assert abs(np.hypot(eyes[0] - mouth[0], eyes[1] - mouth[1]) - 33 * upright) < 0.2


def test_the_subjects_left_is_on_the_right_of_the_picture():
    camera = view(PERSON.face, Pose(0, 0, 0), Camera(10, 0.33, 0, 0), 100)
    assert camera.pixel(PERSON.face.left_eye)[0] > camera.pixel(PERSON.face.right_eye)[0]


def test_a_carried_point_keeps_its_place_beside_the_eyes():
    resting = anchors(load_head(), load_head().rest)
    x, y, z = carried(resting, (0.1, 7.9, 0.3))
    np.testing.assert_allclose([x, y, z], [0.1, 7.9, 0.3], atol=1e-3)


def test_the_crop_is_a_function_of_the_neutral_face_only():
    assert set(view.__annotations__) == {"face", "pose", "camera", "width", "return"}
    assert between((0, 0, 0), (2, 4, 6), 0.5) == (1, 2, 3)
    assert len(load_head().landmark_vertices) == 3
