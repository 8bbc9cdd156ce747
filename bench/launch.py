"""Who runs the cells?  This process one after another, or several worker processes; a cell's failure stops no other."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from multiprocessing.queues import Queue
from pathlib import Path
from queue import Empty
from typing import TYPE_CHECKING, Literal

from bench.data.source import Source
from bench.spec import Cell

if TYPE_CHECKING:
    from bench.data.dataset import Dataset

DEATHS = 2  # a cell whose worker dies this often is given up
POLL_SECONDS = 0.5


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


@dataclass(frozen=True)
class Outcome:
    """How a job ended.  `claimed` means that another process is at it; `line` is the sentence for people."""

    job: Job
    state: Literal["done", "failed", "claimed"]
    line: str
    seconds: float


Progress = Callable[[str, int, int], None]  # (cell name, epochs done, epochs)


def run_job(job: Job, progress: Progress) -> Outcome:
    """Run one cell under a lock: a record or a failure is on disk afterwards, whatever happened."""
    import torch
    from filelock import FileLock, Timeout

    from bench import checkpoint, store
    from bench.cell import Start, run_cell
    from bench.errors import CellError, UserError
    from bench.key import sources
    from bench.numeric import choose_device
    from bench.plan import checkpoint_folder
    from bench.provenance import provenance

    began, name = time.monotonic(), job.cell.name
    folder = checkpoint_folder(job.runs, job.cell)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / "lock", timeout=0):
            device = choose_device(job.device)
            label = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
            try:
                record, predictions = run_cell(
                    job.cell,
                    _dataset(job.source, job.cell.recipe.image_size, job.runs / "cache"),
                    Start(job.key, folder, job.weights, job.weights_sha256, keep_weights=job.keep_weights),
                    device,
                    provenance(label) | {"sources": sources(job.cell.method)},
                    lambda epoch, epochs, _: progress(name, epoch, epochs),
                )
            except (CellError, UserError, ArithmeticError, RuntimeError, ValueError, TypeError, OSError) as error:
                reason = str(error).splitlines()[0] if isinstance(error, CellError | UserError) else _described(error)
                store.save_failure(job.results, store.Failure(name, job.key, reason))
                return Outcome(job, "failed", f"{name} failed: {reason}", time.monotonic() - began)
            store.save(job.results, name, record, predictions)
            checkpoint.clear(folder)
    except Timeout:
        return Outcome(job, "claimed", f"{name} is being run by another process", 0.0)
    last = record.scores["last"]
    seconds = time.monotonic() - began
    return Outcome(job, "done", f"{name}: last epoch {last.correct}/{last.n} correct, {seconds:.0f} s", seconds)


def launch(jobs: Sequence[Job], workers: int, progress: Progress) -> Iterator[Outcome]:
    """Run the jobs and yield their outcomes as they end; one worker is this very process."""
    if workers <= 1:
        for job in jobs:
            yield run_job(job, progress)
    else:
        yield from _in_processes(list(jobs), workers, progress)


def _in_processes(jobs: list[Job], workers: int, progress: Progress) -> Iterator[Outcome]:
    context = get_context("spawn")  # fork after torch has started threads is not safe
    queue: Queue[tuple[str, int, int]] = context.Queue()
    deaths = dict.fromkeys((job.cell.name for job in jobs), 0)
    left = {job.cell.name: job for job in jobs}
    while left:
        pool = ProcessPoolExecutor(min(workers, len(left)), context, initializer=_begin_worker, initargs=(queue,))
        try:
            for outcome in _drain(pool, list(left.values()), queue, progress):
                del left[outcome.job.cell.name]
                yield outcome
        except BrokenProcessPool:
            for name in _suspects(queue, left, workers):
                deaths[name] += 1
                if deaths[name] >= DEATHS:
                    yield _given_up(left.pop(name))
        finally:
            _stop(pool)


def _drain(
    pool: ProcessPoolExecutor, jobs: list[Job], queue: Queue[tuple[str, int, int]], progress: Progress
) -> Iterator[Outcome]:
    pending: set[Future[Outcome]] = {pool.submit(_work, job) for job in jobs}
    while pending:
        finished, pending = wait(pending, POLL_SECONDS, FIRST_COMPLETED)
        for told in _told(queue):
            progress(*told)
        for future in finished:
            yield future.result()


def _told(queue: Queue[tuple[str, int, int]]) -> Iterator[tuple[str, int, int]]:
    try:
        while True:
            yield queue.get_nowait()
    except Empty:
        return


def _suspects(queue: Queue[tuple[str, int, int]], left: dict[str, Job], workers: int) -> list[str]:
    """The cells that may have been running when a worker died: the first of those that are left."""
    for _ in _told(queue):
        pass
    return list(left)[:workers]


def _given_up(job: Job) -> Outcome:
    from bench import store

    reason = f"its worker process died {DEATHS} times (killed, or out of memory)"
    store.save_failure(job.results, store.Failure(job.cell.name, job.key, reason))
    return Outcome(job, "failed", f"{job.cell.name} failed: {reason}", 0.0)


def _stop(pool: ProcessPoolExecutor) -> None:
    """End the workers now: what they were at goes on from its checkpoint."""
    for process in list((pool._processes or {}).values()):
        process.terminate()
    pool.shutdown(wait=True, cancel_futures=True)


_queue: Queue[tuple[str, int, int]] | None = None


def _begin_worker(queue: Queue[tuple[str, int, int]]) -> None:
    """A worker leaves Ctrl-C to its parent, and uses one thread (bench/numeric.py says why)."""
    global _queue
    _queue = queue
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["OMP_NUM_THREADS"] = "1"


def _work(job: Job) -> Outcome:
    assert _queue is not None
    return run_job(job, lambda *told: _queue.put(told))


@cache
def _dataset(source: Source, size: int, folder: Path) -> Dataset:
    """The images of a source, opened once a process."""
    from bench.data.source import open_source

    return open_source(source, size, folder)


def _described(error: Exception) -> str:
    """An error that nobody foresaw, with the place where it rose: a cell's failure must be findable."""
    import traceback

    frame = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]} ({Path(frame.filename).name}:{frame.lineno})"
    )
