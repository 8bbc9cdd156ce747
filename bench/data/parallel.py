"""How is work over all images spread over processes?  Chunks, a progress bar, and a clean stop on Ctrl-C."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from tqdm import tqdm

from bench.errors import UserError
from bench.orphan import end_with_parent

Item = TypeVar("Item")
Result = TypeVar("Result")

_CHUNK = 64
_ALONE = 512
"""Fewer items than this are done in this process: starting others takes longer than the work."""


def worker_count(wanted: int | None) -> int:
    """`wanted`, or one worker per core that this process may use."""
    if wanted is not None:
        return max(1, wanted)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def over_chunks(
    function: Callable[[int, Sequence[Item]], Result],
    items: Sequence[Item],
    label: str,
    workers: int | None = None,
    progress: bool = True,
) -> Iterator[tuple[int, Result]]:
    """Yield (start, function(start, chunk)) for consecutive chunks of `items`, in any order.

    `function` must be picklable (a module-level function or a partial of one).  An exception in it ends the whole run.
    """
    starts = range(0, len(items), _CHUNK)
    count = worker_count(workers)
    bar = tqdm(
        total=len(items),
        desc=label,
        unit=" images",
        disable=None if progress else True,
        mininterval=0.5,
        smoothing=0.05,
    )
    with bar:
        if count == 1 or len(items) < _ALONE:
            for start in starts:
                chunk = items[start : start + _CHUNK]
                yield start, function(start, chunk)
                bar.update(len(chunk))
            return
        # spawn: the caller may hold threads and locks (torch), which a fork would copy in whatever state they are in
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(count, mp_context=spawn, initializer=_begin_worker) as pool:
            futures = {pool.submit(function, start, items[start : start + _CHUNK]): start for start in starts}
            try:
                for future in as_completed(futures):
                    start = futures.pop(future)
                    yield start, future.result()
                    bar.update(min(_CHUNK, len(items) - start))
            except BrokenProcessPool:
                raise UserError(
                    f"{label}: a worker process was killed, most likely for lack of memory; use fewer workers"
                ) from None
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


def _begin_worker() -> None:
    """Ctrl-C reaches the whole process group, and one message is enough; a parent that is killed takes its workers
    along."""
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
