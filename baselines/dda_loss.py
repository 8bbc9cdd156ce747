"""Does softmax over distances to the class centres help beside the centre loss?  The discriminative
distribution-agnostic loss.

Paper: Farzaneh and Qi 2020 (CVPR Workshops), "Discriminant Distribution-Agnostic Loss for Facial Expression
Recognition in the Wild".
Code: github.com/amirhfarzaneh/ddaloss-pytorch (the loss; no training script).
Departures: none in the loss.  gamma = 4 is the README's (the code's default is 3).  The code divides an already
averaged L_D by 2m once more, which makes it m times weaker than its mean: `normaliser = mean` leaves that m
out.  `recipe=own` sets the README's optimiser; its batch, epochs and schedule were not published and stay the shared
ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from baselines import settings
from baselines.backbone import FEATURES
from baselines.centers import center_delta, center_loss, first_centers
from baselines.resnet18 import ResNet18, Term
from baselines.settings import DdaNormaliser
from bench.method import Batch, Context, Step


def dda_term(x: Tensor, labels: Tensor, centers: Tensor, normaliser: DdaNormaliser = "official") -> Tensor:
    """L_D: mean_i[-log softmax_j(-||x_i - c_j||^2)_{y_i}] over 2m (`official`) or over 2 (`mean`), a scalar."""
    return F.cross_entropy(-_squared_distances(x, centers), labels) / _divisor(len(x), normaliser)


def dda_delta(x: Tensor, labels: Tensor, centers: Tensor, normaliser: DdaNormaliser = "official") -> Tensor:
    """The gradient of L_D in the centres, (C, D): 2/m sum_i (p_ij - [y_i = j]) (x_i - c_j) over the same divisor, where
    p_ij is the softmax of L_D."""
    error = torch.softmax(-_squared_distances(x, centers), dim=1) - F.one_hot(labels, len(centers))  # (N, C)
    with torch.autocast(x.device.type, enabled=False):
        gradient = 2 * (error.T @ x.float() - error.sum(dim=0).unsqueeze(1) * centers) / len(x)
    return gradient / _divisor(len(x), normaliser)


def _squared_distances(x: Tensor, centers: Tensor) -> Tensor:
    return (x.float().unsqueeze(1) - centers).pow(2).sum(dim=2)  # (N, 1, D) - (C, D) -> (N, C, D) -> (N, C)


def _divisor(batch_size: int, normaliser: DdaNormaliser) -> int:
    return 2 * batch_size if normaliser == "official" else 2


class DdaLoss(ResNet18):
    """ResNet-18 with L = CE + lambda1 L_C + gamma L_D.  The centres take the centre loss's step, not times lambda1,
    and the gradient of gamma L_D, both times alpha."""

    centers: Tensor

    def __init__(self, options: settings.DdaLoss, context: Context) -> None:
        super().__init__(context)
        self.options = options
        self.register_buffer("centers", first_centers(context.num_classes, FEATURES, "kaiming"))

    def terms(self, x: Tensor, batch: Batch) -> Sequence[Term]:
        return [
            Term("center", self.options.loss.lambda1, center_loss(x, batch.labels, self.centers)),
            Term("dda", self.options.loss.gamma, dda_term(x, batch.labels, self.centers, self.options.normaliser)),
        ]

    def after_step(self, batch: Batch, step: Step) -> None:
        x = step.kept["features"]
        delta = center_delta(x, batch.labels, self.centers)
        delta += self.options.loss.gamma * dda_delta(x, batch.labels, self.centers, self.options.normaliser)
        self.centers -= self.options.alpha * delta


def build(options: settings.DdaLoss, context: Context) -> DdaLoss:
    return DdaLoss(options, context)
