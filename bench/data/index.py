"""Which rows, in which order, make up a dataset?  An inspection that is trusted while no file changes."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.atomic import replacing
from bench.data.catalog import info
from bench.data.inspection import Inspection, inspect
from bench.data.listing import Listing
from bench.data.notes import printable

_FORMAT = "1"  # of index files and digests: a new number makes old ones stale


@dataclass(frozen=True)
class Index:
    """The rows of a dataset in canonical order: train, then test, each by content digest.

    `rows` (n,) int64: positions in (*listing.train, *listing.test); `labels`, `groups`, `ids` as in `dataset.Split`;
    `digest` the dataset digest; `faults` one line per image that cannot be used, naming its file; `dropped` one line
    per test image that the release also has in train under another name, and that is therefore in no row
    (`DatasetInfo.blemishes`).
    """

    rows: NDArray[np.int64]
    labels: NDArray[np.int64]
    groups: NDArray[np.int64]
    ids: NDArray[np.str_]
    digest: str
    faults: tuple[str, ...]
    dropped: tuple[str, ...] = ()


def known(listing: Listing, folder: Path) -> Index | None:
    """The index of this listing, where one was kept and no image, label or decoder changed since.  Decodes nothing."""
    inspection = known_inspection(listing, folder)
    return index_of(listing, inspection) if inspection is not None else None


def build(listing: Listing, folder: Path, workers: int | None, progress: bool) -> Index:
    """Look at every image and keep the result.  The caller holds the dataset's lock."""
    return index_of(listing, inspected(listing, folder, workers, progress))


def known_inspection(listing: Listing, folder: Path) -> Inspection | None:
    """What was seen of exactly this listing, or None where it is new or stale."""
    try:
        with np.load(_path(listing, folder), allow_pickle=False) as arrays:
            return Inspection.from_arrays(arrays) if str(arrays["fingerprint"]) == fingerprint(listing) else None
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None


def inspected(listing: Listing, folder: Path, workers: int | None, progress: bool) -> Inspection:
    """Inspect the listing and keep the result, unless an image is broken: mending it must not go unnoticed."""
    path = _path(listing, folder)
    before = _kept_digest(path)
    if before is not None:
        print(
            f"{listing.dataset}: the cache in {printable(folder)} is stale (files, labels or decoder changed); reading "
            "again",
            file=sys.stderr,
        )
    inspection = inspect(listing, workers, progress)
    if inspection.faults:
        return inspection
    digest = index_of(listing, inspection).digest
    with replacing(path) as file:
        np.savez(file, fingerprint=np.array(fingerprint(listing)), digest=np.array(digest), **inspection.arrays())  # type: ignore[arg-type]
    if before is not None and before != digest:
        _drop_orphans(path.parent)
    return inspection


def fingerprint(listing: Listing) -> str:
    """Changes with any path, size, modification time, label, group or box of a listed image, and with the decoder's
    version."""
    digest = hashlib.sha256(
        f"{_FORMAT} {importlib.metadata.version('pillow')} {listing.dataset} {listing.classes}".encode()
    )
    for split, samples in (("train", listing.train), ("test", listing.test)):
        for sample in samples:
            try:
                facts = os.stat(listing.root / sample.path)
            except OSError:
                facts = None
            stamp = (facts.st_size, facts.st_mtime_ns) if facts else None
            row = (split, sample.path, sample.label, sample.group, sample.box, stamp)
            digest.update(repr(row).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def index_of(listing: Listing, inspection: Inspection) -> Index:
    """Put the rows into canonical order and name their content."""
    samples = (*listing.train, *listing.test)
    contents = [row.tobytes().hex() for row in inspection.digests]
    border = len(listing.train)
    faults = [f"{samples[row].path}: {fault}" for row, fault in sorted(inspection.faults.items())]
    shared = _in_both(contents, border, inspection)
    pairs = [
        f"{samples[row].path} (test) and {samples[other].path} (train) are the same image"
        for row, other in shared.items()
    ]
    tolerated = len(shared) <= info(listing.dataset).blemishes * len(samples)
    left_out = set(shared) if tolerated else set()
    rows = [row for row in range(len(samples)) if row not in left_out]
    rows.sort(key=lambda row: (row >= border, contents[row], samples[row].label, samples[row].group))
    numbers: dict[str, int] = {}
    groups = [numbers.setdefault(samples[row].group, len(numbers)) if samples[row].group else -1 for row in rows]
    digest = hashlib.sha256(f"dan-bench dataset {_FORMAT} {','.join(listing.classes)}\n".encode())
    for row, group in zip(rows, groups, strict=True):
        digest.update(f"{'test' if row >= border else 'train'} {contents[row]} {samples[row].label} {group}\n".encode())
    return Index(
        rows=np.array(rows, np.int64),
        labels=np.array([samples[row].label for row in rows], np.int64),
        groups=np.array(groups, np.int64),
        ids=np.array([contents[row][:16] for row in rows], np.str_),
        digest=digest.hexdigest(),
        faults=(*faults, *([] if tolerated else [f"{pair}; remove one" for pair in pairs])),
        dropped=tuple(f"{pair}; left out of test" for pair in pairs) if tolerated else (),
    )


def _in_both(contents: list[str], border: int, inspection: Inspection) -> dict[int, int]:
    """Test row -> train row of images whose pixels are the same."""
    train = {content: row for row, content in enumerate(contents[:border]) if row not in inspection.faults}
    test = range(border, len(contents))
    return {row: train[contents[row]] for row in test if row not in inspection.faults and contents[row] in train}


def _path(listing: Listing, folder: Path) -> Path:
    root = hashlib.sha256(os.fsencode(listing.root.resolve())).hexdigest()[:8]
    return folder / listing.dataset / f"index-{root}.npz"


def _kept_digest(path: Path) -> str | None:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return str(arrays["digest"])
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None


def _drop_orphans(folder: Path) -> None:
    """Remove pixel files whose digest no index names any more: a stale cache of AffectNet at 224 px is 43 GB."""
    alive = {digest[:16] for path in folder.glob("index-*.npz") if (digest := _kept_digest(path)) is not None}
    for path in folder.glob("*-*.npy"):
        if path.name.partition("-")[0] not in alive:
            path.unlink()
