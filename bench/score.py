"""How many answers are right?  The only code that reads test labels; it counts its reads."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bench.record import Score

Labels = NDArray[np.int64]


@dataclass
class SealedLabels:
    """Labels of a split that only this module opens.  `reads` counts how often it did."""

    _labels: Labels = field(repr=False)
    num_classes: int
    reads: int = 0

    def __len__(self) -> int:
        return len(self._labels)

    def open(self) -> Labels:
        """The labels (n,), counted as one read."""
        self.reads += 1
        return self._labels


def correct_by_epoch(predicted: NDArray[np.integer], sealed: SealedLabels) -> tuple[int, ...]:
    """Correct answers after each epoch, from predicted classes (epochs, n)."""
    return tuple(int(k) for k in (predicted == sealed.open()).sum(axis=1))


def score(predicted: NDArray[np.integer], sealed: SealedLabels, epoch: int) -> Score:
    """The score of predicted classes (n,) with the weights after `epoch`."""
    labels = sealed.open()
    right = labels[predicted == labels]
    return Score(
        epoch=epoch,
        correct=len(right),
        n=len(labels),
        class_correct=tuple(np.bincount(right, minlength=sealed.num_classes).tolist()),
        class_n=tuple(np.bincount(labels, minlength=sealed.num_classes).tolist()),
    )
