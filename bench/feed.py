"""How do images reach the device?  Resident where they fit, else the rows of each batch out of the memory map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.data.augment import IMAGENET_MEAN, IMAGENET_STD, augment, gather_rows, normalisation_table, plain
from bench.data.draws import AugmentSpec, draw
from bench.numeric import Arithmetic

RESIDENT_SHARE = 0.5  # of the GPU's free memory that images may take; the rest is the network's


@dataclass(frozen=True)
class Feed:
    """Some rows of a split, ready to be batched.

    `pixels` is what is on the device (n, S, S, 3), or None; `source` the memory map and `rows` (n,) the rows of it that
    position i of this feed means.  Augmentation draws are keyed by position, never by batch or worker.
    """

    source: NDArray[np.uint8]
    rows: NDArray[np.int64]
    pixels: Tensor | None
    table: Tensor
    arithmetic: Arithmetic

    def __len__(self) -> int:
        return len(self.rows)

    def plain(self, positions: NDArray[np.int64]) -> Tensor:
        """Normalised images (B, 3, S, S) of these positions."""
        images, index = self._stored(positions)
        return plain(images, index, self.table, memory_format=self.arithmetic.memory_format)

    def augmented(
        self, positions: NDArray[np.int64], repeats: NDArray[np.int64], spec: AugmentSpec, seed: int, epoch: int
    ) -> Tensor:
        """Augmented, normalised images (B, 3, S, S); a function of (seed, epoch, position, repeat) for each image."""
        images, index = self._stored(positions)
        draws = torch.from_numpy(draw(spec, seed, epoch, positions, repeats)).to(self.arithmetic.device)
        return augment(images, index, draws, self.table, memory_format=self.arithmetic.memory_format)

    def _stored(self, positions: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        device = self.arithmetic.device
        if self.pixels is not None:
            return self.pixels, torch.from_numpy(positions).to(device)
        batch = gather_rows(self.source, self.rows[positions], pin=device.type == "cuda")
        return batch.to(device, non_blocking=True), torch.arange(len(positions), device=device)


def feed(source: NDArray[np.uint8], rows: NDArray[np.int64], arithmetic: Arithmetic) -> Feed:
    """Upload the rows where the GPU has room for them; on a CPU the memory map is the memory."""
    device = arithmetic.device
    pixels = None
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        if source[:1].nbytes * len(rows) < RESIDENT_SHARE * free:
            pixels = gather_rows(source, rows).to(device)
    table = normalisation_table(IMAGENET_MEAN, IMAGENET_STD).to(device)
    return Feed(source, rows, pixels, table, arithmetic)
