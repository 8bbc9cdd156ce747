"""Do nine small branches on shared layers agree on more?  Ensemble with shared representations (ESR-9).

Paper: Siqueira, Magg and Wermter 2020 (AAAI), "Efficient Facial Feature Learning with Wide Ensemble-based Convolutional
Neural Networks", arXiv 2001.06338.
Code: github.com/siqueira-hc/Efficient-Facial-Feature-Learning-with-Wide-Ensemble-based-Convolutional-Neural-Networks
(main_affectnet_discrete.py, model/ml/esr_9.py).
Departures: the nine branches train together from the first epoch, where the authors train 50 epochs with one branch and
20 more after each further one, each time with a fresh subset of the images and a fresh optimiser (shared layers and
older branches at a tenth of the rate), and keep each stage's best epoch.  `schedule = grow` lets the branches join at
the same fractions of one run, but under one learning rate that has decayed when the last ones come: under AffectNet's
shared schedule they would vote untrained, so it is not the default.  The input is normalised, of the shared size;
theirs is 96 pixels in [0, 1]; an image below 54 pixels, as the quick budget has them, is enlarged to that.  A tied vote
goes to the class with the larger mean probability, theirs to the first.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines import settings
from bench.method import Batch, Context, Method, Step

BRANCHES = 9
AUTHORS_EPOCHS = (50, *(20,) * (BRANCHES - 1))  # of each stage; a stage begins when a branch joins
SMALLEST = 54  # pixels; the unpadded convolutions leave nothing of a smaller image
TIE = 0.5  # the mean probability breaks ties and cannot outvote a branch


class Esr9Network(nn.Module):
    """Four shared convolutions, then branches of four convolutions and a linear layer: images (N, 3, H, W) to the
    logits of the first `branches` branches, (N, B, C)."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        pool = nn.MaxPool2d(2)
        self.shared = nn.Sequential(
            *_convolution(3, 64, kernel=5),
            *_convolution(64, 128),
            pool,
            *_convolution(128, 128),
            *_convolution(128, 128),
            pool,
        )
        self.branches = nn.ModuleList(
            nn.Sequential(
                *_convolution(128, 128),
                *_convolution(128, 256),
                pool,
                *_convolution(256, 256),
                *_convolution(256, 512, padding=1),
                nn.AdaptiveAvgPool2d(1),
                nn.Flatten(),
                nn.Linear(512, num_classes),
            )
            for _ in range(BRANCHES)
        )

    def forward(self, images: Tensor, branches: int = BRANCHES) -> Tensor:
        if min(images.shape[2:]) < SMALLEST:
            images = F.interpolate(images, (SMALLEST, SMALLEST), mode="bilinear", align_corners=False)
        x = self.shared(images)  # (N, 128, h, w)
        return torch.stack([branch(x) for branch in self.branches[:branches]], dim=1).float()


class Esr9(Method):
    """The sum of the cross-entropies of the branches that have joined; `joined` counts them.  The others have no
    gradient, so the optimiser leaves them alone."""

    reads_epoch = True
    joined: Tensor

    def __init__(self, options: settings.Esr9, context: Context) -> None:
        super().__init__()
        self.options = options
        self.epochs = context.epochs
        self.network = Esr9Network(context.num_classes)
        self.register_buffer("joined", torch.tensor(branches_at(1, context.epochs, options.schedule)))

    def logits(self, images: Tensor) -> Tensor:
        return decide(self.network(images, int(self.joined)), self.options.decision)

    def step(self, batch: Batch) -> Step:
        branches = branches_at(batch.epoch, self.epochs, self.options.schedule)
        self.joined.fill_(branches)
        logits = self.network(batch.images, branches)  # (N, B, C)
        mean = F.cross_entropy(logits.flatten(0, 1), batch.labels.repeat_interleave(branches))
        parts = {"cross_entropy": mean.detach(), "branches": mean.new_full((), branches)}
        return Step(branches * mean, decide(logits.detach(), self.options.decision), parts)


def branches_at(epoch: int, epochs: int, schedule: str) -> int:
    """How many branches train in `epoch`, counted from 1, of a run of `epochs`: all nine, or as many as have joined in
    the authors' run when the same fraction of it is done (rounded to whole epochs, downwards; the last epoch has all
    nine)."""
    if schedule == "together" or epoch >= epochs:
        return BRANCHES
    # Of each stage, how many epochs are done when it begins.
    begins = [sum(AUTHORS_EPOCHS[:stage]) * epochs // sum(AUTHORS_EPOCHS) for stage in range(BRANCHES)]
    return sum(begin < epoch for begin in begins)


def decide(logits: Tensor, decision: str) -> Tensor:
    """Class scores (N, C) of the branches' logits (N, B, C): how many branches vote for a class, or the logarithm of
    their mean probability."""
    mean = logits.softmax(dim=2).mean(dim=1)  # (N, C)
    if decision == "mean":
        return mean.log()
    votes = F.one_hot(logits.argmax(dim=2), logits.shape[2]).sum(dim=1)  # (N, C)
    return votes + TIE * mean


def _convolution(width_in: int, width: int, kernel: int = 3, padding: int = 0) -> tuple[nn.Module, ...]:
    return nn.Conv2d(width_in, width, kernel, padding=padding), nn.BatchNorm2d(width), nn.ReLU()


def network(options: settings.Esr9, context: Context) -> Esr9Network:
    """All nine branches, for counting."""
    return Esr9Network(context.num_classes)


def build(options: settings.Esr9, context: Context) -> Esr9:
    return Esr9(options, context)
