"""Do images reach the device once, whole and unchanged, however large their dataset is?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from conftest import noise_split

from bench import feed as feeding
from bench.data.draws import preset
from bench.feed import Origin, Residents, feed, uploaded
from bench.numeric import arithmetic

CPU = torch.device("cpu")


def test_a_split_is_uploaded_once_for_all_cells_of_a_dataset(tiny, monkeypatch):
    monkeypatch.setattr(feeding, "free_bytes", lambda device: 10**9)
    residents = Residents()
    first = residents.get(tiny.train.images, Origin("a", 32, "train"), CPU)
    assert np.array_equal(first, tiny.train.images)
    assert residents.get(tiny.train.images, Origin("a", 32, "train"), CPU) is first
    test = residents.get(tiny.test.images, Origin("a", 32, "test"), CPU)
    assert np.array_equal(test, tiny.test.images)
    assert residents.get(tiny.train.images, Origin("a", 32, "train"), CPU) is first


def test_another_dataset_or_size_takes_the_place_of_the_one_before(tiny, monkeypatch):
    monkeypatch.setattr(feeding, "free_bytes", lambda device: 10**9)
    residents = Residents()
    first = residents.get(tiny.train.images, Origin("a", 32, "train"), CPU)
    residents.get(tiny.test.images, Origin("b", 32, "train"), CPU)
    assert list(residents._held) == [Origin("b", 32, "train")]
    assert residents.get(tiny.train.images, Origin("a", 32, "train"), CPU) is not first


def test_what_does_not_fit_stays_in_the_memory_map(tiny, monkeypatch):
    monkeypatch.setattr(feeding, "free_bytes", lambda device: 1.9 * tiny.train.images.nbytes)
    assert Residents().get(tiny.train.images, Origin("a", 32, "train"), CPU) is None


def test_an_upload_in_pieces_is_a_copy(monkeypatch):
    monkeypatch.setattr(feeding, "UPLOAD_IMAGES", 16)
    images = noise_split(36, 8, 3, 1).images
    assert np.array_equal(uploaded(images, CPU), images)


def test_resident_and_mapped_images_give_the_same_batches(tiny):
    rows, spec = np.array([30, 2, 17, 5, 8]), preset("affectnet", 32)
    positions, repeats = np.array([4, 0, 0, 2]), np.array([0, 0, 1, 0])
    with arithmetic("faithful", CPU) as numbers:
        mapped = feed(tiny, "train", rows, numbers)
        resident = replace(mapped, resident=uploaded(tiny.train.images, CPU))
        assert len(mapped) == len(resident) == 5
        for one, other in (
            (mapped.plain(positions), resident.plain(positions)),
            (mapped.augmented(positions, repeats, spec, 1, 2), resident.augmented(positions, repeats, spec, 1, 2)),
        ):
            assert torch.equal(one, other)


def test_a_batch_of_affectnet_is_read_out_of_43_gigabytes_without_loading_them(tiny, tmp_path):
    count, size = 287_651, 224
    path = tmp_path / "affectnet.npy"
    with path.open("wb") as file:  # a file with a hole: as large as AffectNet, and nothing on the disk
        header = {"descr": "|u1", "fortran_order": False, "shape": (count, size, size, 3)}
        np.lib.format.write_array_header_1_0(file, header)
        start, image = file.tell(), size * size * 3
        file.truncate(start + count * image)
        file.seek(start + (count - 2) * image)
        file.write(bytes([255]) * image)
    images = np.load(path, mmap_mode="r", allow_pickle=False)
    big = replace(tiny, train=replace(tiny.train, images=images))
    before = anonymous_bytes()
    with arithmetic("faithful", CPU) as numbers:
        batch = feed(big, "train", np.arange(count), numbers).plain(np.array([0, count - 2, count - 1]))
    assert (batch[1] > 2).all()  # white, normalised
    assert torch.equal(batch[0], batch[2]) and (batch[0] < -1.5).all()  # black
    assert anonymous_bytes() - before < 200 * 2**20


def anonymous_bytes() -> int:
    """Memory of this process that no file backs (Linux)."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("RssAnon"))
