"""Does another machine see what a cell needs?  The same sources, packages, data, weights and folders at the same paths.

What a cell's key promises must be what is computed, so a machine that differs is refused before it trains anything.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bench.data.source import Source, known_digest
from bench.errors import UserError
from bench.key import changed, sources
from bench.launch.job import Job
from bench.provenance import packages


@dataclass(frozen=True)
class View:
    """What this machine sees: another one must see the same.

    `folders` (results and runs) each hold a file of the name `token`; `data` are the dataset digests by source and
    image size; `sources` maps a method and a numeric mode to the digests of the files that it runs.
    """

    token: str
    folders: tuple[Path, ...]
    packages: Mapping[str, str]
    sources: Mapping[tuple[str, str], Mapping[str, str]]
    data: Mapping[tuple[Source, int], str | None]
    cache: Path
    weights: Mapping[Path, str | None]


@contextmanager
def view(jobs: Iterable[Job]) -> Iterator[View]:
    """This machine's view of what the jobs need (one results and one runs folder); its token files last as long."""
    jobs = tuple(jobs)
    runs = jobs[0].runs
    folders = (jobs[0].results, runs)
    token = f".seen-{secrets.token_hex(8)}"
    opened = dict.fromkeys((job.source, job.cell.recipe.image_size) for job in jobs)
    seen = View(
        token,
        folders,
        packages(),
        {of: sources(*of) for of in {(job.cell.method, job.cell.recipe.numeric) for job in jobs}},
        {(source, size): known_digest(source, size, runs / "cache") for source, size in opened},
        runs / "cache",
        {job.weights: job.weights_sha256 for job in jobs if job.weights is not None},
    )
    try:
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / token).touch()
        yield seen
    finally:
        for folder in folders:
            (folder / token).unlink(missing_ok=True)


def refusal(wanted: View) -> str | None:
    """Why this machine must not run the cells of another's view, or None where it sees the same."""
    for folder in wanted.folders:
        if not (folder / wanted.token).is_file():
            return f"does not see {folder}: results and runs must lie on a file system that all nodes share"
    if differing := [name for name, version in wanted.packages.items() if packages().get(name) != version]:
        name = differing[0]
        return f"has {name} {packages().get(name, 'not')} installed, not {wanted.packages[name]}: install the same lock"
    for of, files in wanted.sources.items():
        if names := changed(files, sources(*of)):
            return f"has other sources ({', '.join(names[:3])}): all nodes must run the same tree"
    for path, digest in wanted.weights.items():
        if _digest(path) != digest:
            return f"does not see the weights {path}, or other ones"
    for (source, size), digest in wanted.data.items():
        if _data_digest(source, size, wanted.cache) != digest:
            return f"does not see the data of {source.name} at {source.root}, or other files or times there"
    return None


def _data_digest(source: Source, size: int, cache: Path) -> str | None:
    try:
        return known_digest(source, size, cache)
    except (UserError, OSError):
        return None


@cache
def _digest(path: Path) -> str | None:
    try:
        with path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError:
        return None
