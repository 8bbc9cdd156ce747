"""Datasets with one fault each: what the tests of bad inputs are run on."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import data_trees as trees
import numpy as np
from PIL import Image

ALIGNED = "Image/aligned"
LABELS = "EmoLabel/list_patition_label.txt"


def raf(change: Callable[[Path], object]) -> Callable[[Path], Path]:
    """A sound RAF-DB of 14 + 7 images with one change."""

    def build(folder: Path) -> Path:
        root = trees.rafdb(folder / "raf")
        change(root)
        return root

    return build


def reduced(change: Callable[[Path], object]) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        root = trees.affectnet_reduced(folder / "affectnet")
        change(root)
        return root

    return build


def full(change: Callable[[Path], object]) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        root = trees.affectnet_full(folder / "affectnet")
        change(root)
        return root

    return build


def labels(content: bytes | str) -> Callable[[Path], Path]:
    return raf(lambda root: trees.write(root / LABELS, content))


def relabel(change: Callable[[str], str | bytes]) -> Callable[[Path], Path]:
    return raf(lambda root: trees.write(root / LABELS, change((root / LABELS).read_text())))


def image(content: bytes, name: str = "train_00003_aligned.jpg") -> Callable[[Path], Path]:
    return raf(lambda root: trees.write(root / ALIGNED / name, content))


def table(*rows: list[object]) -> Callable[[Path], Path]:
    def change(root: Path) -> None:
        for row in rows:
            target = root / "Manually_Annotated/Manually_Annotated_Images" / str(row[0])
            if "\\" not in str(row[0]) and ".." not in str(row[0]) and not str(row[0]).startswith("/"):
                trees.write(
                    target, trees.encoded(trees.picture(5_000 + zlib.crc32(str(row[0]).encode()) % 1000, (120, 130)))
                )
        trees.append_rows(root / "Manually_Annotated_file_lists/training.csv", *rows)

    return full(change)


def latin1(folder: Path) -> Path:
    root = trees.rafdb(folder / "raf")
    trees.write(root / ALIGNED / "train_é_aligned.jpg", trees.encoded(trees.picture(700)))
    trees.write(root / LABELS, (root / LABELS).read_text().encode() + "\ntrain_é.jpg 3".encode("latin-1"))
    return root


def missing_root(folder: Path) -> Path:
    return folder / "nowhere"


def file_as_root(folder: Path) -> Path:
    return trees.write(folder / "raf.txt", "hello")


def two_below(folder: Path) -> Path:
    trees.rafdb(folder / "first")
    trees.rafdb(folder / "second")
    return folder


def two_layouts(folder: Path) -> Path:
    return trees.rafdb_kaggle(trees.rafdb(folder / "raf"))


def zipped(folder: Path) -> Path:
    return trees.write(folder / "raf-basic.zip", b"PK\x03\x04")


def folder_of_zips(folder: Path) -> Path:
    trees.write(folder / "raf" / "aligned.zip", b"PK\x03\x04")
    return folder / "raf"


def png16(values: np.ndarray) -> bytes:
    """A 16-bit grey PNG written by hand: signature, IHDR, IDAT, IEND (PNG specification, 2nd edition)."""
    height, width = values.shape

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def rotated() -> bytes:
    picture = trees.picture(77, (100, 100))
    exif = Image.Exif()
    exif[0x0112] = 6
    return trees.encoded(picture, exif=exif)


def same_image(root: Path) -> None:
    source = root / ALIGNED / "train_00001_aligned.jpg"
    (root / ALIGNED / "test_0001_aligned.jpg").write_bytes(source.read_bytes())


def mirrored_copy(root: Path) -> None:
    with Image.open(root / ALIGNED / "train_00001_aligned.jpg") as picture:
        trees.write(
            root / ALIGNED / "test_0001_aligned.jpg",
            trees.encoded(picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT), quality=60),
        )


def link_out(root: Path) -> None:
    outside = trees.write(root.parent / "elsewhere.jpg", trees.encoded(trees.picture(321)))
    target = root / ALIGNED / "train_00001_aligned.jpg"
    target.unlink()
    target.symlink_to(outside)


def folder_link_out(root: Path) -> None:
    outside = root.parent / "elsewhere"
    (root / ALIGNED).rename(outside)
    (root / ALIGNED).symlink_to(outside)


def remove(*names: str) -> Callable[[Path], None]:
    return lambda root: [(root / name).unlink() for name in names] and None


def junk(root: Path) -> None:
    trees.write(root / "Train/Train_Aligned_Faces/.DS_Store", b"x")
    trees.write(root / "Train/Train_Aligned_Faces/Happy/Thumbs.db", b"x")
    trees.write(root / "Train/Train_Aligned_Faces/__MACOSX/Happy/._a.png", b"x")


def sfew(change: Callable[[Path], object]) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        root = trees.sfew(folder / "sfew")
        change(root)
        return root

    return build


def only_test(folder: Path) -> Path:
    return trees.sfew(folder / "sfew", test_at="Test/Test_Aligned_Faces")


def both_cases(folder: Path) -> Path:
    root = trees.class_folders(folder / "raf", {str(code): 1 for code in trees.RAF_CODES})
    trees.class_folders(root, {str(code): 1 for code in trees.RAF_CODES}, ("Train", "Test"))
    return root


def exp(content: bytes) -> Callable[[Path], Path]:
    return reduced(lambda root: trees.write(root / "train_set/annotations/3_exp.npy", content))


def zero_folders(folder: Path) -> Path:
    return trees.class_folders(folder / "raf", {"0": 13, "1": 3, "2": 7, "3": 48, "4": 20, "5": 7, "6": 25})


def official_share_folders(folder: Path) -> Path:
    return trees.class_folders(folder / "raf", {"0": 25, "1": 48, "2": 20, "3": 13, "4": 3, "5": 7, "6": 7})
