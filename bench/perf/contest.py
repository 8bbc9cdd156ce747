"""How are contenders of a ratio set up, and how is what was found written down?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from bench.numeric import Arithmetic, arithmetic
from bench.perf import clock
from bench.perf.clock import Rate, Ratio, Work
from bench.perf.plan import Sizes

GOALS = {
    "cpu": {"A": 1.0, "B": 0.97, "D": 0.98},
    "cuda": {"A": 8.0, "B": 0.95, "C": 1.0, "C compiled": 1.15, "D": 0.90},
}
STEPS = {"cpu": 3, "cuda": 5}  # on one batch; more than the WARM_STEPS after which a GPU captures


@dataclass(frozen=True)
class Row:
    """One comparison: `ours` over `theirs` (their rates in images per second of the clock), and what is aimed at.

    `goal` is None where the row only informs; `note` says what was done."""

    name: str
    title: str
    ratio: Ratio
    ours: Rate
    theirs: Rate
    goal: float | None
    note: str


@dataclass(frozen=True)
class Absent:
    """A comparison that could not be made here, and why."""

    name: str
    title: str
    reason: str


class Contest:
    """What all comparisons of one run share: a device, a clock, sizes, goals."""

    def __init__(self, device: torch.device, sizes: Sizes) -> None:
        self.device, self.sizes = device, sizes
        self.clock = clock.clock_of(device.type)[1]
        self.goals = GOALS[device.type]
        self.count = STEPS[device.type]

    def row(
        self, name: str, title: str, samples: dict[str, list[float]], ours: str, theirs: str, note: str = ""
    ) -> Row:
        ratio = clock.ratio(samples[ours], samples[theirs])
        return Row(
            name, title, ratio, clock.rate(samples[ours]), clock.rate(samples[theirs]), self.goals.get(name), note
        )

    def under(self, numeric: str, made: Callable[[Arithmetic], Work], *, deterministic: bool | None = None) -> Work:
        """The work that `made` gives, in a numeric mode, which is set up and taken back around every call.

        `deterministic`, where given, overrides the mode: the algorithms alone change, not the formats.
        """
        with arithmetic(numeric, self.device) as numbers:
            inner = made(numbers)

        def run() -> int:
            with arithmetic(numeric, self.device), algorithms(deterministic):
                return inner()

        return run


def filled(inner: Work) -> Work:
    """`inner` where deterministic algorithms fill new memory before it is written (torch.utils.deterministic)."""

    def run() -> int:
        switches: Any = torch.utils.deterministic
        before = switches.fill_uninitialized_memory
        switches.fill_uninitialized_memory = True
        try:
            return inner()
        finally:
            switches.fill_uninitialized_memory = before

    return run


@contextmanager
def algorithms(deterministic: bool | None) -> Iterator[None]:
    """Deterministic algorithms, or whatever is fastest (cuDNN searches); None leaves them as they are."""
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    if deterministic is not None:
        torch.use_deterministic_algorithms(deterministic)
        torch.backends.cudnn.benchmark = not deterministic
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.backends.cudnn.benchmark = before[1]
