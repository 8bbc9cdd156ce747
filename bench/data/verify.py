"""Is this copy of a dataset what it should be?  Everything that can be said about it, gathered in one run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from bench.data.attainable import REPORTED, FigureAtSize, figures_at
from bench.data.counts import per_class
from bench.data.duplicates import NearDuplicate, near_duplicates
from bench.data.index import Index, index_of, inspected, known_inspection
from bench.data.inspection import Inspection, inspect
from bench.data.layouts import layout_of
from bench.data.listing import Finding, Listing
from bench.data.notes import EXAMPLES, Notes, first, printable
from bench.data.read import read
from bench.errors import UserError

_LISTED_FAULTS = 100


@dataclass(frozen=True)
class Report:
    """What a verification found.  `listing` and `inspection` are None where there was nothing to list or to look at;
    `index` is None where pixels were not decoded.  `splits` are the images per split and class that would be used."""

    dataset: str
    root: Path
    listing: Listing | None
    inspection: Inspection | None
    index: Index | None
    splits: dict[str, dict[str, int]]
    excluded: dict[str, int]
    findings: tuple[Finding, ...]
    near: tuple[NearDuplicate, ...] = ()
    figures: tuple[FigureAtSize, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether no error stands."""
        return not any(finding.severity == "error" for finding in self.findings)


def verify(
    name: str,
    root: Path,
    class_order: str | None = None,
    cache: Path | None = None,
    pixels: bool = True,
    workers: int | None = None,
    progress: bool = True,
) -> Report:
    """Read, look at every image, compare the splits.  Faults of the data become findings, whatever they are.

    With `pixels` off only headers are read: neither damage nor duplicates are seen, and there is no digest.
    """
    try:
        listing = read(name, root, class_order)
    except UserError as error:
        return Report(name, root, None, None, None, {}, {}, (Finding("error", "no-listing", str(error)),))
    notes = Notes()
    inspection = _inspection(listing, cache, pixels, workers, progress)
    _say_faults(listing, inspection, notes)
    _say_sizes(listing, inspection, notes)
    _say_modes(listing, inspection, notes)
    index = index_of(listing, inspection) if pixels else None
    near: tuple[NearDuplicate, ...] = ()
    if index is not None:
        _say_twice(listing, inspection, index, notes)
        near = tuple(near_duplicates(inspection, len(listing.train)))
        _say_near(listing, near, notes)
    splits = _splits(listing, index)
    excluded = dict(listing.excluded) | (
        {"also in train": len(index.dropped)} if index is not None and index.dropped else {}
    )
    figures = tuple(figures_at(name, sum(splits["test"].values()), REPORTED))
    findings = (*listing.findings, *notes.findings)
    return Report(name, listing.root, listing, inspection, index, splits, excluded, findings, near, figures)


def _inspection(listing: Listing, cache: Path | None, pixels: bool, workers: int | None, progress: bool) -> Inspection:
    if not pixels or cache is None:
        return inspect(listing, workers, progress, pixels)
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / f".{listing.dataset}.lock"):
        return known_inspection(listing, cache) or inspected(listing, cache, workers, progress)


def _splits(listing: Listing, index: Index | None) -> dict[str, dict[str, int]]:
    splits = {"train": listing.train, "test": listing.test}
    if index is not None:
        kept = set(index.rows.tolist())
        border = len(listing.train)
        splits["test"] = tuple(sample for row, sample in enumerate(listing.test, start=border) if row in kept)
    return {split: per_class(samples, listing.classes) for split, samples in splits.items()}


def _say_faults(listing: Listing, inspection: Inspection, notes: Notes) -> None:
    samples = (*listing.train, *listing.test)
    rows = sorted(inspection.faults)
    for row in rows[:_LISTED_FAULTS]:
        notes.error("bad-image", f"{printable(samples[row].path)}: {inspection.faults[row]}")
    if len(rows) > _LISTED_FAULTS:
        notes.error("bad-image", f"... and {len(rows) - _LISTED_FAULTS:,} more images that cannot be used")
    by_kind: dict[str, list[str]] = {}
    for row, text in sorted(inspection.oddities.items()):
        for kind in text.split("; "):
            by_kind.setdefault(kind, []).append(samples[row].path)
    for kind, paths in by_kind.items():
        notes.warn("odd-image", f"{len(paths):,} images: {kind}: {first(paths)}")


def size_histogram(inspection: Inspection) -> dict[str, int]:
    """Images per stored size ("100x100"), most frequent first."""
    sizes = [
        f"{width}x{height}"
        for row, (width, height) in enumerate(inspection.sizes.tolist())
        if row not in inspection.faults
    ]
    return dict(Counter(sizes).most_common())


def mode_histogram(inspection: Inspection) -> dict[str, int]:
    """Images per colour mode as Pillow names it, most frequent first."""
    modes = [mode for row, mode in enumerate(inspection.modes.tolist()) if row not in inspection.faults]
    return dict(Counter(modes).most_common())


def _say_sizes(listing: Listing, inspection: Inspection, notes: Notes) -> None:
    size = layout_of(listing.dataset, listing.layout).size
    if size is None:
        return
    samples = (*listing.train, *listing.test)
    other = [
        samples[row].path
        for row, stored in enumerate(inspection.sizes.tolist())
        if row not in inspection.faults and tuple(stored) != size
    ]
    if other:
        shown = ", ".join(f"{count:,} x {name}" for name, count in list(size_histogram(inspection).items())[:8])
        notes.warn(
            "unexpected-size",
            f"{len(other):,} images are not {size[0]}x{size[1]} ({first(other)}); sizes found: {shown}",
        )


def _say_modes(listing: Listing, inspection: Inspection, notes: Notes) -> None:
    modes = {mode: count for mode, count in mode_histogram(inspection).items() if mode != "RGB"}
    if modes:
        shown = ", ".join(f"{mode} {count:,}" for mode, count in modes.items())
        notes.warn("colour-mode", f"{sum(modes.values()):,} images are not RGB and are converted to it: {shown}")


def _say_twice(listing: Listing, inspection: Inspection, index: Index, notes: Notes) -> None:
    """Exact duplicates: across the splits (found by the index) and within one."""
    notes.errors("same-image", [fault for fault in index.faults if fault.endswith("remove one")])
    for pair in index.dropped:
        notes.warn("same-image", pair)
    samples = (*listing.train, *listing.test)
    border = len(listing.train)
    seen: dict[tuple[bool, bytes], int] = {}
    pairs = []
    for row, digest in enumerate(inspection.digests):
        if row not in inspection.faults:
            other = seen.setdefault((row >= border, digest.tobytes()), row)
            if other != row:
                labels = "" if samples[other].label == samples[row].label else " (with different labels)"
                pairs.append(f"{samples[other].path} = {samples[row].path}{labels}")
    if pairs:
        notes.warn("same-image-in-split", f"{len(pairs):,} images occur twice within a split: {first(pairs)}")


def _say_near(listing: Listing, near: tuple[NearDuplicate, ...], notes: Notes) -> None:
    if near:
        samples = (*listing.train, *listing.test)
        shown = [
            f"{samples[pair.test].path} (test) ~ {samples[pair.train].path} "
            f"(train{', mirrored' if pair.mirrored else ''}, {pair.correlation:.3f})"
            for pair in near[:EXAMPLES]
        ]
        more = f" and {len(near) - EXAMPLES:,} more" if len(near) > EXAMPLES else ""
        notes.warn(
            "near-duplicates",
            f"{len(near):,} pairs across the splits look like the same photo: {', '.join(map(printable, shown))}{more}",
        )
