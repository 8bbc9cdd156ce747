"""What does one look at every image tell?  Content digests, sizes, modes, perceptual hashes and what cannot be decoded.

It does not depend on the size that a run wants, so it is kept beside the cache and reused by `verify` and by every
size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.data.decode import DecodeFault, header, load
from bench.data.listing import Listing, Sample
from bench.data.parallel import over_chunks

_ARRAYS = ("digests", "sizes", "modes", "hashes", "thumbs")
THUMB = 16


@dataclass(frozen=True)
class Inspection:
    """One row per sample, train first, in listing order.

    `digests` (n, 32) uint8: SHA-256 of the decoded RGB pixels, row by row; `sizes` (n, 2) int32: stored width and
    height; `modes` (n,) str: Pillow's colour mode; `hashes` (n, 2) uint64: difference hash of the image and of its
    mirror image; `thumbs` (n, 256) uint8: the image in grey at 16 x 16, to tell near-duplicates from look-alikes
    without decoding again. `oddities` and `faults` (why an image cannot be decoded) are texts by row, for the few rows
    that have one.
    """

    digests: NDArray[np.uint8]
    sizes: NDArray[np.int32]
    modes: NDArray[np.str_]
    hashes: NDArray[np.uint64]
    thumbs: NDArray[np.uint8]
    oddities: dict[int, str] = field(default_factory=dict)
    faults: dict[int, str] = field(default_factory=dict)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """What can be written without pickling; the faults are not kept, for a mended file is to be read again."""
        texts = {
            "oddity_rows": np.array([*self.oddities], np.int64),
            "oddity_texts": np.array([*self.oddities.values()], np.str_),
        }
        return {name: getattr(self, name) for name in _ARRAYS} | texts

    @staticmethod
    def from_arrays(arrays: Mapping[str, Any]) -> Inspection:
        oddities = dict(zip(arrays["oddity_rows"].tolist(), arrays["oddity_texts"].tolist(), strict=True))
        return Inspection(
            arrays["digests"], arrays["sizes"], arrays["modes"], arrays["hashes"], arrays["thumbs"], oddities
        )


def _empty(count: int) -> Inspection:
    return Inspection(
        digests=np.zeros((count, 32), np.uint8),
        sizes=np.zeros((count, 2), np.int32),
        modes=np.zeros(count, "U8"),
        hashes=np.zeros((count, 2), np.uint64),
        thumbs=np.zeros((count, THUMB * THUMB), np.uint8),
    )


def inspect(listing: Listing, workers: int | None = None, progress: bool = True, pixels: bool = True) -> Inspection:
    """Look at every image of the listing once.  Faults are collected, never raised.

    Without `pixels` only headers are read: sizes, modes and oddities, but neither digests nor hashes, and damage stays
    unseen.
    """
    samples = (*listing.train, *listing.test)
    result = _empty(len(samples))
    work = partial(_inspect_chunk, listing.root, pixels)
    for start, part in over_chunks(work, samples, f"reading {listing.dataset}", workers, progress):
        for name in _ARRAYS:
            getattr(result, name)[start : start + len(part.modes)] = getattr(part, name)
        result.oddities.update({start + row: text for row, text in part.oddities.items()})
        result.faults.update({start + row: text for row, text in part.faults.items()})
    return result


def _inspect_chunk(root: Path, pixels: bool, start: int, samples: Sequence[Sample]) -> Inspection:
    """Inspect a few images (in a worker process)."""
    part = _empty(len(samples))
    for row, sample in enumerate(samples):
        try:
            if pixels:
                image, facts = load(root, sample)
                part.digests[row] = np.frombuffer(hashlib.sha256(np.asarray(image).tobytes()).digest(), np.uint8)
                grey = image.convert("L")
                part.hashes[row] = difference_hashes(grey)
                part.thumbs[row] = np.asarray(grey.resize((THUMB, THUMB), Image.Resampling.BOX)).ravel()  # (256,)
            else:
                facts = header(root / sample.path)
        except DecodeFault as fault:
            part.faults[row] = str(fault)
            continue
        part.sizes[row] = facts.width, facts.height
        part.modes[row] = facts.mode
        if facts.oddities:
            part.oddities[row] = "; ".join(facts.oddities)
    return part


def difference_hashes(grey: Image.Image) -> tuple[int, int]:
    """64-bit difference hashes of a grey image and of its mirror image (N. Krawetz, "Kind of Like That", 2013).

    Bit (r, c) says whether brightness falls from column c to c + 1 in the image shrunk to 9 x 8.
    """
    small = np.asarray(grey.resize((9, 8), Image.Resampling.LANCZOS), np.int16)  # (8, 9)
    pair = []
    for view in (small, small[:, ::-1]):
        bits = np.packbits(view[:, :-1] > view[:, 1:])  # (8,) bytes
        pair.append(int.from_bytes(bits.tobytes(), "big"))
    return pair[0], pair[1]
