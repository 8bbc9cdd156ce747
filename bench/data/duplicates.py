"""Is a test image also in the training set, re-compressed, brightened or mirrored?  Hashes, then a closer look.

Two images are near-duplicates when their 64-bit difference hashes are at most `MAX_BITS` apart and their 16 x 16 grey
thumbnails correlate by at least `MIN_CORRELATION`.  Measured on 10,663 photos of `facial_expressions`, split by person:
300 planted copies of each kind (JPEG quality 50 and 20, half size, brightness +20 %, with and without mirroring) are at
most 6 bits away; of 150, all recompressed and brightened ones correlate by 0.988 and more, 99 % of the halved ones by
0.974.  Of the 42 million pairs across the split, mirrored ones included, 9,703 pass the hash and one passes both: a
true duplicate.  Crops and shifts of several pixels are not found.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.data.inspection import THUMB, Inspection

MAX_BITS = 6
MIN_CORRELATION = 0.975

_PAIRS_AT_ONCE = 4_000_000
"""32 MB of 64-bit differences at a time: memory stays small, and near the processor's cache."""


@dataclass(frozen=True)
class NearDuplicate:
    """A pair across the splits, as rows of the inspection.  `correlation` is that of the thumbnails, at most 1."""

    test: int
    train: int
    mirrored: bool
    correlation: float


def near_duplicates(inspection: Inspection, border: int) -> list[NearDuplicate]:
    """Pairs of a test row (>= `border`) and a train row that look alike but differ in pixels, most alike first."""
    sound = ~np.isin(np.arange(len(inspection.modes)), [*inspection.faults])
    train, test = (np.flatnonzero(sound & side) for side in _sides(len(sound), border))
    found: list[NearDuplicate] = []
    for mirrored in (False, True):
        for tests, trains in _close(inspection.hashes[test, int(mirrored)], inspection.hashes[train, 0]):
            rows, others = test[tests], train[trains]
            correlation = _correlation(
                _unit(inspection.thumbs[rows], mirrored), _unit(inspection.thumbs[others], False)
            )
            differ = (inspection.digests[rows] != inspection.digests[others]).any(axis=1)
            for pair in np.flatnonzero((correlation >= MIN_CORRELATION) & differ):
                found.append(NearDuplicate(int(rows[pair]), int(others[pair]), mirrored, float(correlation[pair])))
    return sorted(found, key=lambda pair: (-pair.correlation, pair.test, pair.train))


def _sides(count: int, border: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    is_train = np.arange(count) < border
    return is_train, ~is_train


def _close(
    test: NDArray[np.uint64], train: NDArray[np.uint64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Positions (in `test`, in `train`) of hashes at most MAX_BITS apart, block by block."""
    step = max(1, _PAIRS_AT_ONCE // max(1, len(train)))
    for start in range(0, len(test), step):
        distance = np.bitwise_count(test[start : start + step, None] ^ train[None, :])  # (step, n)
        rows, others = np.nonzero(distance <= MAX_BITS)
        if len(rows):
            yield rows + start, others


def _unit(thumbs: NDArray[np.uint8], mirrored: bool) -> NDArray[np.float32]:
    """Thumbnails (n, 256) with mean 0 and length 1, so that a product is a correlation; a flat image becomes 0."""
    values = thumbs.astype(np.float32)
    if mirrored:
        values = values.reshape(-1, THUMB, THUMB)[:, :, ::-1].reshape(-1, THUMB * THUMB)  # (n, 16, 16) -> (n, 256)
    values = values - values.mean(axis=1, keepdims=True)
    return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-6)


def _correlation(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.einsum("nd,nd->n", left, right)
