"""Which raw image becomes which prepared one?  So that the readers find the result in a layout that they know."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bench.data.listing import Listing, Sample
from bench.data.notes import first, printable
from bench.data.read import read
from bench.data.readers.tree import list_images
from bench.errors import UserError, unknown

PHOTOS = "photos"
NAMES = (PHOTOS, "sfew", "affectnet7", "affectnet8", "facial_expressions", "facial_expressions8")


@dataclass(frozen=True)
class Job:
    """One image: `sample` below the raw root, `target` below the result (its suffix gives the format).  `align` is off
    where the release's own face box is the crop."""

    sample: Sample
    target: str
    align: bool


@dataclass(frozen=True)
class Work:
    """All jobs of a dataset below `root`, and the `files` (path -> bytes) that complete the layout."""

    root: Path
    jobs: tuple[Job, ...]
    files: dict[str, bytes]


def plan(name: str, root: Path) -> Work:
    """What is to be done for dataset `name`, or for any folder of photos.  Raises UserError for broken data."""
    if name == "rafdb":
        raise UserError("rafdb comes aligned (Image/aligned); there is nothing to prepare")
    if name not in NAMES:
        raise unknown("dataset to prepare", name, NAMES)
    if name == PHOTOS:
        return _photos(root)
    listing = read(name, root)
    if listing.errors:
        more = f" (and {len(listing.errors) - 1} more errors)" if len(listing.errors) > 1 else ""
        raise UserError(
            f"{listing.errors[0].message}{more}; `python -m bench.data verify {name} --root {printable(root)}` lists "
            "all"
        )
    if name.startswith("affectnet"):
        return _affectnet(listing)
    if name == "sfew":
        return _sfew(listing)
    return _facial_expressions(listing)


def _photos(root: Path) -> Work:
    """Any folder: the same paths, as PNG."""
    if not root.is_dir():
        raise UserError(f"{printable(root)}: no such folder; give a folder of photos")
    paths = sorted(list_images(root, root).by_name.values())
    if not paths:
        raise UserError(f"{printable(root)}: no image in it; give a folder of photos")
    jobs = tuple(Job(Sample(path, 0), str(PurePosixPath(path).with_suffix(".png")), True) for path in paths)
    return _checked(Work(root, jobs, {}))


def _sfew(listing: Listing) -> Work:
    """The layout of the official aligned release."""
    jobs = []
    for place, samples in (("Train/Train_Aligned_Faces", listing.train), ("Val/Val_Aligned_Faces", listing.test)):
        for sample in samples:
            path = PurePosixPath(sample.path)
            jobs.append(Job(sample, f"{place}/{path.parent.name}/{path.stem}.png", True))
    return _checked(Work(listing.root, tuple(jobs), {}))


def _affectnet(listing: Listing) -> Work:
    """The layout of the reduced release; the photos are cropped to the release's own face boxes."""
    if listing.layout != "full":
        raise UserError(
            f"{printable(listing.root)}: AffectNet's {listing.layout} layout is cropped already; there is nothing to "
            "prepare"
        )
    import numpy as np

    jobs: list[Job] = []
    files: dict[str, bytes] = {}
    for place, samples in (("train_set", listing.train), ("val_set", listing.test)):
        for sample in samples:
            # the release's names are unique per folder only
            name = hashlib.sha256(sample.path.encode("utf-8", "surrogateescape")).hexdigest()[:24]
            jobs.append(Job(sample, f"{place}/images/{name}.jpg", False))
            buffer = io.BytesIO()
            np.save(buffer, np.array(str(sample.label)), allow_pickle=False)
            files[f"{place}/annotations/{name}_exp.npy"] = buffer.getvalue()
    return _checked(Work(listing.root, tuple(jobs), files))


def _facial_expressions(listing: Listing) -> Work:
    """The same names and the same legend."""
    samples = (*listing.train, *listing.test)
    jobs = tuple(Job(sample, f"images/{PurePosixPath(sample.path).name}", True) for sample in samples)
    lines = "".join(
        f"prepared,{PurePosixPath(sample.path).name},{listing.classes[sample.label]}\n" for sample in samples
    )
    return _checked(
        Work(
            listing.root,
            jobs,
            {"data/legend.csv": f"user.id,image,emotion\n{lines}".encode("utf-8", "surrogateescape")},
        )
    )


def _checked(work: Work) -> Work:
    """The work, unless two images would be written to one place."""
    if twice := _repeated([job.target.lower() for job in work.jobs]):
        raise UserError(
            f"{printable(work.root)}: several images would become {first(twice)}; give them different names"
        )
    return work


def _repeated(names: Sequence[str]) -> list[str]:
    seen: set[str] = set()
    return sorted({name for name in names if name in seen or seen.add(name)})  # type: ignore[func-returns-value]
