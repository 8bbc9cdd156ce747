"""How does the cost of a cell grow?  With images, batch size, heads and seeds, each alone, in one process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from bench.data.dataset import Dataset
from bench.data.draws import PAPER_SIZE
from bench.numeric import arithmetic
from bench.perf import clock, work
from bench.perf.cell import SIZE, noise
from bench.perf.plan import Sizes
from bench.perf.work import TWIN


@dataclass(frozen=True)
class Point:
    """Seconds of the device's clock for an image (`axis` images, batch, heads) or for a cell (`axis` seeds): the
    median, smallest and largest over the rounds."""

    axis: str
    value: int
    unit: str
    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Axes:
    size: int
    images: tuple[int, ...]
    batch: tuple[int, ...]
    heads: tuple[int, ...]
    seeds: tuple[int, ...]
    usual_images: int
    usual_batch: int
    rounds: int


CPU = Axes(48, (32, 64, 128), (8, 16, 32, 64), (1, 2, 4, 8), (1, 2, 4), 64, 32, 3)
CUDA = Axes(PAPER_SIZE, (1024, 2048, 4096, 8192), (64, 128, 256, 512), (1, 2, 4, 8), (1, 2, 4, 8), 2048, 256, 3)
QUICK = Axes(SIZE, (8, 16), (4, 8), (1, 2), (1, 2), 16, 8, 1)


def scaling(device: torch.device, quick: bool, say: Callable[[str], None]) -> tuple[Point, ...]:
    """One point for each value of each axis; the other axes stay at their usual value."""
    axes = QUICK if quick else CUDA if device.type == "cuda" else CPU
    tick = clock.clock_of(device.type)[1]
    numeric = "fast" if device.type == "cuda" else "faithful"
    points = []
    for axis, values in (("images", axes.images), ("batch", axes.batch), ("heads", axes.heads)):
        say(f"scaling with {axis}")
        usual = {"images": axes.usual_images, "batch": axes.usual_batch, "heads": 4}
        contenders = {
            str(value): _epoch(axes.size, **(usual | {axis: value}), numeric=numeric, device=device) for value in values
        }
        for value, rates in clock.interleaved(contenders, axes.rounds, tick).items():
            found = clock.rate([1 / one for one in rates])
            points.append(Point(axis, int(value), "seconds an image", found.median, found.low, found.high))
    say("scaling with seeds")
    for count in axes.seeds:
        seconds = [_cells(axes, count, numeric, device, tick) / count for _ in range(axes.rounds)]
        found = clock.rate(seconds)
        points.append(Point("seeds", count, "seconds a cell of one epoch", found.median, found.low, found.high))
    return tuple(points)


def _dataset(images: int, size: int) -> Dataset:
    split = noise(images, 1)
    pixels = np.resize(split.images, (images, size, size, 3))
    return Dataset(TWIN, ("a", "b", "c"), replace(split, images=pixels), noise(3, 2), f"noise-{images}-{size}")


def _epoch(size: int, images: int, batch: int, heads: int, numeric: str, device: torch.device) -> clock.Work:
    dataset = _dataset(images, size)
    sizes = Sizes(images, size, batch, 0, 0, 0, 0, 0, 0, 0)
    of = replace(work.cell("dan", sizes, numeric), variant=(("heads", heads),) if heads != 4 else ())
    with arithmetic(numeric, device) as numbers:
        inner = work.harness_epoch(work.trainee(of, dataset, numbers), dataset, numbers)

    def run() -> int:
        with arithmetic(numeric, device):
            return inner()

    return run


def _cells(axes: Axes, count: int, numeric: str, device: torch.device, tick: Callable[[], float]) -> float:
    """Seconds of `count` whole cells of one epoch, seed after seed: build, train, predict, score."""
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from bench.cell import Start, run_cell

    dataset = _dataset(axes.usual_images, axes.size)
    test = noise(16, 2)
    dataset = replace(dataset, test=replace(test, images=np.resize(test.images, (16, axes.size, axes.size, 3))))
    sizes = Sizes(axes.usual_images, axes.size, axes.usual_batch, 0, 0, 0, 0, 0, 0, 0)
    with TemporaryDirectory() as folder:
        began = tick()
        for seed in range(count):
            of = replace(work.cell("dan", sizes, numeric), seed=seed)
            run_cell(of, dataset, Start("key", Path(folder)), device, {})
        return tick() - began
