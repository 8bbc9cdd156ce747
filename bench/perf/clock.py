"""How are two ways of doing the same work timed fairly?  In turns, after a warm-up, compared within each round."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Work = Callable[[], int]  # does the work and returns how many images it took


@dataclass(frozen=True)
class Rate:
    """Images per second of one contender: the median over rounds, and the smallest and largest."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Ratio:
    """How much faster one contender is than another: median, smallest and largest of the ratios of each round."""

    median: float
    low: float
    high: float
    rounds: int


def interleaved(contenders: Mapping[str, Work], rounds: int, clock: Callable[[], float]) -> dict[str, list[float]]:
    """Images per second by `clock` (a function of no argument, in seconds) of each contender in each round.

    All contenders run once unmeasured, then in every round, each round beginning with another one: what slows the
    machine down for a while slows all of them down.
    """
    names = list(contenders)
    for name in names:
        contenders[name]()
    found: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            began = clock()
            images = contenders[name]()
            found[name].append(images / (clock() - began))
    return found


def rate(samples: list[float]) -> Rate:
    return Rate(statistics.median(samples), min(samples), max(samples))


def ratio(ours: list[float], theirs: list[float]) -> Ratio:
    """The ratios of two contenders that were measured in the same rounds."""
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    return Ratio(statistics.median(ratios), min(ratios), max(ratios), len(ratios))


def clock_of(device: str) -> tuple[str, Callable[[], float]]:
    """The clock for a device and its name: wall time once a GPU is done with its work; a CPU's own process time, which
    other processes on the machine do not stretch."""
    if device == "cpu":
        return "process CPU time", time.process_time

    def when_done() -> float:
        import torch

        torch.cuda.synchronize()
        return time.perf_counter()

    return "wall time", when_done
