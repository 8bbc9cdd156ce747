"""What must a method be, so that the engine can train it?  A module with a loss, its logits, and hooks for its own
rules.

State that belongs to a method (class centres, relabelled labels) is a parameter or a buffer, so that it is in every
checkpoint by construction and a resumed run equals the uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Context:
    """What a method may know when it is built.

    `train_labels` (n,) int64 are the labels of the images that will be trained on, in the order of `Batch.index`.
    `weights` is the file that the ResNet-18 trunk starts from, None for random initialisation.
    `epochs` and `batch_size` are the recipe's.
    """

    dataset: str
    num_classes: int
    image_size: int
    train_labels: Tensor
    epochs: int
    batch_size: int
    weights: Path | None = None


@dataclass(frozen=True)
class Batch:
    """One training batch: `images` (N, 3, H, W) normalised, `labels` (N,) int64, `index` (N,) int64 the position of
    each image in the training set, `epoch` counted from 1."""

    images: Tensor
    labels: Tensor
    index: Tensor
    epoch: int


@dataclass(frozen=True)
class Step:
    """What a forward pass for training gives: the `loss` to differentiate (scalar), its named `parts` (scalars, for the
    log), the `logits` (N, C), and whatever the method's own `after_step` rule needs (`kept`, detached)."""

    loss: Tensor
    logits: Tensor
    parts: Mapping[str, Tensor] = field(default_factory=dict)
    kept: Mapping[str, Tensor] = field(default_factory=dict)


class Method(nn.Module):
    """A model with its loss and its own hooks.  Subclasses override `logits` and `step`; the hooks where they have a
    rule.

    `capturable` says whether `step` may be captured as a CUDA graph and replayed on later batches of the same size:
    nothing in it waits for a value on the device (`item`, a boolean index), and Python decides nothing in it by what
    changes from batch to batch.  `reads_epoch` says that it decides something by `batch.epoch`, which it may.
    """

    capturable: ClassVar[bool] = True
    reads_epoch: ClassVar[bool] = False

    def logits(self, images: Tensor) -> Tensor:
        """Class scores (N, C) of images (N, 3, H, W) in evaluation mode."""
        raise TypeError(f"{type(self).__name__} defines no logits")

    def step(self, batch: Batch) -> Step:
        """The training loss of one batch."""
        raise TypeError(f"{type(self).__name__} defines no step")

    def after_step(self, batch: Batch, step: Step) -> None:
        """A rule of the method's own after each optimiser step (class centres).  Called without gradient."""

    def after_epoch(self, epoch: int) -> None:
        """A rule of the method's own after each epoch."""

    def parameter_groups(self, lr: float) -> Iterable[Mapping[str, object]]:
        """Groups for the optimiser, as torch.optim takes them; `lr` is the recipe's learning rate."""
        return [{"params": [parameter for parameter in self.parameters() if parameter.requires_grad]}]

    def forward(self, images: Tensor) -> Tensor:
        """`logits`, so that generic tools (operation counters, Grad-CAM) can call the module."""
        return self.logits(images)


def scalar(value: float) -> Tensor:
    """A constant for `Step.parts`."""
    return torch.tensor(float(value))
