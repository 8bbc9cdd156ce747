"""What happens in one epoch?  Order, batches, loss, step, hooks; everything random comes from named streams."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench import seeds
from bench.captured import CapturedStepper
from bench.data.draws import preset
from bench.errors import CellError
from bench.feed import Feed, HostBatch, on_device
from bench.loader import loaded
from bench.method import Batch, Method, Step
from bench.numeric import Arithmetic
from bench.optim import learning_rate, set_learning_rate
from bench.recipe import Recipe
from bench.record import EpochLog
from bench.stepper import Stepper

Tick = Callable[[int, int], None]  # (steps done, steps in the epoch)


def stepper(
    method: Method, optimizer: torch.optim.Optimizer, recipe: Recipe, arithmetic: Arithmetic, images: int
) -> Stepper:
    """How the device takes the steps of a cell that trains on `images` in all (images times epochs)."""
    if arithmetic.captures:
        return CapturedStepper(method, optimizer, recipe, arithmetic, images)
    return Stepper(method, optimizer, recipe, arithmetic)


def train_epoch(
    steps: Stepper,
    feed: Feed,
    labels: NDArray[np.int64],
    seed: int,
    epoch: int,
    tick: Tick | None = None,
) -> EpochLog:
    """Train one epoch (counted from 1) and say how it went.

    Raises CellError when a loss is not finite, naming the epoch, the step and the last finite loss.
    """
    method, recipe = steps.method, steps.recipe
    method.train()
    order = epoch_order(recipe.sampler, seed, epoch, labels)
    spec = preset(recipe.augment, recipe.image_size)
    device = feed.arithmetic.device
    targets = torch.from_numpy(labels).to(device)
    batches = batched(order, recipe.batch_size)
    repeats = batched(seeds.repeats(order), recipe.batch_size)
    tally = _Tally()

    def read(number: int) -> HostBatch:
        return feed.host_augmented(batches[number], repeats[number], spec, seed, epoch)

    # Dropout-like layers draw from torch's generator: seeded anew for each epoch, so that a resumed run needs no RNG
    # state.
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seeds.step_seed(seed, epoch))
        for number, host in enumerate(loaded(read, range(len(batches)), feed.workers)):
            set_learning_rate(steps.optimizer, learning_rate(recipe, epoch, number / len(batches)))
            index = on_device(batches[number], device)
            batch = Batch(steps.images(feed, host), targets[index], index, epoch)
            step = steps.take(batch)
            tally.add(batch, step)
            if tick is not None:
                tick(number + 1, len(batches))
            if device.type == "cpu":  # on a GPU asking would make it wait; there the epoch's end asks once
                tally.check(epoch)
        with torch.no_grad():
            method.after_epoch(epoch)
    return tally.log(epoch, learning_rate(recipe, epoch))


def first_step(method: Method, feed: Feed, labels: NDArray[np.int64], recipe: Recipe, seed: int) -> None:
    """Forward and backward on the first images, as many as there are `labels`: what a step takes of memory, not what it
    learns.  The method's gradients are left behind."""
    method.train()
    positions = np.arange(len(labels))
    images = feed.augmented(positions, np.zeros_like(positions), preset(recipe.augment, recipe.image_size), seed, 1)
    device = feed.arithmetic.device
    batch = Batch(images, torch.from_numpy(labels).to(device), torch.from_numpy(positions).to(device), 1)
    with feed.arithmetic.forward():
        step = method.step(batch)
    step.loss.backward()


def epoch_order(sampler: str, seed: int, epoch: int, labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions (n,) in the order of an epoch: a permutation, or class-balanced draws with replacement (FIDELITY
    T3)."""
    if sampler == "balanced":
        return seeds.balanced_order(seed, epoch, labels)
    return seeds.order(seed, epoch, len(labels))


def batched(order: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    """Consecutive batches of `size`; a last batch of one image joins the one before it (BatchNorm needs two)."""
    cuts = list(range(size, len(order), size))
    if cuts and len(order) - cuts[-1] == 1:
        cuts.pop()
    return np.split(order, cuts)


class _Tally:
    """Sums over an epoch, kept on the device until somebody asks."""

    def __init__(self) -> None:
        self.losses: list[Tensor] = []
        self.parts: dict[str, list[Tensor]] = {}
        self.correct: list[Tensor] = []
        self.sizes: list[int] = []
        self.last_finite = float("nan")

    def add(self, batch: Batch, step: Step) -> None:
        self.losses.append(step.loss.detach())
        for name, value in step.parts.items():
            self.parts.setdefault(name, []).append(value.detach())
        self.correct.append((step.logits.detach().argmax(dim=1) == batch.labels).sum())
        self.sizes.append(len(batch.labels))

    def check(self, epoch: int) -> None:
        """Raise CellError at the first loss that is not finite; looks at the newest only (`log` looks at all)."""
        loss = self.losses[-1].item()
        if not np.isfinite(loss):
            where = f"epoch {epoch}, step {len(self.losses)}"
            raise CellError(f"the loss is {loss} in {where}; the last finite loss was {self.last_finite:.6g}")
        self.last_finite = loss

    def log(self, epoch: int, lr: float) -> EpochLog:
        losses = self.losses
        self.losses = []
        for value in torch.stack(losses).cpu():
            self.losses.append(value)
            self.check(epoch)
        weights = np.array(self.sizes, dtype=np.float64)
        parts = {name: _mean(values, weights) for name, values in sorted(self.parts.items())}
        correct = int(torch.stack(self.correct).sum())
        return EpochLog(epoch, lr, _mean(losses, weights), parts, correct, int(weights.sum()))


def _mean(values: list[Tensor], weights: NDArray[np.float64]) -> float:
    """The mean over images of per-batch means."""
    return float((torch.stack(values).double().cpu().numpy() * weights).sum() / weights.sum())
