"""What verification says beside the faults: counts, histograms, digests, duplicates, attainable figures."""

from __future__ import annotations

from pathlib import Path

import data_trees as trees
import numpy as np
import pytest
from PIL import Image, ImageEnhance

from bench.data.attainable import figures_at
from bench.data.cache import open_dataset
from bench.data.duplicates import near_duplicates
from bench.data.inspection import difference_hashes, inspect
from bench.data.read import read
from bench.data.report import as_json, as_text
from bench.data.verify import Report, verify


def report(name: str, root: Path, **options: object) -> Report:
    return verify(name, root, workers=1, progress=False, **options)  # type: ignore[arg-type]


def test_json_has_the_promised_keys_and_counts(tmp_path: Path) -> None:
    found = as_json(report("affectnet7", trees.affectnet_reduced(tmp_path, codes=tuple(range(11)))))
    assert {"dataset", "layout", "root", "digest", "splits", "excluded", "warnings", "errors"} <= found.keys()
    assert (found["dataset"], found["layout"], found["root"]) == ("affectnet7", "reduced", str(tmp_path))
    assert found["splits"]["train"]["images"] == 14 and found["splits"]["test"]["images"] == 7
    assert found["splits"]["train"]["per_class"] == dict.fromkeys(list(trees.AFFECTNET_CODES.values())[:7], 2)
    assert found["splits"]["train"]["official_per_class"]["happiness"] == 134_415
    assert found["excluded"] == {"contempt": 3, "no-face": 3, "none": 3, "uncertain": 3}
    assert found["sizes"] == {"224x224": 21} and found["modes"] == {"RGB": 21} and found["errors"] == []


def test_the_digest_is_the_one_the_engine_uses(tmp_path: Path) -> None:
    root = trees.rafdb(tmp_path / "raf")
    assert (
        as_json(report("rafdb", root))["digest"]
        == open_dataset(read("rafdb", root), 16, tmp_path / "c", 1, False).digest
    )


def test_a_kept_inspection_is_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = trees.rafdb(tmp_path / "raf")
    first = as_json(report("rafdb", root, cache=tmp_path / "cache"))
    monkeypatch.setattr(Image, "open", lambda *_: pytest.fail("an image was opened"))
    assert as_json(report("rafdb", root, cache=tmp_path / "cache")) == first


def test_without_decoding_there_are_sizes_but_no_digest(tmp_path: Path) -> None:
    root = trees.rafdb(tmp_path)
    trees.write(root / "Image" / "aligned" / "train_00002_aligned.jpg", trees.encoded(trees.picture(3))[:-200])
    quick = as_json(report("rafdb", root, pixels=False))
    assert quick["sizes"] == {"100x100": 21} and quick["digest"] is None and quick["errors"] == []
    assert "cut short" in as_json(report("rafdb", root))["errors"][0]


COPIES = {
    "recompressed": lambda image: image,
    "brightened": lambda image: ImageEnhance.Brightness(image).enhance(1.15),
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "smaller": lambda image: image.resize((60, 60), Image.Resampling.LANCZOS),
}


@pytest.mark.parametrize("change", COPIES)
def test_a_changed_copy_across_the_splits_is_found_and_nothing_else(tmp_path: Path, change: str) -> None:
    root = trees.rafdb(tmp_path, train=6, test=3)
    with Image.open(root / "Image" / "aligned" / "train_00005_aligned.jpg") as picture:
        copy = COPIES[change](picture.convert("RGB"))
    trees.write(root / "Image" / "aligned" / "test_0007_aligned.jpg", trees.encoded(copy, quality=55))
    listing = read("rafdb", root)
    samples = (*listing.train, *listing.test)
    (pair,) = near_duplicates(inspect(listing, 1, progress=False), len(listing.train))
    assert "test_0007" in samples[pair.test].path and "train_00005" in samples[pair.train].path
    assert pair.mirrored is (change == "mirrored")


def test_the_difference_hash_equals_a_plain_loop() -> None:
    grey = trees.picture(11, (70, 90), "L")
    small = np.asarray(grey.resize((9, 8), Image.Resampling.LANCZOS)).astype(int)
    expected = [0, 0]
    for row in range(8):
        for column in range(8):
            expected[0] = expected[0] * 2 + int(small[row, column] > small[row, column + 1])
            expected[1] = expected[1] * 2 + int(small[row, 8 - column] > small[row, 7 - column])
    assert difference_hashes(grey) == tuple(expected)


def test_an_image_twice_in_one_split_is_a_warning_that_says_when_labels_differ(tmp_path: Path) -> None:
    root = trees.rafdb(tmp_path)
    aligned = root / "Image" / "aligned"
    (aligned / "train_00014_aligned.jpg").write_bytes((aligned / "train_00001_aligned.jpg").read_bytes())
    found = report("rafdb", root)
    assert found.sound and any(
        "different labels" in finding.message and "train_00014" in finding.message for finding in found.findings
    )


def test_one_photo_under_two_names_of_the_open_release_is_left_out_of_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bench.data import index
    from bench.data.catalog import DatasetInfo, info

    root = trees.facial_expressions(tmp_path)
    listing = read("facial_expressions", root)
    (root / listing.test[0].path).write_bytes((root / listing.train[0].path).read_bytes())
    assert not report("facial_expressions", root).sound, "one of 70 is more than the release's own share"
    whole = info("facial_expressions")
    lenient = DatasetInfo(
        **{name: getattr(whole, name) for name in DatasetInfo.__dataclass_fields__} | {"blemishes": 0.1}
    )
    monkeypatch.setattr(index, "info", lambda name: lenient)
    found = report("facial_expressions", root)
    assert found.sound and found.excluded["also in train"] == 1
    assert sum(found.splits["test"].values()) == len(listing.test) - 1


def test_the_papers_figures_are_held_against_the_size_of_the_test_split() -> None:
    from bench.data.attainable import REPORTED

    verdicts = {row.figure: row.verdict for row in figures_at("affectnet8", 4_000, REPORTED)}
    reduced = {row.figure: row.counts for row in figures_at("affectnet8", 3_999, REPORTED)}
    assert verdicts["62.09"] == "not attainable at this n" and reduced["62.09"] == (2_483,)
    rafdb = {row.figure: row.verdict for row in figures_at("rafdb", 3_068, REPORTED)}
    assert rafdb["89.70"] == "attainable" and rafdb["88.91"] == "attainable only if truncated"
    assert figures_at("rafdb-twin", 3_068, REPORTED) == [] and figures_at("facial_expressions", 2_630, REPORTED) == []


def test_the_text_report_has_a_table_and_a_verdict(tmp_path: Path) -> None:
    text = as_text(report("rafdb", trees.rafdb(tmp_path)))
    assert [line.split() for line in text.splitlines() if line.startswith("surprise")] == [
        ["surprise", "2", "1,290", "1", "329"]
    ]
    assert text.endswith("readable")
