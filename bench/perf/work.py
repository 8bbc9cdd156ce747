"""What is timed?  The harness's own epoch, its step on one resident batch, the reference's epoch; on the same files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.captured import COMPILED_STEPS_FROM
from bench.cell import build
from bench.data.cache import open_dataset
from bench.data.catalog import info
from bench.data.dataset import Dataset
from bench.data.draws import decide, preset
from bench.data.listing import Listing
from bench.data.read import read
from bench.data.twin.export import export
from bench.data.twin.population import spec
from bench.feed import Feed, feed
from bench.method import Batch, Method
from bench.numeric import Arithmetic
from bench.optim import build_optimizer
from bench.perf import official
from bench.perf.clock import Work
from bench.perf.plan import Sizes
from bench.recipe import Recipe, recipe
from bench.spec import Cell
from bench.stepper import Stepper
from bench.train import stepper, train_epoch

TWIN = "rafdb-twin"
# Images that a cell trains on in all epochs: what `fast` compiles depends on it.
RAFDB_CELL = sum(info("rafdb").train) * recipe("rafdb", "full").epochs
LONG_CELL = COMPILED_STEPS_FROM  # and more, as AffectNet's are


@dataclass(frozen=True)
class Scene:
    """The same images twice: as files with their `listing`, and in the harness's cache."""

    listing: Listing
    dataset: Dataset
    cache: Path


@contextmanager
def scene(sizes: Sizes) -> Iterator[Scene]:
    """Rendered faces as JPEG files in a temporary folder, and their cache."""
    with TemporaryDirectory(prefix="dan-bench-perf-") as folder:
        root = Path(folder) / "twin"
        export(spec(TWIN, "quick", count=sizes.images * 5 // 4), root, progress=False)  # a fifth is the test split
        listing = read(TWIN, root)
        cache = Path(folder) / "cache"
        yield Scene(listing, open_dataset(listing, sizes.size, cache, progress=False), cache)


def cell(method: str, sizes: Sizes, numeric: str = "faithful", **changes: object) -> Cell:
    """A cell of RAF-DB's recipe at the sizes that are timed."""
    # A small rate: the same few images come again and again, and no run may end in an infinite loss.
    timed = Recipe(image_size=sizes.size, batch_size=sizes.batch, epochs=1, lr=1e-3)
    return Cell(TWIN, method, (), "paper", "full", 0, "none", replace(timed, numeric=numeric, **changes))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Trainee:
    """A method with its optimiser, as a cell has them."""

    method: Method
    optimizer: torch.optim.Optimizer
    recipe: Recipe

    def steps(self, numbers: Arithmetic, images: int = RAFDB_CELL) -> Stepper:
        """As a cell that trains on `images` in all takes them on this device."""
        return stepper(self.method, self.optimizer, self.recipe, numbers, images)

    def step_by_step(self, numbers: Arithmetic) -> Stepper:
        """Nothing captured, nothing compiled."""
        return Stepper(self.method, self.optimizer, self.recipe, numbers)


def trainee(of: Cell, dataset: Dataset, numbers: Arithmetic) -> Trainee:
    method = build(of, len(dataset.classes), dataset.train.labels, None, numbers)
    return Trainee(method, build_optimizer(method, of.recipe), of.recipe)


def harness_epoch(who: Trainee, dataset: Dataset, numbers: Arithmetic) -> Work:
    """An epoch of the harness, its images uploaded beforehand where there is a GPU."""
    rows: NDArray[np.int64] = np.arange(len(dataset.train))
    images = feed(dataset, "train", rows, numbers)
    steps = who.steps(numbers)

    def work() -> int:
        return train_epoch(steps, images, dataset.train.labels, 0, 1).train_n

    return work


def resident_steps(steps: Stepper, images: Tensor, labels: Tensor, count: int) -> Work:
    """`count` steps, all on one batch that is on the device already."""
    batch = Batch(images, labels, torch.arange(len(labels), device=labels.device), 1)

    def work() -> int:
        steps.method.train()
        for _ in range(count):
            steps.take(batch)
        return count * len(labels)

    return work


def one_batch(dataset: Dataset, size: int, numbers: Arithmetic, image_size: int | None = None) -> tuple[Tensor, Tensor]:
    """Normalised images (size, 3, S, S) in the arithmetic's layout, and labels, on the device.  Where another
    `image_size` is asked for, noise: a step's cost does not depend on what it sees."""
    labels = torch.from_numpy(np.resize(dataset.train.labels, size)).to(numbers.device)
    if image_size is None or image_size == dataset.train.images.shape[1]:
        rows: NDArray[np.int64] = np.arange(len(dataset.train))
        images = feed(dataset, "train", rows, numbers).plain(np.resize(rows, size))
    else:
        noise = torch.randn(size, 3, image_size, image_size, generator=torch.Generator().manual_seed(0))
        images = noise.to(numbers.device).contiguous(memory_format=numbers.memory_format)
    return images, labels


def reference_epoch(who: Trainee, where: Scene, sizes: Sizes, device: torch.device) -> Work:
    """An epoch of the usual loop, with an optimiser as the usual script makes it."""
    files = official.Files(where.listing.root, where.listing.train, official.official_transform(sizes.size))
    batches = official.loader(files, sizes.batch, sizes.workers, device)
    rates = who.recipe
    optimizer = torch.optim.SGD(
        who.method.parameters(), rates.lr, momentum=rates.momentum, weight_decay=rates.weight_decay
    )
    return as_torch_comes(device, lambda: official.epoch(who.method, optimizer, batches, device))


def as_torch_comes(device: torch.device, work: Work) -> Work:
    """`work` under torch's own defaults, with cuDNN's search for the fastest kernel as the official script asks for."""

    def run() -> int:
        before = torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32
        torch.backends.cudnn.benchmark = torch.backends.cudnn.allow_tf32 = True
        try:
            return work()
        finally:
            torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32 = before

    return run


def data_paths(where: Scene, sizes: Sizes, numbers: Arithmetic) -> dict[str, Work]:
    """The data path alone, ours and the usual one, one image after another in one process, in batches."""
    dataset = open_dataset(where.listing, sizes.data_size, where.cache, progress=False)
    count = min(sizes.data_images, len(dataset.train))
    rows: NDArray[np.int64] = np.arange(count)
    images, augment = feed(dataset, "train", rows, numbers), preset("rafdb", sizes.data_size)
    files = official.Files(
        where.listing.root, where.listing.train[:count], official.official_transform(sizes.data_size)
    )
    batches = official.loader(files, sizes.batch, 0, torch.device("cpu"))
    return {
        "ours": lambda: sum(
            len(images.augmented(part, np.zeros_like(part), augment, 0, 1))
            for part in np.split(rows, range(sizes.batch, count, sizes.batch))
        ),
        "theirs": lambda: sum(len(labels) for _, labels in batches),
    }


def values_that_differ(where: Scene, name: str, size: int, count: int, numbers: Arithmetic) -> int:
    """How many values of `count` augmented images differ from PIL and torchvision on the same draws."""
    dataset = open_dataset(where.listing, size, where.cache, progress=False)
    augment, positions = preset(name, size), np.arange(count)
    rows = positions % len(dataset.train)
    drawn = decide(augment, 0, 1, positions)
    found = Feed(dataset.train.images, rows, None, feed(dataset, "train", rows, numbers).table, numbers)
    ours = found.augmented(positions, np.zeros_like(positions), augment, 0, 1).cpu()
    theirs = [official.on_given_draws(dataset.train.images[rows[i]], augment, drawn, i) for i in range(count)]
    return int((ours != torch.stack(theirs)).sum())
