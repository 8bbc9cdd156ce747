"""What is one step of training?  Forward, backward, optimiser, the method's own rule, in this order."""

from __future__ import annotations

import torch
from torch import Tensor

from bench.feed import Feed, HostBatch
from bench.method import Batch, Method, Step
from bench.numeric import Arithmetic
from bench.optim import minimise
from bench.recipe import Recipe


class Stepper:
    """The steps of one method with one optimiser, each of them one after another as it is written.

    What a GPU does in other ways (bench.captured) stands in subclasses, and gives the same bits where it says so.
    """

    def __init__(
        self, method: Method, optimizer: torch.optim.Optimizer, recipe: Recipe, arithmetic: Arithmetic
    ) -> None:
        self.method, self.optimizer, self.recipe, self.arithmetic = method, optimizer, recipe, arithmetic

    def images(self, feed: Feed, host: HostBatch) -> Tensor:
        """The device's part of a batch: augmented, normalised images (B, 3, S, S)."""
        return feed.on_device(host)

    def take(self, batch: Batch) -> Step:
        """Train on one batch; what comes back is the forward pass before the update."""
        with self.arithmetic.forward():
            step = self.method.step(batch)
        minimise(self.method, batch, step, self.optimizer, self.recipe)
        with torch.no_grad():
            self.method.after_step(batch, step)
        return step
