"""How does one cell run to its end, whoever runs it?  Under a lock, leaving a record or a failure and its reason."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bench.data.source import Source
from bench.launch.claim import claimed
from bench.launch.reason import DISK_FAULTS, described, disk_error, keeping, one_line, unreadable, without_folders
from bench.spec import Cell

if TYPE_CHECKING:
    from bench.data.dataset import Dataset


@dataclass(frozen=True)
class Job:
    """Everything that another process needs to run a cell."""

    cell: Cell
    key: str
    source: Source
    results: Path
    runs: Path
    device: str
    weights: Path | None
    weights_sha256: str | None
    keep_weights: bool
    checkpoint_seconds: float | None = None  # between two checkpoints; None is bench/cell.py's own
    loader_workers: int | None = None  # threads that read batches ahead; None is what the device calls for


@dataclass(frozen=True)
class Outcome:
    """How a job ended.  `claimed` means that another process is at it; `line` is the sentence for people."""

    job: Job
    state: Literal["done", "failed", "claimed"]
    line: str
    seconds: float


Progress = Callable[[str, int, int], None]  # (cell name, epochs done, epochs)


def run_job(job: Job, progress: Progress, patience: float = 0.0) -> Outcome:
    """Run one cell under a claim: a record or a failure is on disk afterwards, whatever happened.

    `patience` is how many seconds to wait for a cell that another process holds.  Raises UserError where the disk takes
    no more: the other cells could not be kept either.
    """
    from filelock import Timeout

    from bench import store
    from bench.plan import checkpoint_folder

    began, name = time.monotonic(), job.cell.name
    folder = checkpoint_folder(job.runs, job.cell)
    try:
        with claimed(job.results, folder, name, patience):
            held = store.load(job.results, name)  # another process may have finished it since the plan was made
            if held is not None and held.key == job.key:
                return Outcome(job, "done", f"{name}: finished by another process", 0.0)
            return _run(job, folder, progress, began)
    except Timeout:
        return Outcome(job, "claimed", f"{name} is being run by another process", 0.0)


def give_up(job: Job, reason: str) -> Outcome:
    """The outcome of a job that nobody can bring to its end; the failure is on disk."""
    from bench import store

    with keeping(job.results):
        store.save_failure(job.results, store.Failure(job.cell.name, job.key, reason))
    return Outcome(job, "failed", f"{job.cell.name} failed: {reason}", 0.0)


def _run(job: Job, folder: Path, progress: Progress, began: float) -> Outcome:
    import torch

    from bench import checkpoint, store
    from bench.cell import Start, run_cell
    from bench.errors import CellError, UserError
    from bench.key import sources
    from bench.numeric import choose_device
    from bench.provenance import provenance

    name = job.cell.name
    start = Start(
        job.key,
        folder,
        job.weights,
        job.weights_sha256,
        keep_weights=job.keep_weights,
        loader_workers=job.loader_workers,
    )
    if job.checkpoint_seconds is not None:
        start = replace(start, checkpoint_seconds=job.checkpoint_seconds)
    device = choose_device(job.device)
    label = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    try:
        dataset = _dataset(job.source, job.cell.recipe.image_size, job.runs / "cache")
    except (UserError, OSError) as error:
        said = one_line(error) if isinstance(error, UserError) else described(error)
        return _failed(job, unreadable(job.source.name), said, began)
    try:
        record, predictions = run_cell(
            job.cell,
            dataset,
            start,
            device,
            provenance(label) | {"sources": sources(job.cell.method, job.cell.recipe.numeric)},
            lambda epoch, epochs, _: progress(name, epoch, epochs),
        )
    except (CellError, UserError, ArithmeticError, RuntimeError, ValueError, TypeError, OSError) as error:
        if isinstance(error, OSError) and error.errno in DISK_FAULTS:
            raise disk_error(job.runs, error) from None
        said = one_line(error) if isinstance(error, CellError | UserError) else described(error)
        return _failed(job, without_folders(said, _folders(job)), said, began)
    with keeping(job.results):
        store.save(job.results, name, record, predictions)
    checkpoint.clear(folder)
    last, seconds = record.scores["last"], time.monotonic() - began
    peak = record.provenance["peak_memory_bytes"] / 2**30
    lost = " (all of one class: the training collapsed)" if last.collapsed else ""
    line = f"{name}: last epoch {last.correct}/{last.n} correct{lost}, {seconds:.0f} s, peak memory {peak:.2f} GiB"
    return Outcome(job, "done", line, seconds)


def _folders(job: Job) -> dict[str, Path | None]:
    """The folders that a person named, by the option that names them."""
    weights = job.weights.parent if job.weights else None
    return {"--root": job.source.root, "--results": job.results, "--runs": job.runs, "--pretrained": weights}


def _failed(job: Job, reason: str, said: str, began: float) -> Outcome:
    """A failure: `reason` is kept in the results, `said` is told to the person at the screen."""
    from bench import store

    with keeping(job.results):
        store.save_failure(job.results, store.Failure(job.cell.name, job.key, reason))
    return Outcome(job, "failed", f"{job.cell.name} failed: {said}", time.monotonic() - began)


@cache
def _dataset(source: Source, size: int, folder: Path) -> Dataset:
    """The images of a source, opened once a process."""
    from bench.data.source import open_source

    return open_source(source, size, folder)
