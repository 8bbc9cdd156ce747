"""Is the batched augmentation PIL + torchvision to the bit, however the batch is cut?"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import functional as F

from bench.data import augment as aug
from bench.data import draws

TABLE = aug.normalisation_table(aug.IMAGENET_MEAN, aug.IMAGENET_STD)


def on_cuda(images, index, packed, table, *options):
    return aug.augment(images.cuda(), index.cuda(), packed.cuda(), table.cuda(), *options).cpu()


PATHS = {"by rows": aug.augment, "fused": aug.fused} | ({"cuda": on_cuda} if torch.cuda.is_available() else {})


@functools.cache
def photos(count, size):
    """Noise on gradients, (count, size, size, 3) uint8, without a black pixel: fill and content cannot be confused."""
    rng = np.random.default_rng(size)
    y, x = np.mgrid[0:size, 0:size] / size
    slope = rng.uniform(-90, 90, (2, count, 1, 1, 3))
    ramps = slope[0] * x[:, :, None] + slope[1] * y[:, :, None]  # (count, size, size, 3)
    return np.clip(128 + ramps + rng.normal(0, 40, (count, size, size, 3)), 1, 255).astype(np.uint8)


def normalised(image):
    return F.normalize(F.to_tensor(image), list(aug.IMAGENET_MEAN), list(aug.IMAGENET_STD))


def reference(pixels, spec, drawn, i):
    """The official chain for one image: PIL images and torchvision's v1 functional operations, on given draws."""
    image = Image.fromarray(pixels)
    if drawn.flip[i]:
        image = F.hflip(image)
    first, second = (int(v) for v in drawn.offset[i])
    if drawn.geometry[i] and spec.geometry == "rotate_crop":
        image = F.rotate(image, float(drawn.angle[i]))
        image = F.crop(F.pad(image, spec.padding), first, second, spec.size, spec.size)
    elif drawn.geometry[i]:
        image = F.affine(image, float(drawn.angle[i]), [first, second], float(drawn.scale[i]), [0.0, 0.0])
    tensor = normalised(image)
    top, left, height, width = (int(v) for v in drawn.erase[i])
    return F.erase(tensor, top, left, height, width, torch.tensor(0.0)) if height else tensor


@pytest.mark.parametrize(("size", "count"), [(224, 200), (64, 400)])
@pytest.mark.parametrize("name", sorted(draws.PRESETS))
def test_no_value_differs_from_pil_and_torchvision_on_the_same_draws(name, size, count):
    spec, ids = draws.preset(name, size), np.arange(count)
    pixels = photos(count, size)
    drawn = draws.decide(spec, 11, 7, ids)
    packed = torch.from_numpy(draws.pack(spec, drawn))
    images = torch.from_numpy(pixels)
    for start in range(0, count, 50):
        index = torch.arange(start, start + 50)
        expected = torch.stack([reference(pixels[i], spec, drawn, i) for i in index.tolist()])
        for path in PATHS.values():
            assert int((path(images, index, packed[index], TABLE) != expected).sum()) == 0


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "spec",
    [
        replace(draws.preset("rafdb", 65), geometry_p=1.0, degrees=89.0, padding=60),
        replace(draws.preset("affectnet", 65), geometry_p=1.0, degrees=89.0, scale=(0.15, 3.0), translate=1.0),
    ],
    ids=["rotate_crop", "affine"],
)
def test_extreme_geometry_at_an_odd_size_equals_pil_too(spec, path):
    pixels, ids = photos(60, 65), np.arange(60)
    drawn = draws.decide(spec, 2, 0, ids)
    expected = torch.stack([reference(pixels[i], spec, drawn, i) for i in ids])
    result = PATHS[path](torch.from_numpy(pixels), torch.arange(60), torch.from_numpy(draws.pack(spec, drawn)), TABLE)
    assert torch.equal(result, expected)


def test_the_table_holds_what_totensor_and_normalize_give_for_every_byte():
    ramp = Image.fromarray(np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2))
    assert torch.equal(TABLE.view(3, 1, 256), normalised(ramp))


