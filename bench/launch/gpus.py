"""Which GPU does a worker use, and what share of one does a cell get?  Cells are never split over GPUs."""

from __future__ import annotations


def visible_to(worker: int, gpus: int, ours: str | None) -> str:
    """CUDA_VISIBLE_DEVICES of a worker: GPU number `worker` modulo `gpus`, so that each GPU gets its equal part.

    `ours` is this process's own CUDA_VISIBLE_DEVICES: its entries (numbers or UUIDs) are handed on, never others.
    """
    names = [name.strip() for name in ours.split(",")] if ours else [str(number) for number in range(gpus)]
    return names[worker % gpus]


def share(cells: int, gpus: int) -> float:
    """The part of a GPU that each of `cells` cells at once gets: 1.0, or an equal part where several must share one."""
    return 1.0 / -(-cells // gpus)  # whole cells a GPU, rounded up
