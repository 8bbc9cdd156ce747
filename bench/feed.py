"""How do images reach the device?  Resident on a GPU that has room for them, else each batch out of the memory map.

A batch is made in two parts: the host's (rows out of the map, draws), which a loader's threads may do ahead of time,
and the device's (augmentation, normalisation).  Neither depends on who does it, or when.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.data.augment import IMAGENET_MEAN, IMAGENET_STD, augment, gather_rows, normalisation_table, plain
from bench.data.dataset import Dataset
from bench.data.draws import AugmentSpec, draw
from bench.loader import DEFAULT_WORKERS
from bench.numeric import Arithmetic

RESIDENT_SHARE = 0.5  # of the GPU's free memory that a split's images may take; the rest is the network's
UPLOAD_IMAGES = 4096  # at a time, so that uploading AffectNet (43 GB) takes 0.6 GB of host memory


@dataclass(frozen=True)
class HostBatch:
    """The host's part of a batch, page-locked where there is a GPU.

    `images` (B, S, S, 3) were copied out of the memory map, None where the split is on the GPU; `index` (B,) are its
    rows there; `draws` (B, 13) say how to augment, None for not at all.
    """

    images: Tensor | None
    index: Tensor
    draws: Tensor | None


@dataclass(frozen=True)
class Feed:
    """Some rows of a split, ready to be batched.

    `images` (n, S, S, 3) are the split's, usually a memory map; `resident` are the same on the GPU, or None; position i
    of this feed is row `rows[i]` of them.  Augmentation draws are keyed by position, never by batch or worker.
    `workers` threads of a loader may read ahead.
    """

    images: NDArray[np.uint8]
    rows: NDArray[np.int64]
    resident: Tensor | None
    table: Tensor
    arithmetic: Arithmetic
    workers: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    def plain(self, positions: NDArray[np.int64]) -> Tensor:
        """Normalised images (B, 3, S, S) of these positions."""
        return self.on_device(self.host_plain(positions))

    def augmented(
        self, positions: NDArray[np.int64], repeats: NDArray[np.int64], spec: AugmentSpec, seed: int, epoch: int
    ) -> Tensor:
        """Augmented, normalised images (B, 3, S, S); a function of (seed, epoch, position, repeat) for each image."""
        return self.on_device(self.host_augmented(positions, repeats, spec, seed, epoch))

    def host_plain(self, positions: NDArray[np.int64]) -> HostBatch:
        """The host's part of `plain`."""
        return self._read(positions, None)

    def host_augmented(
        self, positions: NDArray[np.int64], repeats: NDArray[np.int64], spec: AugmentSpec, seed: int, epoch: int
    ) -> HostBatch:
        """The host's part of `augmented`."""
        return self._read(positions, draw(spec, seed, epoch, positions, repeats))

    def on_device(self, host: HostBatch, augment: Callable[..., Tensor] = augment) -> Tensor:
        """The device's part: images (B, 3, S, S), augmented where the host has drawn, by this form of `augment`."""
        device, layout = self.arithmetic.device, self.arithmetic.memory_format
        images = self.resident if host.images is None else host.images.to(device, non_blocking=True)
        assert images is not None  # the host leaves the images out only where they are resident
        index = host.index.to(device, non_blocking=True)
        if host.draws is None:
            return plain(images, index, self.table, memory_format=layout)
        draws = host.draws.to(device, non_blocking=True)
        return augment(images, index, draws, self.table, memory_format=layout)

    def _read(self, positions: NDArray[np.int64], draws: NDArray[np.int32] | None) -> HostBatch:
        device, rows = self.arithmetic.device, self.rows[positions]
        drawn = None if draws is None else locked(draws, device)
        if self.resident is not None:
            return HostBatch(None, locked(rows, device), drawn)
        images = gather_rows(self.images, rows, pin=device.type == "cuda")
        return HostBatch(images, locked(np.arange(len(rows)), device), drawn)


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


def feed(
    dataset: Dataset, split: str, rows: NDArray[np.int64], arithmetic: Arithmetic, workers: int | None = None
) -> Feed:
    """The rows of a dataset's `train` or `test` split; on a CPU the memory map is the memory.

    `workers` threads read ahead; None is what the device calls for.
    """
    images, device = (dataset.train if split == "train" else dataset.test).images, arithmetic.device
    origin = Origin(dataset.digest, images.shape[1], split)
    resident = _residents.get(images, origin, device) if device.type == "cuda" else None
    table = normalisation_table(IMAGENET_MEAN, IMAGENET_STD).to(device)
    return Feed(images, rows, resident, table, arithmetic, DEFAULT_WORKERS[device.type] if workers is None else workers)


def on_device(values: NDArray[Any], device: torch.device) -> Tensor:
    """A small array as a tensor on the device."""
    return locked(values, device).to(device, non_blocking=True)


def locked(values: NDArray[Any], device: torch.device) -> Tensor:
    """A small array as a tensor on the host, page-locked for a GPU: only from there does the host not wait for a copy,
    and with it for all that the GPU has yet to do."""
    tensor = torch.from_numpy(values)
    return tensor.pin_memory() if device.type == "cuda" else tensor


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
