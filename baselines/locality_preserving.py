"""Does pulling a face to its nearest neighbours of the same class help?  DLP-CNN's loss on the shared ResNet-18.

Paper: Li, Deng, Du 2017 (CVPR), "Reliable Crowdsourcing and Deep Locality-Preserving Learning for Expression
Recognition in the Wild" (the paper of RAF-DB).
Code: none with the training loss was found.
Departures: the trunk is ResNet-18, not the paper's CNN; neighbours are looked for within the batch.  lambda = 0.003 and
k = 20 are from the literature (unverified).  The loss is a sum, so it grows with the batch: `loss.lambda1` is tunable.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from baselines import settings
from baselines.resnet18 import ResNet18, Term
from bench.method import Batch, Context


def locality_preserving_loss(x: Tensor, labels: Tensor, neighbours: int) -> Tensor:
    """1/2 sum_i ||x_i - mean of its k nearest samples of its class||^2, a scalar; x (N, D), labels (N,).

    k = min(neighbours, n_j - 1), n_j the images of the class in the batch; an image alone in its class is skipped.
    The mean is a constant: only x_i gets a gradient.  Equal distances are taken in the order of the batch.
    """
    same = labels.unsqueeze(0) == labels.unsqueeze(1)  # (N, N)
    same &= ~torch.eye(len(x), dtype=torch.bool, device=x.device)
    k = same.sum(dim=1).clamp(max=neighbours)  # (N,): each image's own k
    constant = x.detach().float()
    distances = torch.cdist(constant, constant, compute_mode="donot_use_mm_for_euclid_dist")
    order = distances.masked_fill(~same, torch.inf).argsort(dim=1, stable=True)[:, :neighbours]  # (N, K)
    counted = torch.arange(order.size(1), device=x.device) < k.unsqueeze(1)  # (N, K)
    total = (constant[order] * counted.unsqueeze(2)).sum(dim=1)  # (N, K, D) -> (N, D)
    mean = total / k.clamp(min=1).unsqueeze(1)
    squares = (x.float() - mean).pow(2).sum(dim=1)  # (N,)
    return (squares * (k > 0)).sum() / 2


class LocalityPreserving(ResNet18):
    """ResNet-18 with L = CE + lambda1 L_lp."""

    def __init__(self, options: settings.LocalityPreserving, context: Context) -> None:
        super().__init__(context)
        self.options = options

    def terms(self, x: Tensor, batch: Batch) -> Sequence[Term]:
        value = locality_preserving_loss(x, batch.labels, self.options.neighbours)
        return [Term("locality", self.options.loss.lambda1, value)]


def build(options: settings.LocalityPreserving, context: Context) -> LocalityPreserving:
    return LocalityPreserving(options, context)
