"""Where do a twin's images lie, and how do they get there?  Rendered once, in parallel, into memory-mapped files;
resumable.

Layout below the folder: `<twin>-<digest>-<size>/{images,masks,meta}.npy`, training images first;
`done/<first>-<last>` per finished chunk; `complete` once all are there.  A process that is killed loses the chunks in
its hands, nothing else.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from bench.atomic import write_text
from bench.data.parallel import over_chunks
from bench.data.twin.metadata import ROW, row
from bench.data.twin.population import TwinSpec, digest, roster
from bench.data.twin.render import render_image
from bench.data.twin.stream import derive_seed
from bench.errors import UserError

_COMPLETE = "complete"


@dataclass(frozen=True, eq=False)
class RenderedSplit:
    """`images` (n, size, size, 3) and `masks` (n, size, size, 4) uint8 are memory maps; `labels` and `groups` (n,)
    int64, a group being an identity; `meta` (n,) has the fields of metadata.ROW."""

    images: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    labels: NDArray[np.int64]
    groups: NDArray[np.int64]
    meta: NDArray


@dataclass(frozen=True, eq=False)
class RenderedTwin:
    """A twin at one size.  No identity is in both splits."""

    spec: TwinSpec
    train: RenderedSplit
    test: RenderedSplit


def load(spec: TwinSpec, size: int, folder: Path, workers: int | None = None, progress: bool = True) -> RenderedTwin:
    """The twin rendered at `size` x `size` pixels, from the store below `folder`; what is missing is rendered first.

    Processes that start at once wait for one another.  A twin whose licensed images are not square (SFEW) is rendered
    square. Raises UserError where the disk is too small or cannot be written.
    """
    place = folder / f"{spec.name}-{digest(spec, size)[:16]}-{size}"
    if not (place / _COMPLETE).is_file():
        try:
            place.mkdir(parents=True, exist_ok=True)
            with FileLock(place / ".lock"):
                if not (place / _COMPLETE).is_file():
                    _render_missing(spec, size, place, workers, progress)
        except OSError as problem:
            raise UserError(
                f"{place.parent}: cannot write {spec.name} ({problem.strerror or problem});"
                " free some space or choose another folder"
            ) from None
    arrays = {
        name: np.load(place / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in _columns(len(spec), size)
    }
    split = spec.train_size
    people = roster(spec)
    train, test = (
        RenderedSplit(
            arrays["images"][part],
            arrays["masks"][part],
            people.labels[part].copy(),  # the roster is cached
            people.identities[part].copy(),
            arrays["meta"][part],
        )
        for part in (slice(0, split), slice(split, None))
    )
    return RenderedTwin(spec, train, test)


def _columns(count: int, size: int) -> dict[str, tuple[np.dtype, tuple[int, ...]]]:
    """The files of a store: type and shape."""
    pixel = np.dtype(np.uint8)
    return {
        "images": (pixel, (count, size, size, 3)),
        "masks": (pixel, (count, size, size, 4)),
        "meta": (ROW, (count,)),
    }


def _render_missing(spec: TwinSpec, size: int, place: Path, workers: int | None, progress: bool) -> None:
    _create_files(spec, size, place)
    done = place / "done"
    done.mkdir(exist_ok=True)
    present = np.zeros(len(spec), bool)
    for first, last in _finished(done):
        present[first:last] = True
    missing = np.flatnonzero(~present).tolist()
    for _ in over_chunks(
        partial(_render_chunk, spec, size, place), missing, f"rendering {spec.name}", workers, progress
    ):
        pass
    write_text(place / _COMPLETE, "")
    shutil.rmtree(done, ignore_errors=True)


def _create_files(spec: TwinSpec, size: int, place: Path) -> None:
    """Create each file at full length under a temporary name.  Rows are filled by plain writes: on a full disk those
    raise an error, where a writable map would kill the process."""
    columns = _columns(len(spec), size)
    absent = [name for name in columns if not (place / f"{name}.npy").is_file()]
    need = sum(kind.itemsize * int(np.prod(shape)) for name in absent for kind, shape in [columns[name]])
    free = shutil.disk_usage(place).free
    if need > free:
        raise UserError(
            f"{spec.name} at {size} px needs {need / 1e9:.1f} GB in {place.parent},"
            f" {free / 1e9:.1f} GB are free; choose another disk"
        )
    for name in absent:
        kind, shape = columns[name]
        part = place / f"{name}.part"
        with part.open("wb") as file:
            np.lib.format.write_array_header_1_0(
                file, {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
            )
            file.truncate(file.tell() + kind.itemsize * int(np.prod(shape)))
        part.replace(place / f"{name}.npy")


def _finished(done: Path) -> Iterator[tuple[int, int]]:
    """The ranges [first, last) of images that finished chunks hold."""
    for marker in done.iterdir():
        first, _, last = marker.name.partition("-")
        if first.isdecimal() and last.isdecimal():  # not the temporary file of a marker that was being written
            yield int(first), int(last)


def _render_chunk(spec: TwinSpec, size: int, place: Path, start: int, indices: Sequence[int]) -> None:
    """Render some images into their rows (in a worker process), and mark them as done once they are on the disk."""
    people, seed = roster(spec), derive_seed(spec.name, spec.seed)
    for run in _runs(indices):
        columns = {
            name: np.empty((len(run), *shape[1:]), kind) for name, (kind, shape) in _columns(len(spec), size).items()
        }
        for k, index in enumerate(run):
            shown = spec.classes[people.labels[index]]
            rendered = render_image(seed, index, shown, int(people.identities[index]), spec.preset, size)
            columns["images"][k], columns["masks"][k], columns["meta"][k] = (
                rendered.image,
                rendered.masks,
                row(rendered),
            )
        for name, values in columns.items():
            _write_rows(place / f"{name}.npy", run[0], values)
        write_text(place / "done" / f"{run[0]}-{run[-1] + 1}", "")


def _runs(indices: Sequence[int]) -> list[range]:
    """Consecutive numbers as ranges: a resumed rendering may have gaps."""
    if not indices:
        return []
    breaks = [k + 1 for k, (a, b) in enumerate(pairwise(indices)) if b != a + 1]
    return [range(indices[a], indices[b - 1] + 1) for a, b in pairwise([0, *breaks, len(indices)])]


def _write_rows(path: Path, first: int, values: NDArray) -> None:
    with path.open("r+b") as file:
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        file.seek(first * values[0].nbytes, os.SEEK_CUR)
        file.write(values.tobytes())
        file.flush()
        os.fsync(file.fileno())
