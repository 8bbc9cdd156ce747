"""Is a folder of photos prepared whole, once, to the same bytes after a stop, and read by its reader?"""

from __future__ import annotations

import json
from pathlib import Path

import data_trees as trees
import pytest
from fake_detector import MARKS, FakeDetector
from PIL import Image

from bench.data import prepare as module
from bench.data.align.detector import Weights
from bench.data.align.jobs import plan
from bench.data.prepare import prepare
from bench.data.read import read
from bench.errors import UserError


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