def test_evaluation_images_are_normalised_and_nothing_else():
    pixels = photos(40, 64)
    index = torch.tensor([3, 39, 3, 0])
    expected = torch.stack([normalised(Image.fromarray(pixels[i])) for i in index])
    assert torch.equal(aug.plain(torch.from_numpy(pixels), index, TABLE), expected)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_type_and_memory_layout_change_no_value_beyond_the_rounding_of_the_type(dtype, memory_format):
    spec, index = draws.preset("affectnet", 64), torch.arange(40)
    images = torch.from_numpy(photos(40, 64))
    packed = torch.from_numpy(draws.draw(spec, 0, 0, np.arange(40)))
    expected = aug.augment(images, index, packed, TABLE).to(dtype)
    for path in PATHS.values():
        result = path(images, index, packed, TABLE, dtype, memory_format)
        assert result.dtype == dtype and result.is_contiguous(memory_format=memory_format)
        assert torch.equal(result, expected)
    result = aug.plain(images, index, TABLE, dtype, memory_format)
    assert result.dtype == dtype and result.is_contiguous(memory_format=memory_format)
    assert torch.equal(result, aug.plain(images, index, TABLE).to(dtype))


def test_a_tracer_that_fuses_the_batch_gets_the_same_bits():
    # aot_eager traces and functionalises as inductor does, and needs no C++ compiler.
    images = torch.from_numpy(photos(40, 64))
    packed = torch.from_numpy(draws.draw(draws.preset("rafdb", 64), 0, 0, np.arange(40)))
    compiled = torch.compile(aug.augment, backend="aot_eager", fullgraph=True, dynamic=False)
    for index in (torch.arange(20), torch.arange(20, 40)):
        result = compiled(images, index, packed[index], TABLE)
        assert torch.equal(result, aug.augment(images, index, packed[index], TABLE))


def test_rows_of_a_memory_map_give_the_bits_of_the_resident_tensor(tmp_path):
    pixels = photos(40, 64)
    np.save(tmp_path / "cache.npy", pixels)
    cache = np.load(tmp_path / "cache.npy", mmap_mode="r", allow_pickle=False)
    ids = np.array([5, 0, 39, 5, 17])
    packed = torch.from_numpy(draws.draw(draws.preset("rafdb", 64), 0, 0, ids))
    rows = aug.gather_rows(cache, ids)
    assert np.array_equal(rows.numpy(), pixels[ids])
    mapped = aug.augment(rows, torch.arange(5), packed, TABLE)
    assert torch.equal(mapped, aug.augment(torch.from_numpy(pixels), torch.from_numpy(ids), packed, TABLE))
    for wrong in ([40], [-1]):
        with pytest.raises(IndexError, match="cache of 40 images"):
            aug.gather_rows(cache, np.array(wrong))


def test_pixels_in_another_layout_are_refused():
    images = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
    packed = torch.zeros(2, 13, dtype=torch.int32)
    for wrong in (images, images.permute(0, 2, 3, 1).float()):
        with pytest.raises(ValueError, match="channels last"):
            aug.augment(wrong, torch.arange(2), packed, TABLE)
        with pytest.raises(ValueError, match="channels last"):
            aug.plain(wrong, torch.arange(2), TABLE)


def test_the_stored_pixels_are_never_written():
    images = torch.from_numpy(photos(40, 64).copy())
    before = images.clone()
    packed = torch.from_numpy(draws.draw(draws.preset("affectnet", 64), 0, 0, np.arange(40)))
    aug.augment(images, torch.arange(40), packed, TABLE)
    assert torch.equal(images, before)


class Batches(Dataset):
    """Batch j of a visiting order, augmented in whichever process asks for it."""

    def __init__(self, ids, batch_size):
        self.parts = [ids[start : start + batch_size] for start in range(0, len(ids), batch_size)]

    def __len__(self):
        return len(self.parts)

    def __getitem__(self, j):
        part = self.parts[j]
        packed = torch.from_numpy(draws.draw(draws.preset("affectnet", 32), 6, 2, part))
        return part, aug.augment(torch.from_numpy(photos(120, 32)), torch.from_numpy(part), packed, TABLE)


def test_one_digest_whatever_the_workers_the_batch_size_and_the_order():
    digests = set()
    for workers, batch_size, shuffled in [(0, 120, False), (0, 7, True), (1, 16, False), (2, 7, False), (2, 33, True)]:
        ids = np.random.default_rng(0).permutation(120) if shuffled else np.arange(120)
        loader = DataLoader(Batches(ids, batch_size), batch_size=None, num_workers=workers)
        images = torch.empty(120, 3, 32, 32)
        for part, batch in loader:
            images[torch.as_tensor(part)] = batch
        digests.add(hashlib.sha256(images.numpy().tobytes()).hexdigest())
    assert len(digests) == 1
