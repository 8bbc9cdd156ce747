"""The decoded cache: the same pixels as torchvision gives, one digest whatever the names, nothing half-written."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import data_trees as trees
import numpy as np
import pytest
from PIL import Image

from bench.data.cache import known_digest, open_dataset
from bench.data.dataset import Dataset
from bench.data.read import read
from bench.errors import UserError


def opened(name: str, root: Path, cache: Path, size: int = 32, workers: int = 1, **options: str) -> Dataset:
    return open_dataset(read(name, root, **options), size, cache, workers=workers, progress=False)


def test_pixels_are_those_of_torchvision_and_rows_keep_their_labels(tmp_path: Path) -> None:
    transforms = pytest.importorskip("torchvision.transforms")
    root = trees.rafdb(tmp_path / "raf")
    listing = read("rafdb", root)
    dataset = opened("rafdb", root, tmp_path / "cache", size=56)
    resize = transforms.Resize((56, 56))
    expected = {}
    for sample in (*listing.train, *listing.test):
        with Image.open(root / sample.path) as picture:
            rgb = picture.convert("RGB")
        expected[hashlib.sha256(rgb.tobytes()).hexdigest()[:16]] = (np.asarray(resize(rgb)), sample.label)
    for split in (dataset.train, dataset.test):
        for image, label, identifier in zip(split.images, split.labels, split.ids, strict=True):
            pixels, code = expected.pop(str(identifier))
            assert np.array_equal(image, pixels) and label == code
    assert not expected


def test_splits_are_uint8_memory_maps_of_one_file(tmp_path: Path) -> None:
    dataset = opened("rafdb", trees.rafdb(tmp_path / "raf"), tmp_path / "cache")
    assert isinstance(dataset.train.images, np.memmap) and not dataset.train.images.flags.writeable
    assert (dataset.train.images.shape, dataset.test.images.shape) == ((14, 32, 32, 3), (7, 32, 32, 3))
    assert dataset.train.images.dtype == np.uint8 and dataset.train.labels.dtype == np.int64
    assert len(list((tmp_path / "cache").rglob("*.npy"))) == 1


def test_the_digest_does_not_know_the_size_the_names_or_the_layout(tmp_path: Path) -> None:
    official = opened("rafdb", trees.rafdb(tmp_path / "a"), tmp_path / "one")
    larger = opened("rafdb", tmp_path / "a", tmp_path / "one", size=48)
    kaggle = opened("rafdb", trees.rafdb_kaggle(tmp_path / "b"), tmp_path / "two")
    renamed = trees.class_folders(tmp_path / "c", {str(code): 1 for code in trees.RAF_CODES})
    before = opened("rafdb", renamed, tmp_path / "three")
    for number, path in enumerate(sorted(renamed.rglob("*.jpg"), reverse=True)):
        path.rename(path.with_name(f"z{number}.jpg"))
    after = opened("rafdb", renamed, tmp_path / "four")
    assert official.digest == larger.digest == kaggle.digest
    assert np.array_equal(official.train.images, kaggle.train.images)
    assert before.digest == after.digest and np.array_equal(before.train.images, after.train.images)


def test_the_digest_knows_labels_splits_pixels_and_groups(tmp_path: Path) -> None:
    root = trees.rafdb(tmp_path / "raf")
    digests = {opened("rafdb", root, tmp_path / "cache").digest}
    trees.replace_line(trees.rafdb_labels(root), 3, "train_00003.jpg 6")
    digests.add(opened("rafdb", root, tmp_path / "cache").digest)
    aligned = root / "Image" / "aligned"
    (aligned / "train_00001_aligned.jpg").rename(aligned / "test_0999_aligned.jpg")
    trees.replace_line(trees.rafdb_labels(root), 1, "test_0999.jpg 1")
    digests.add(opened("rafdb", root, tmp_path / "cache").digest)
    trees.write(aligned / "train_00002_aligned.jpg", trees.encoded(trees.picture(99_999)))
    digests.add(opened("rafdb", root, tmp_path / "cache").digest)
    films = trees.sfew(tmp_path / "sfew")
    digests.add(opened("sfew", films, tmp_path / "cache").digest)
    still = next((films / "Train" / "Train_Aligned_Faces" / "Happy").glob("*.png"))
    still.rename(still.with_name("OtherFilm_000000001_00000005.png"))
    digests.add(opened("sfew", films, tmp_path / "cache").digest)
    assert len(digests) == 6


def test_groups_number_the_films_and_are_minus_one_where_unknown(tmp_path: Path) -> None:
    films = opened("sfew", trees.sfew(tmp_path / "sfew"), tmp_path / "cache")
    assert len(set(films.train.groups.tolist())) == 3 and not set(films.train.groups) & set(films.test.groups)
    assert set(opened("rafdb", trees.rafdb(tmp_path / "raf"), tmp_path / "cache").train.groups.tolist()) == {-1}


def test_a_known_listing_has_a_digest_without_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = trees.rafdb(tmp_path / "raf")
    assert known_digest(read("rafdb", root), tmp_path / "cache") is None
    digest = opened("rafdb", root, tmp_path / "cache").digest
    monkeypatch.setattr(Image, "open", lambda *_: pytest.fail("an image was opened"))
    assert known_digest(read("rafdb", root), tmp_path / "cache") == digest
    assert opened("rafdb", root, tmp_path / "cache").digest == digest


def test_a_stale_pixel_file_is_removed_and_a_damaged_one_rebuilt(tmp_path: Path) -> None:
    root = trees.rafdb(tmp_path / "raf")
    first = opened("rafdb", root, tmp_path / "cache")
    trees.write(root / "Image" / "aligned" / "train_00001_aligned.jpg", trees.encoded(trees.picture(77_777)))
    second = opened("rafdb", root, tmp_path / "cache")
    (path,) = (tmp_path / "cache").rglob("*.npy")
    assert path.name.startswith(second.digest[:16]) and first.digest != second.digest
    pixels = np.array(second.train.images)
    del first, second
    os.truncate(path, 1000)
    assert np.array_equal(opened("rafdb", root, tmp_path / "cache").train.images, pixels)


def test_several_processes_write_what_one_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.data.parallel._ALONE", 0)
    root = trees.rafdb(tmp_path / "raf", train=8, test=4)
    alone = opened("rafdb", root, tmp_path / "one", workers=1)
    together = opened("rafdb", root, tmp_path / "two", workers=2)
    assert alone.digest == together.digest and np.array_equal(alone.train.images, together.train.images)


def test_all_broken_images_are_named_at_once_and_no_pixel_file_appears(tmp_path: Path) -> None:
    root = trees.rafdb(tmp_path / "raf")
    trees.write(root / "Image" / "aligned" / "train_00002_aligned.jpg", b"<html>")
    trees.write(root / "Image" / "aligned" / "test_0004_aligned.jpg", trees.encoded(trees.picture(3))[:-200])
    with pytest.raises(UserError, match=r"2 of 21 .*train_00002.*test_0004"):
        opened("rafdb", root, tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("*.np*"))


def test_a_listing_with_errors_is_not_opened(tmp_path: Path) -> None:
    root = trees.rafdb(tmp_path / "raf")
    (root / "Image" / "aligned" / "train_00002_aligned.jpg").unlink()
    with pytest.raises(UserError, match="1 of 21 listed images are missing"):
        opened("rafdb", root, tmp_path / "cache")


def test_a_face_box_is_cropped_before_resizing(tmp_path: Path) -> None:
    root = trees.affectnet_full(tmp_path / "full")
    listing = read("affectnet8", root)
    dataset = opened("affectnet8", root, tmp_path / "cache")
    crops = set()
    for sample in listing.train:
        with Image.open(root / sample.path) as picture:
            crop = picture.convert("RGB").crop((10, 20, 70, 90)).resize((32, 32), Image.Resampling.BILINEAR)
        crops.add(np.asarray(crop).tobytes())
    assert {image.tobytes() for image in dataset.train.images} == crops


def test_sixteen_bit_grey_is_scaled_and_not_clipped(tmp_path: Path) -> None:
    from bench.data.decode import load
    from bench.data.listing import Sample

    values = np.linspace(0, 65_535, 64 * 64).astype(np.uint16).reshape(64, 64)
    Image.fromarray(values).save(tmp_path / "ramp.png")
    image, _ = load(tmp_path, Sample("ramp.png", 0))
    assert np.abs(np.asarray(image)[:, :, 0] - values / 257).max() <= 0.51


def test_exif_rotation_is_applied(tmp_path: Path) -> None:
    from bench.data.decode import load
    from bench.data.listing import Sample

    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: the stored picture is shown rotated by 90 degrees clockwise
    trees.picture(1, (40, 20)).save(tmp_path / "turned.png", exif=exif)
    image, _ = load(tmp_path, Sample("turned.png", 0))
    assert np.array_equal(np.asarray(image), np.rot90(np.asarray(trees.picture(1, (40, 20))), -1))


def test_a_killed_build_is_done_again(tmp_path: Path) -> None:
    root = trees.rafdb(tmp_path / "raf", train=30, test=10)
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom bench.data import cache\nfrom bench.data.read import read\n"
        "whole = cache._decode_chunk\n"
        "def stop(*given):\n    whole(*given)\n    os._exit(9)\n"  # as sudden as SIGKILL: nothing is cleaned up
        "cache._decode_chunk = stop\n"
        "cache.open_dataset(read('rafdb', Path(sys.argv[1])), 32, Path(sys.argv[2]), workers=1, progress=False)\n"
    )
    killed = subprocess.run(
        [sys.executable, "-c", script, str(root), str(tmp_path / "cache")], cwd=Path(__file__).parents[1], check=False
    )
    assert killed.returncode == 9 and not list((tmp_path / "cache").rglob("*.npy"))
    again = opened("rafdb", root, tmp_path / "cache")
    shutil.rmtree(tmp_path / "cache")
    assert np.array_equal(again.train.images, opened("rafdb", root, tmp_path / "cache").train.images)
    assert not list((tmp_path / "cache").rglob("*.part"))
