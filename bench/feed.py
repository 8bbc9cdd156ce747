"""How do images reach the device?  Resident on a GPU that has room for them, else each batch out of the memory map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.data.augment import IMAGENET_MEAN, IMAGENET_STD, augment, gather_rows, normalisation_table, plain
from bench.data.dataset import Dataset
from bench.data.draws import AugmentSpec, draw
from bench.numeric import Arithmetic

RESIDENT_SHARE = 0.5  # of the GPU's free memory that a split's images may take; the rest is the network's
UPLOAD_IMAGES = 4096  # at a time, so that uploading AffectNet (43 GB) takes 0.6 GB of host memory


@dataclass(frozen=True)
class Feed:
    """Some rows of a split, ready to be batched.

    `images` (n, S, S, 3) are the split's, usually a memory map; `resident` are the same on the GPU, or None; position i
    of this feed is row `rows[i]` of them.  Augmentation draws are keyed by position, never by batch or worker.
    """

    images: NDArray[np.uint8]
    rows: NDArray[np.int64]
    resident: Tensor | None
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
        draws = on_device(draw(spec, seed, epoch, positions, repeats), self.arithmetic.device)
        return augment(images, index, draws, self.table, memory_format=self.arithmetic.memory_format)

    def _stored(self, positions: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        device = self.arithmetic.device
        if self.resident is not None:
            return self.resident, on_device(self.rows[positions], device)
        batch = gather_rows(self.images, self.rows[positions], pin=device.type == "cuda")
        return batch.to(device, non_blocking=True), torch.arange(len(positions), device=device)


class Origin(NamedTuple):
    """Which images a tensor on the GPU holds: the digest of their dataset, their size in pixels, their split."""

    digest: str
    size: int
    split: str


class Residents:
    """The splits of one dataset that are on the GPU, for as long as cells of that dataset follow each other."""

    def __init__(self) -> None:
        self._held: dict[Origin, Tensor] = {}

    def get(self, images: NDArray[np.uint8], origin: Origin, device: torch.device) -> Tensor | None:
        """The whole split on `device`, uploaded the first time; None where it does not fit.  Another dataset takes the
        place of the one before it."""
        if any(held[:2] != origin[:2] for held in self._held):
            self._held.clear()
        found = self._held.get(origin)
        if found is None and images.nbytes < RESIDENT_SHARE * free_bytes(device):
            found = self._held[origin] = uploaded(images, device)
        return found


_residents = Residents()  # one a process: cells that follow each other share what is on the GPU


def feed(dataset: Dataset, split: str, rows: NDArray[np.int64], arithmetic: Arithmetic) -> Feed:
    """The rows of a dataset's `train` or `test` split; on a CPU the memory map is the memory."""
    images, device = (dataset.train if split == "train" else dataset.test).images, arithmetic.device
    origin = Origin(dataset.digest, images.shape[1], split)
    resident = _residents.get(images, origin, device) if device.type == "cuda" else None
    return Feed(images, rows, resident, normalisation_table(IMAGENET_MEAN, IMAGENET_STD).to(device), arithmetic)


def on_device(values: NDArray[Any], device: torch.device) -> Tensor:
    """A small array as a tensor on the device.  Page-locked for a GPU: only so does the host not wait for the copy, and
    with it for all that the GPU has yet to do."""
    tensor = torch.from_numpy(values)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor


def free_bytes(device: torch.device) -> int:
    """What a GPU has free, without what torch keeps for later; a CPU's memory map takes nothing."""
    if device.type != "cuda":
        return 0
    torch.cuda.empty_cache()
    return torch.cuda.mem_get_info(device)[0]


def uploaded(images: NDArray[np.uint8], device: torch.device) -> Tensor:
    """A copy of `images` (n, S, S, 3) on the device, made piece by piece."""
    result = torch.empty(images.shape, dtype=torch.uint8, device=device)
    for start in range(0, len(images), UPLOAD_IMAGES):
        stop = min(start + UPLOAD_IMAGES, len(images))
        result[start:stop].copy_(gather_rows(images, np.arange(start, stop)))
    return result
