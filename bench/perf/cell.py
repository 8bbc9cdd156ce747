"""Which cell do the gates run, kill and run again?  A small DAN on noise, in a process of its own.

python -m bench.perf.cell FOLDER DEVICE    prints the epochs that are done, and the record's digest last
"""

from __future__ import annotations

import sys
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch

from bench import feed, predict
from bench.cell import Report, Start, run_cell
from bench.data.dataset import Dataset, Split
from bench.recipe import Recipe
from bench.spec import Cell

CLASSES, SIZE = ("a", "b", "c"), 32
TRAIN, TEST = 36, 90  # TEST: several evaluation batches, the last of which is not full


def noise(count: int, seed: int) -> Split:
    """Images whose brightness tells the class."""
    random = np.random.default_rng(seed)
    labels = (np.arange(count) % len(CLASSES)).astype(np.int64)
    pixels = 60 + 60 * labels[:, None, None, None] + random.normal(0, 30, (count, SIZE, SIZE, 3))
    ids = np.array([f"{seed}-{i}" for i in range(count)])
    return Split(np.clip(pixels, 0, 255).astype(np.uint8), labels, labels * 0 - 1, ids)


def digest(folder: Path, device: torch.device, report: Report | None = None, workers: int | None = None) -> str:
    """The record digest of the cell, trained from what lies in `folder` (its checkpoints) to the end.

    `workers` threads read ahead (None: what the device calls for).
    """
    recipe = Recipe(image_size=SIZE, epochs=4, batch_size=12)
    cell = Cell("rafdb", "dan", (), "paper", "quick", 0, "none", recipe)
    dataset = Dataset("rafdb", CLASSES, noise(TRAIN, 1), noise(TEST, 2), "noise")
    start = Start("key", folder, checkpoint_seconds=0, loader_workers=workers)
    return run_cell(cell, dataset, start, device, {}, report)[0].digest


def digest_of_map(folder: Path, device: torch.device, workers: int) -> str:
    """The same digest where a GPU has no room for the images, so that `workers` threads copy them out of the map."""
    with patch.object(feed, "RESIDENT_SHARE", 0.0), patch.object(feed, "_residents", feed.Residents()):
        return digest(folder, device, workers=workers)


def digest_in_batches(folder: Path, device: torch.device, images: int) -> str:
    """The same digest where so many images are answered at once."""
    with patch.dict(predict.LARGEST, {device.type: images}):
        return digest(folder, device)


def main(folder: str, device: str) -> None:
    print(digest(Path(folder), torch.device(device), lambda epoch, epochs, _: print(epoch, flush=True)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
