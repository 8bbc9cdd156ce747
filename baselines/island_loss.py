"""Does pushing class centres apart in angle help?  ResNet-18 with centre loss plus the island term between the centres.

Paper: Cai et al. 2018 (FG), "Island Loss for Learning Discriminative Features in Facial Expression Recognition",
arXiv 1710.03144.
Code: the authors released none.
Departures: lambda = 0.01, lambda1 = 10 and alpha = 0.5 are from the literature, not seen in code (unverified).  The
first centres are the centre loss's; the paper names none.
Names: the paper's lambda is the switch `loss.lambda1` (the weight of the centre loss in every method here), its
lambda1 is `loss.pairwise`.
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
from bench.method import Batch, Context, Step


def island_term(centers: Tensor) -> Tensor:
    """sum_j sum_{k != j} (cos(c_j, c_k) + 1) over the ordered pairs of centres (C, D), a scalar.

    About C (C - 1) for random directions; at least C (C - 2), where the directions add to zero (35 for 7 classes).
    """
    cosines = _cosines(centers)
    return (cosines.sum() - cosines.diagonal().sum()) + len(centers) * (len(centers) - 1)


def island_delta(centers: Tensor) -> Tensor:
    """What the island term takes from each centre, before lambda1 and alpha: (C, D).

    1 / (C - 1) sum_{k != j} [c_k / (|c_k| |c_j|) - (c_k . c_j) c_j / (|c_k| |c_j|^3)]: the gradient of cos(c_j, c_k) in
    c_j alone, so half of what differentiating the ordered double sum gives.
    """
    directions = F.normalize(centers, dim=1)  # (C, D)
    others = 1 - torch.eye(len(centers), dtype=centers.dtype, device=centers.device)
    cosines = (_cosines(centers) * others).sum(dim=1, keepdim=True)  # (C, 1): sum over k != j
    bracket = (others @ directions - cosines * directions) / centers.norm(dim=1, keepdim=True)
    return bracket / (len(centers) - 1)


def _cosines(centers: Tensor) -> Tensor:
    directions = F.normalize(centers, dim=1)
    return directions @ directions.T


class IslandLoss(ResNet18):
    """ResNet-18 and class centres.  The island term moves the centres only: the features get no gradient from it."""

    centers: Tensor

    def __init__(self, options: settings.IslandLoss, context: Context) -> None:
        super().__init__(context)
        self.options = options
        self.register_buffer("centers", first_centers(context.num_classes, FEATURES))

    def terms(self, x: Tensor, batch: Batch) -> Sequence[Term]:
        weights = self.options.loss
        with torch.autocast(x.device.type, enabled=False):
            island = island_term(self.centers)
        return [
            Term("center", weights.lambda1, center_loss(x, batch.labels, self.centers)),
            Term("island", weights.lambda1 * weights.pairwise, island),
        ]

    def after_step(self, batch: Batch, step: Step) -> None:
        with torch.autocast(self.centers.device.type, enabled=False):
            delta = center_delta(step.kept["features"], batch.labels, self.centers)
            delta += self.options.loss.pairwise * island_delta(self.centers)
        self.centers -= self.options.alpha * delta


def build(options: settings.IslandLoss, context: Context) -> IslandLoss:
    return IslandLoss(options, context)
