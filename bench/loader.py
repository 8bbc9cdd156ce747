"""Who reads the next batches while the device is at work on this one?  Threads, in order, and never too far ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

# Threads, not processes: what they do (copying rows out of a memory map, drawing) gives Python's lock free, and a batch
# of 38 MB need not travel.  A CPU cell has none: `--jobs` gives its other cores to other cells.
DEFAULT_WORKERS = {"cpu": 0, "cuda": 2}
AHEAD = 2  # batches a worker may be ahead of the device

Part = TypeVar("Part")
Batch = TypeVar("Batch")


def loaded(read: Callable[[Part], Batch], parts: Iterable[Part], workers: int) -> Iterator[Batch]:
    """`read(part)` for each part, in the order of the parts, whatever the number of workers.

    Without workers a part is read when it is asked for.  An error of `read` is raised where its part is asked for;
    what was read ahead of it is dropped.
    """
    if workers <= 0:
        yield from map(read, parts)
        return
    left = iter(parts)
    waiting: deque[Future[Batch]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="loader") as pool:
        try:
            waiting.extend(pool.submit(read, part) for part in islice(left, AHEAD * workers))
            while waiting:
                batch = waiting.popleft().result()
                waiting.extend(pool.submit(read, part) for part in islice(left, 1))
                yield batch
        finally:
            for future in waiting:
                future.cancel()
