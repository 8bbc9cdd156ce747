"""Which cell do the gates run, kill and run again?  A small DAN on noise, in a process of its own.

python -m bench.perf.cell FOLDER DEVICE    prints the epochs that are done, and the record's digest last
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

from bench.cell import Report, Start, run_cell
from bench.data.dataset import Dataset, Split
from bench.recipe import Recipe
from bench.spec import Cell

CLASSES, SIZE = ("a", "b", "c"), 32


def noise(count: int, seed: int) -> Split:
    """Images whose brightness tells the class."""
    random = np.random.default_rng(seed)
    labels = (np.arange(count) % len(CLASSES)).astype(np.int64)
    pixels = 60 + 60 * labels[:, None, None, None] + random.normal(0, 30, (count, SIZE, SIZE, 3))
    ids = np.array([f"{seed}-{i}" for i in range(count)])
    return Split(np.clip(pixels, 0, 255).astype(np.uint8), labels, labels * 0 - 1, ids)


def digest(folder: Path, device: torch.device, report: Report | None = None) -> str:
    """The record digest of the cell, trained from what lies in `folder` (its checkpoints) to the end."""
    recipe = Recipe(image_size=SIZE, epochs=4, batch_size=12)
    cell = Cell("rafdb", "dan", (), "paper", "quick", 0, "none", recipe)
    dataset = Dataset("rafdb", CLASSES, noise(36, 1), noise(18, 2), "noise")
    return run_cell(cell, dataset, Start("key", folder, checkpoint_seconds=0), device, {}, report)[0].digest


def main(folder: str, device: str) -> None:
    print(digest(Path(folder), torch.device(device), lambda epoch, epochs, _: print(epoch, flush=True)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
