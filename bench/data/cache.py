"""How do images reach the engine?  Decoded once into one memory-mapped file per dataset and size."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from PIL import Image

from bench.data.dataset import Dataset, Split
from bench.data.decode import DecodeFault, load
from bench.data.index import Index, build, known
from bench.data.listing import Listing, Sample
from bench.data.notes import first, printable
from bench.data.parallel import over_chunks
from bench.errors import UserError


def known_digest(listing: Listing, folder: Path) -> str | None:
    """The dataset digest, where this very listing was read before (files unchanged since); decodes nothing."""
    index = known(listing, folder)
    return index.digest if index is not None and not index.faults else None


def open_dataset(
    listing: Listing, size: int, folder: Path, workers: int | None = None, progress: bool = True
) -> Dataset:
    """The decoded dataset at `size` x `size` pixels, from the cache below `folder`, which is built or rebuilt as
    needed.

    Each image is what `PIL` and torchvision's `Resize((size, size))` give: EXIF rotation, RGB, crop to the face box,
    bilinear. Rows stand in an order that depends on content alone, so that the dataset does not depend on file names or
    layout. Raises UserError where the listing has errors, images cannot be decoded, or the disk is too small.
    """
    _refuse(listing)
    with _locked(folder, listing.dataset):
        index = known(listing, folder) or build(listing, folder, workers, progress)
        if index.faults:
            raise UserError(
                f"{listing.dataset}: {len(index.faults):,} of {len(index.rows):,} images cannot be used: "
                f"{first(index.faults)};"
                f" `python -m bench.data verify {listing.dataset} --root {printable(listing.root)}` lists them all"
            )
        path = folder / listing.dataset / f"{index.digest[:16]}-{size}.npy"
        images = _mapped(path, len(index.rows), size)
        if images is None:
            _build(path, listing, index, size, workers, progress)
            images = _mapped(path, len(index.rows), size)
            if images is None:
                raise UserError(f"{printable(path)}: the cache cannot be read back; check the disk")
    train = len(listing.train)  # only test images are ever left out of an index
    return Dataset(
        listing.dataset,
        listing.classes,
        Split(images[:train], index.labels[:train], index.groups[:train], index.ids[:train]),
        Split(images[train:], index.labels[train:], index.groups[train:], index.ids[train:]),
        index.digest,
    )


@contextmanager
def _locked(folder: Path, dataset: str) -> Iterator[None]:
    """One process at a time builds a dataset's cache; the others wait and then find it.  Raises UserError for a folder
    that cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{dataset}.lock"):
            yield
    except OSError as problem:
        raise UserError(
            f"{printable(folder)}: cannot write the cache ({problem.strerror or problem}); free some space or choose"
            " another folder"
        ) from None


def _refuse(listing: Listing) -> None:
    if listing.errors:
        more = f" (and {len(listing.errors) - 1} more errors)" if len(listing.errors) > 1 else ""
        raise UserError(
            f"{listing.dataset}: {listing.errors[0].message}{more}; see `python -m bench.data verify {listing.dataset}`"
        )
    for split, samples in (("train", listing.train), ("test", listing.test)):
        if not samples:
            raise UserError(f"{listing.dataset}: the {split} split of {printable(listing.root)} holds no image")


def _mapped(path: Path, count: int, size: int) -> NDArray[np.uint8] | None:
    """The cache file as an array (n, S, S, 3), or None where it is absent or not what its name says."""
    try:
        images = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError):
        return None
    return images if images.shape == (count, size, size, 3) and images.dtype == np.uint8 else None


def _build(path: Path, listing: Listing, index: Index, size: int, workers: int | None, progress: bool) -> None:
    """Decode into a file beside `path`, then rename: a killed build leaves nothing that could be mistaken for a
    cache."""
    samples = [(*listing.train, *listing.test)[row] for row in index.rows]
    need = len(samples) * size * size * 3
    path.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(path.parent).free
    where = printable(path.parent)
    if need > free:
        raise UserError(
            f"{listing.dataset} at {size} px needs {_gigabytes(need)} in {where}, {_gigabytes(free)} are free; choose "
            "another disk"
        )
    print(
        f"{listing.dataset} at {size} px: caching {len(samples):,} images, {_gigabytes(need)} in {where} "
        f"({_gigabytes(free)} free)",
        file=sys.stderr,
    )
    part = path.with_suffix(".part")
    try:
        with open(part, "wb") as file:
            shape = (len(samples), size, size, 3)
            np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
            offset = file.tell()
            file.truncate(offset + need)
        work = partial(_decode_chunk, listing.root, part, offset, size)
        for _ in over_chunks(work, samples, f"decoding {listing.dataset}", workers, progress):
            pass
        with open(part, "rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
    except DecodeFault as fault:
        raise UserError(f"{listing.dataset}: an image changed while it was read ({fault}); run again") from None
    finally:
        part.unlink(missing_ok=True)


def _decode_chunk(root: Path, part: Path, offset: int, size: int, start: int, samples: Sequence[Sample]) -> None:
    """Decode a few images straight into their rows of the shared file (in a worker process).

    Plain writes, not a writable map: on a full disk they raise, where a map would kill the process.
    """
    images = np.empty((len(samples), size, size, 3), np.uint8)
    for row, sample in enumerate(samples):
        image, _ = load(root, sample)
        images[row] = np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))  # (S, S, 3)
    with open(part, "rb+") as file:
        file.seek(offset + start * size * size * 3)
        file.write(images.tobytes())


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.2f} GB"
