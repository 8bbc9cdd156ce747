"""Each of the bad inputs of docs/DATASETS.md, by its number: exit code, and a message that names place and remedy.

Number 37 (weights) is the business of `dan.weights`; its cases are in `test_dan_weights.py`, and one of each kind is
here.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import data_trees as trees
import numpy as np
import pytest
from faulty_trees import (
    ALIGNED,
    LABELS,
    both_cases,
    exp,
    file_as_root,
    folder_link_out,
    folder_of_zips,
    full,
    image,
    junk,
    labels,
    latin1,
    link_out,
    mirrored_copy,
    missing_root,
    official_share_folders,
    only_test,
    png16,
    raf,
    reduced,
    relabel,
    remove,
    rotated,
    same_image,
    sfew,
    table,
    two_below,
    two_layouts,
    zero_folders,
    zipped,
)
from PIL import Image

from bench.data.__main__ import main


@dataclass(frozen=True)
class Case:
    """`build` makes a faulty tree in a folder and returns what is given as --root.  `says` must all be in one message
    of `kind` ("error" or "warning"); `counts` are the images that remain (train, test), where it matters; `extra` are
    more options."""

    name: str
    dataset: str
    build: Callable[[Path], Path]
    kind: str
    says: tuple[str, ...]
    counts: tuple[int, int] | None = None
    extra: tuple[str, ...] = ()


TRAIN_FACES = "Train/Train_Aligned_Faces"
TRAIN_3 = f"{ALIGNED}/train_00003_aligned.jpg"
SOUND = (14, 7)

CASES = [
    Case("01-root-missing", "rafdb", missing_root, "error", ("nowhere", "no such folder", "list_patition_label.txt")),
    Case("01-root-is-a-file", "rafdb", file_as_root, "error", ("raf.txt", "a file, not a folder")),
    Case("02-wrong-level-ambiguous", "rafdb", two_below, "error", ("first", "second", "give one of them")),
    Case("03-two-layouts", "rafdb", two_layouts, "error", ("two layouts", "official", "kaggle")),
    Case("04-zip-given", "rafdb", zipped, "error", ("raf-basic.zip", "unpack")),
    Case("04-folder-of-zips", "rafdb", folder_of_zips, "error", ("aligned.zip", "unpack")),
    Case("04-images-still-zipped", "rafdb",
         raf(lambda root: [(root / ALIGNED).rename(root / "x"), trees.write(root / "Image/aligned.zip", b"PK")]),
         "error", ("aligned.zip", "unpack")),
    Case("05-labels-missing", "rafdb", raf(remove(LABELS)), "error",
         (LABELS, "EmoLabel/list_partition_label.txt", "tried")),
    Case("05-labels-empty", "rafdb", labels(""), "error", (LABELS, "empty")),
    Case("06-bom-crlf", "rafdb", relabel(lambda text: b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()), "none",
         (), SOUND),
    Case("06-tabs-spaces-blank-lines", "rafdb",
         relabel(lambda text: "\n\n" + text.replace(" ", "  \t ").replace("\n", "  \n\n") + " \n\n"), "none", (),
         SOUND),
    Case("07-utf16", "rafdb", relabel(lambda text: text.encode("utf-16")), "warning", (LABELS, "UTF-16"), SOUND),
    Case("07-latin1", "rafdb", latin1, "warning", (f"{LABELS}:22", "Latin-1"), (15, 7)),
    Case("08-one-column", "rafdb", relabel(lambda text: text.replace("train_00003.jpg 2", "train_00003.jpg")),
         "error", (f"{LABELS}:3", "1 columns", "expected 2")),
    Case("08-three-columns", "rafdb", relabel(lambda text: text.replace("train_00003.jpg 2", "train_00003.jpg 2 9")),
         "error", (f"{LABELS}:3", "3 columns")),
    Case("08-short-csv-row", "affectnet8",
         full(lambda root: trees.add_line(root / "Manually_Annotated_file_lists/training.csv", "1/a.jpg,3")),
         "error", ("training.csv:13", "2 columns", "expected 9")),
    Case("09-label-not-integer", "rafdb", relabel(lambda text: text.replace("train_00003.jpg 2",
         "train_00003.jpg fear")), "error", (f"{LABELS}:3", "fear")),
    Case("09-label-a-fraction", "rafdb", relabel(lambda text: text.replace("train_00003.jpg 2",
         "train_00003.jpg 2.5")), "error", (f"{LABELS}:3", "2.5")),
    Case("10-label-out-of-range", "rafdb", relabel(lambda text: text.replace("train_00003.jpg 2",
         "train_00003.jpg 8")), "error", (f"{LABELS}:3", "8", "1..7")),
    Case("10-expression-out-of-range", "affectnet8", table(trees.affectnet_row("9/x.jpg", 11)), "error",
         ("training.csv:13", "11", "0..10")),
    Case("11-zero-based", "rafdb",
         relabel(lambda text: "\n".join(f"{line[:-1]}{int(line[-1]) - 1}" for line in text.split("\n"))),
         "error", (LABELS, "labels span 0..6; official are 1..7")),
    Case("12-duplicate-same-label", "rafdb", relabel(lambda text: text + "\ntrain_00003.jpg 2"), "warning",
         (f"{LABELS}:22", f"{LABELS}:3"), SOUND),
    Case("12-duplicate-other-label", "rafdb", relabel(lambda text: text + "\ntrain_00003.jpg 5"), "error",
         (f"{LABELS}:22", f"{LABELS}:3", "fear", "sadness")),
    Case("13-same-image-in-both-splits", "rafdb", raf(same_image), "error",
         ("test_0001_aligned.jpg", "train_00001_aligned.jpg", "same image")),
    Case("13-mirrored-copy-in-both-splits", "rafdb", raf(mirrored_copy), "warning",
         ("test_0001_aligned.jpg", "train_00001_aligned.jpg", "mirrored")),
    Case("14-listed-images-missing", "rafdb", raf(remove(*(f"{ALIGNED}/train_0000{n}_aligned.jpg" for n in range(1,
         8)))),
         "error", ("7 of 21", "train_00001", "train_00005", "and 2 more"), (7, 7)),
    Case("15-extra-images", "rafdb", image(trees.encoded(trees.picture(999)), "train_99999_aligned.jpg"), "warning",
         ("1 images are in no label file", "train_99999"), SOUND),
    Case("16-zero-bytes", "rafdb", image(b""), "error", (TRAIN_3, "zero bytes")),
    Case("16-html", "rafdb", image(b"<!DOCTYPE html><html>denied</html>"), "error", (TRAIN_3, "web page")),
    Case("16-lfs-pointer", "rafdb", image(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"), "error",
         (TRAIN_3, "git lfs pull")),
    Case("16-label-file-is-html", "rafdb", labels("<html>denied</html>"), "error", (LABELS, "web page")),
    Case("17-truncated-jpeg", "rafdb", image(trees.encoded(trees.picture(5))[:-300]), "error", (TRAIN_3, "cut short")),
    Case("18-grey", "rafdb", image(trees.encoded(trees.picture(500, mode="L"))), "warning",
         ("1 images are not RGB", "L 1"), SOUND),
    Case("18-cmyk", "rafdb", image(trees.encoded(trees.picture(500, mode="CMYK"))), "warning", ("not RGB", "CMYK 1"),
         SOUND),
    Case("18-palette", "rafdb", image(trees.encoded(trees.picture(500, mode="P"), "PNG")), "warning",
         ("not RGB", "P 1"), SOUND),
    Case("18-rgba", "rafdb", image(trees.encoded(trees.picture(500, mode="RGBA"), "PNG")), "warning",
         ("not RGB", "RGBA 1"), SOUND),
    Case("18-sixteen-bit", "rafdb", image(png16(np.arange(10_000).reshape(100, 100) * 6)), "warning",
         ("not RGB", "I;16 1"), SOUND),
    Case("19-exif-rotation", "rafdb", image(rotated()), "warning", ("EXIF rotation", TRAIN_3), SOUND),
    Case("20-extension-unlike-content", "rafdb", image(trees.encoded(trees.picture(500), "PNG")), "warning",
         ("content is PNG", TRAIN_3), SOUND),
    Case("21-one-pixel", "rafdb", image(trees.encoded(Image.new("RGB", (1, 1)))), "error",
         (TRAIN_3, "1x1", "too small")),
    Case("21-huge", "rafdb", image(trees.encoded(Image.new("1", (20_000, 8_000)), "PNG")), "error",
         (TRAIN_3, "20000x8000", "megapixels")),
    Case("22-unexpected-size", "rafdb", image(trees.encoded(trees.picture(500, (48, 48)))), "warning",
         ("1 images are not 100x100", TRAIN_3, "1 x 48x48", "20 x 100x100"), SOUND),
    Case("23-csv-without-header", "affectnet8", lambda folder: trees.affectnet_full(folder / "a",
         header_in_validation=False), "warning", ("validation.csv:1", "no header"), (8, 8)),
    Case("24-null-box", "affectnet8", table(trees.affectnet_row("9/x.jpg", 3, ("NULL",) * 4)), "warning",
         ("training.csv:13", "NULL"), (9, 8)),
    Case("24-negative-box", "affectnet8", table(trees.affectnet_row("9/x.jpg", 3, (-5, 0, 50, 50))), "warning",
         ("training.csv:13", "negative"), (9, 8)),
    Case("24-box-outside", "affectnet8", table(trees.affectnet_row("9/x.jpg", 3, (500, 500, 50, 50))), "warning",
         ("outside the image", "9/x.jpg"), (9, 8)),
    Case("24-box-over-the-edge", "affectnet8", table(trees.affectnet_row("9/x.jpg", 3, (100, 100, 90, 90))),
         "warning", ("clipped", "9/x.jpg"), (9, 8)),
    Case("25-landmark-count", "affectnet8", table(trees.affectnet_row("9/x.jpg", 3, landmarks="1;2;3;4")), "warning",
         ("training.csv:13", "2 landmarks instead of 68"), (9, 8)),
    Case("26-npy-one-element", "affectnet8", exp(trees.npy(["0"])), "none", (), (16, 8)),
    Case("26-npy-float-text", "affectnet8", exp(trees.npy("0.0")), "none", (), (16, 8)),
    Case("26-npy-integer", "affectnet8", exp(trees.npy(0)), "none", (), (16, 8)),
    Case("26-npy-empty-array", "affectnet8", exp(trees.npy([])), "error",
         ("train_set/annotations/3_exp.npy", "0 values")),
    Case("26-npy-zero-bytes", "affectnet8", exp(b""), "error", ("train_set/annotations/3_exp.npy", "empty")),
    Case("26-npy-cut-short", "affectnet8", exp(trees.npy("0")[:-2]), "error",
         ("train_set/annotations/3_exp.npy", "damaged")),
    Case("26-npy-pickled", "affectnet8", exp(trees.npy("0", dtype=object, allow_pickle=True)), "error",
         ("train_set/annotations/3_exp.npy", "pickled")),
    Case("26-npy-no-number", "affectnet8", exp(trees.npy("happy")), "error",
         ("train_set/annotations/3_exp.npy", "'happy'")),
    Case("26-npy-out-of-range", "affectnet8", exp(trees.npy("11")), "error",
         ("train_set/annotations/3_exp.npy", "0..10")),
    Case("27-npy-without-jpg", "affectnet8", reduced(remove("train_set/images/3.jpg")), "error",
         ("1 of 16", "train_set/annotations/3_exp.npy")),
    Case("27-jpg-without-npy", "affectnet8", reduced(remove("train_set/annotations/3_exp.npy")), "warning",
         ("1 images are in no label file", "train_set/images/3.jpg"), (15, 8)),
    Case("28-absolute-path", "affectnet8", table(trees.affectnet_row("/etc/passwd.jpg", 3)), "error",
         ("training.csv:13", "absolute")),
    Case("28-backslash", "affectnet8", table(trees.affectnet_row("1\\x.jpg", 3)), "error",
         ("training.csv:13", "backslash", "forward")),
    Case("28-parent", "affectnet8", table(trees.affectnet_row("1/../../x.jpg", 3)), "error",
         ("training.csv:13", "'..'")),
    Case("28-parent-in-rafdb", "rafdb", relabel(lambda text: text + "\n../train_00003.jpg 2"), "error",
         (f"{LABELS}:22", "'..'")),
    Case("28-link-out-of-root", "rafdb", raf(link_out), "error", ("train_00001_aligned.jpg", "link")),
    Case("28-folder-link-out-of-root", "rafdb", raf(folder_link_out), "error", (ALIGNED, "link", "copy")),
    Case("29-odd-names", "affectnet8", table(trees.affectnet_row("9/a b, -'ünï(1).jpg", 3),
         trees.affectnet_row("9/-rf.jpg", 3)), "none", (), (10, 8)),
    Case("30-case-differences", "rafdb", raf(lambda root: [(root / "EmoLabel").rename(root / "emolabel"),
         (root / "Image").rename(root / "IMAGE")]), "none", (), SOUND),
    Case("30-two-cases-at-once", "rafdb", both_cases, "error", ("Train", "train", "keep one")),
    Case("31-misspelt-class", "sfew",
         sfew(lambda root: (root / TRAIN_FACES / "Happy").rename(root / TRAIN_FACES / "Hapiness")),
         "error", ("Train_Aligned_Faces/Hapiness", "2 images", "nearest: happiness")),
    Case("31-junk-ignored", "sfew", sfew(junk), "none", (), SOUND),
    Case("32-ambiguous-numbers", "rafdb", zero_folders, "error", ("0..6", "--class-order", "'raf' fits")),
    Case("32-ambiguous-numbers-affectnet-order", "rafdb", official_share_folders, "error",
         ("0..6", "--class-order", "'affectnet' fits")),
    Case("32-solved-by-class-order", "rafdb", zero_folders, "none", (), (123, 7), ("--class-order", "raf")),
    Case("33-empty-class", "sfew",
         sfew(lambda root: [path.unlink() for path in (root / "Train/Train_Aligned_Faces/Fear").iterdir()]),
         "warning", ("train", "no image of fear"), (12, 7)),
    Case("34-sfew-test", "sfew", only_test, "error", ("Test", "no public labels", "Val")),
    Case("34-sfew-test-beside-val", "sfew", sfew(lambda root: trees.write(root / "Test/a.png", b"x")), "warning",
         ("Test", "left out", "Val is scored"), SOUND),
    Case("35-counts-differ", "rafdb", raf(lambda root: None), "warning",
         ("train", "12,271", "surprise 2 (1,290)", "neutral 2 (2,524)"), SOUND),
]  # fmt: skip


def verify(dataset: str, root: Path, capsys: pytest.CaptureFixture[str], *extra: str) -> tuple[int, dict]:
    code = main(["verify", dataset, "--root", str(root), "--json", "--workers", "1", *extra])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_input(case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = case.build(tmp_path)
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    code, report = verify(case.dataset, root, capsys, *case.extra)
    assert code == (1 if case.kind == "error" else 0), report["errors"]
    if case.kind == "none":
        assert report["errors"] == []
    else:
        messages = report[f"{case.kind}s"]
        assert any(all(part in message for part in case.says) for message in messages), messages
    if case.counts is not None:
        assert tuple(report["splits"][split]["images"] for split in ("train", "test")) == case.counts
    assert sorted(str(path) for path in tmp_path.rglob("*")) == before, "verification must write nothing"


def test_all_numbers_have_a_case() -> None:
    elsewhere = {"36", "37", "38"}  # below
    assert {case.name[:2] for case in CASES} | elsewhere == {f"{number:02d}" for number in range(1, 39)}


def test_all_errors_of_a_tree_come_out_in_one_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = trees.rafdb(tmp_path / "raf")
    trees.replace_line(root / LABELS, 1, "train_00001.jpg nine")
    trees.replace_line(root / LABELS, 2, "train_00002.jpg 9")
    trees.write(root / ALIGNED / "train_00004_aligned.jpg", b"<html>")
    trees.write(root / ALIGNED / "train_00005_aligned.jpg", trees.encoded(trees.picture(3))[:-200])
    (root / ALIGNED / "train_00006_aligned.jpg").unlink()
    code, report = verify("rafdb", root, capsys)
    text = "\n".join(report["errors"])
    assert code == 1
    assert [
        part for part in (":1:", ":2:", "train_00004_al", "train_00005_al", "train_00006") if part not in text
    ] == []


def test_36_a_stale_cache_is_rebuilt_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from bench.data.cache import known_digest, open_dataset
    from bench.data.read import read

    root = trees.rafdb(tmp_path / "raf")
    before = open_dataset(read("rafdb", root), 32, tmp_path / "cache", workers=1, progress=False)
    trees.write(root / ALIGNED / "train_00003_aligned.jpg", trees.encoded(trees.picture(4_321)))
    assert known_digest(read("rafdb", root), tmp_path / "cache") is None
    capsys.readouterr()
    after = open_dataset(read("rafdb", root), 32, tmp_path / "cache", workers=1, progress=False)
    assert after.digest != before.digest and "stale" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content", [b"<!DOCTYPE html><html></html>", b"PK\x03\x04 cut short"], ids=["37-html", "37-truncated-zip"]
)
def test_37_weights_that_are_none_are_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    from bench.errors import UserError
    from dan.weights import load_dan_checkpoint

    path = trees.write(tmp_path / "rafdb.pth", content)
    with pytest.raises((UserError, ValueError), match=r"rafdb\.pth") as raised:
        load_dan_checkpoint(path)
    assert "\n" not in str(raised.value)


def test_38_a_folder_without_permission_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = trees.rafdb(tmp_path / "raf")
    real = os.scandir

    def denied(path: object) -> object:  # root may read everything, so the refusal is simulated
        if str(path).endswith("aligned"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "scandir", denied)
    code, report = verify("rafdb", root, capsys)
    assert code == 1 and any("Image/aligned" in message and "permission" in message for message in report["errors"])


def test_38_a_full_disk_leaves_no_cache_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil
    from collections import namedtuple

    from bench.data.cache import open_dataset
    from bench.data.read import read
    from bench.errors import UserError

    listing = read("rafdb", trees.rafdb(tmp_path / "raf"))
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10, 10, 1000))
    with pytest.raises(UserError, match=r"needs 0.00 GB .* choose another disk"):
        open_dataset(listing, 32, tmp_path / "cache", workers=1, progress=False)
    assert list((tmp_path / "cache").rglob("*.npy")) == [] and list((tmp_path / "cache").rglob("*.part")) == []
