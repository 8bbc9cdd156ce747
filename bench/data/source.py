"""Where do a cell's images come from: a folder of the user's, or the renderer?  One face for both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.data import find
from bench.data.catalog import DATASETS, TWINS
from bench.data.dataset import Dataset, Split
from bench.data.listing import Listing
from bench.data.read import read
from bench.data.twin import population
from bench.errors import UserError, unknown


@dataclass(frozen=True)
class Source:
    """A dataset at hand.  `root` is its folder, None for a rendered twin, whose size is the `budget`'s; `class_order`
    says what bare folder numbers mean, where the layout has them."""

    name: str
    budget: str
    root: Path | None = None
    class_order: str | None = None


def at_hand(
    wanted: Iterable[str], budget: str, data: Path | None, roots: Mapping[str, Path], twins: Iterable[str] | None = None
) -> tuple[Source, ...]:
    """The wanted datasets that are on disk; where none is, the twins of the licensed ones.

    `twins` names twins to use whatever is on disk.  Raises UserError for an unknown name in `roots` or a wrong root.
    """
    wanted = tuple(wanted)
    for name, given in roots.items():
        if name not in DATASETS:
            raise unknown("dataset", name, DATASETS, "--root")
        if find.is_twin(given):
            raise UserError(
                f"{given} holds rendered faces, which are never called {name}; leave it out and its twin is used"
            )
    found = tuple(
        Source(name, budget, root) for name in wanted if (root := find.locate(name, data, roots.get(name))) is not None
    )
    named = {twin for twin, licensed in TWINS.items() if licensed in wanted and (twin in (twins or ()) or not found)}
    return found + tuple(Source(twin, budget) for twin in TWINS if twin in named)


def listing(source: Source) -> Listing:
    """What the files of a real dataset say.  Raises UserError with all errors of the tree."""
    assert source.root is not None
    found = read(source.name, source.root, source.class_order)
    if found.errors:
        lines = "\n  ".join(finding.message for finding in found.errors)
        raise UserError(f"{source.name} at {source.root} cannot be trained on:\n  {lines}")
    return found


def known_digest(source: Source, size: int, cache: Path) -> str | None:
    """The digest of a dataset if it is known without decoding a pixel."""
    if source.root is None:
        return population.digest(population.spec(source.name, source.budget), size)
    from bench.data.cache import known_digest as cached

    return cached(listing(source), cache)


def open_source(source: Source, size: int, cache: Path, progress: bool = True) -> Dataset:
    """Decoded (or rendered) images of `size` pixels; slow the first time, a memory map afterwards."""
    if source.root is not None:
        from bench.data.cache import open_dataset

        return open_dataset(listing(source), size, cache, progress=progress)
    from bench.data.twin import store

    spec = population.spec(source.name, source.budget)
    rendered = store.load(spec, size, cache, progress=progress)
    digest = population.digest(spec, size)
    train, test = (
        Split(part.images, part.labels, part.groups, _ids(name, len(part.labels), digest))
        for name, part in (("train", rendered.train), ("test", rendered.test))
    )
    return Dataset(source.name, spec.classes, train, test, digest)


def _ids(split: str, count: int, digest: str) -> np.ndarray:
    """A rendered image's id: the twin's digest, its split and its place, which together determine its pixels."""
    return np.array([f"{digest[:8]}{split[:2]}{index:06d}" for index in range(count)])
