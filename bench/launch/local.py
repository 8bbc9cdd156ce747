"""How do cells run on this machine?  One after another here, or several worker processes; a failure stops no other."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from multiprocessing.queues import Queue
from multiprocessing.sharedctypes import Synchronized
from queue import Empty

from bench.device import cuda_count
from bench.launch.gpus import visible_to
from bench.launch.job import Job, Outcome, Progress, give_up, run_job
from bench.orphan import end_with_parent

DEATHS = 2  # a cell whose worker dies this often is given up
POLL_SECONDS = 0.5


def launch(jobs: Sequence[Job], workers: int, progress: Progress) -> Iterator[Outcome]:
    """Run the jobs and yield their outcomes as they end; one worker is this very process.

    Several workers share the GPUs evenly: each sees one of them.
    """
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
    gpus = cuda_count() if any(job.device == "cuda" for job in jobs) else 0
    while left:
        suspects = [name for name in left if deaths[name]]
        batch = [left[name] for name in suspects[:1] or left]  # a suspect runs alone: its next death is its own
        begin = (queue, context.Value("i", 0), gpus)
        pool = ProcessPoolExecutor(min(workers, len(batch)), context, initializer=_begin_worker, initargs=begin)
        try:
            for outcome in _drain(pool, batch, queue, progress):
                del left[outcome.job.cell.name]
                yield outcome
        except BrokenProcessPool:
            for name in _suspects(queue, batch, left, workers):
                deaths[name] += 1
                if deaths[name] >= DEATHS:
                    yield give_up(left.pop(name), f"its worker process died {DEATHS} times (killed, or out of memory)")
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


def _suspects(queue: Queue[tuple[str, int, int]], batch: list[Job], left: dict[str, Job], workers: int) -> list[str]:
    """The cells that may have been running when a worker died: the first of the batch that are left."""
    for _ in _told(queue):
        pass
    return [job.cell.name for job in batch if job.cell.name in left][:workers]


def _stop(pool: ProcessPoolExecutor) -> None:
    """End the workers now: what they were at goes on from its checkpoint."""
    for process in list((pool._processes or {}).values()):
        process.terminate()
    pool.shutdown(wait=True, cancel_futures=True)


_queue: Queue[tuple[str, int, int]] | None = None


def _begin_worker(queue: Queue[tuple[str, int, int]], workers: Synchronized[int], gpus: int) -> None:
    """A worker leaves Ctrl-C to its parent, uses one thread (bench/numeric.py says why), and sees one GPU of `gpus`;
    `workers` counts those that have begun."""
    global _queue
    _queue = queue
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["OMP_NUM_THREADS"] = "1"
    with workers.get_lock():
        number = workers.value
        workers.value += 1
    if gpus:  # torch is not imported yet: it counts the GPUs when it is
        os.environ["CUDA_VISIBLE_DEVICES"] = visible_to(number, gpus, os.environ.get("CUDA_VISIBLE_DEVICES"))


def _work(job: Job) -> Outcome:
    assert _queue is not None
    return run_job(job, lambda *told: _queue.put(told))
