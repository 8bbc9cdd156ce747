"""Which cell do the gates run, kill and run again?  A small one on noise, in a process of its own.

python -m bench.perf.cell FOLDER DEVICE [WAY]    prints the epochs that are done, and the record's digest last
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Literal
from unittest.mock import patch

import numpy as np
import torch

from bench import captured, feed, predict
from bench.cell import Report, Start, run_cell
from bench.data.dataset import Dataset, Split
from bench.numeric import Arithmetic
from bench.recipe import Recipe
from bench.spec import Cell

CLASSES, SIZE = ("a", "b", "c"), 32
TRAIN, TEST = 40, 90  # four batches and one that is not full; several evaluation batches, the last of them not full
# How the steps are taken: those of `faithful`, of `fast` as they come, step by step, or compiled as in a long cell.
Way = Literal["faithful", "fast", "fast-plain", "fast-compiled"]


def noise(count: int, seed: int) -> Split:
    """Images whose brightness tells the class."""
    random = np.random.default_rng(seed)
    labels = (np.arange(count) % len(CLASSES)).astype(np.int64)
    pixels = 60 + 60 * labels[:, None, None, None] + random.normal(0, 30, (count, SIZE, SIZE, 3))
    ids = np.array([f"{seed}-{i}" for i in range(count)])
    return Split(np.clip(pixels, 0, 255).astype(np.uint8), labels, labels * 0 - 1, ids)


def digest(
    folder: Path,
    device: torch.device,
    report: Report | None = None,
    workers: int | None = None,
    way: Way = "faithful",
) -> str:
    """The record digest of the cell, trained from what lies in `folder` (its checkpoints) to the end.

    `workers` threads read ahead (None: what the device calls for).
    """
    recipe = Recipe(image_size=SIZE, epochs=4, batch_size=9, numeric="faithful" if way == "faithful" else "fast")
    method = "resnet18" if way == "fast-compiled" else "dan"  # DAN takes the compiler twice as long
    cell = Cell("rafdb", method, (), "paper", "quick", 0, "none", recipe)
    dataset = Dataset("rafdb", CLASSES, noise(TRAIN, 1), noise(TEST, 2), "noise")
    start = Start("key", folder, checkpoint_seconds=0, loader_workers=workers)
    with _taking(way):
        return run_cell(cell, dataset, start, device, {}, report)[0].digest


def digest_of_map(folder: Path, device: torch.device, workers: int) -> str:
    """The same digest where a GPU has no room for the images, so that `workers` threads copy them out of the map."""
    with patch.object(feed, "RESIDENT_SHARE", 0.0), patch.object(feed, "_residents", feed.Residents()):
        return digest(folder, device, workers=workers)


def digest_in_batches(folder: Path, device: torch.device, images: int) -> str:
    """The same digest where so many images are answered at once."""
    with patch.dict(predict.LARGEST, {device.type: images}):
        return digest(folder, device)


def _taking(way: Way) -> AbstractContextManager[Any]:
    if way == "fast-plain":
        return patch.object(Arithmetic, "captures", False)
    if way == "fast-compiled":
        return patch.object(captured, "COMPILED_STEPS_FROM", 0)
    return nullcontext()


def main(folder: str, device: str, way: Way = "faithful") -> None:
    found = digest(Path(folder), torch.device(device), lambda epoch, epochs, _: print(epoch, flush=True), way=way)
    print(found, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])  # type: ignore[arg-type]
