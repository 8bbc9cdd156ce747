"""What does the engine train on?  Decoded images of one size with labels, groups and content ids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Split:
    """`images` (n, S, S, 3) uint8 RGB, usually a memory map; `labels` (n,) int64; `groups` (n,) int64, -1 where
    unknown; `ids` (n,) str: the first 16 hexadecimal digits of the SHA-256 of the decoded pixels (the renderer's index
    for a twin)."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    groups: NDArray[np.int64]
    ids: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.labels)

    def subset(self, index: NDArray[np.int64]) -> Split:
        """The rows `index`, in that order.  The images are copied out of the memory map."""
        return Split(self.images[index], self.labels[index], self.groups[index], self.ids[index])


@dataclass(frozen=True)
class Dataset:
    """A dataset at one image size.  `digest` names its content: pixels, labels, groups and official split, not its file
    names."""

    name: str
    classes: tuple[str, ...]
    train: Split
    test: Split
    digest: str
