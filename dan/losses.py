"""What is DAN trained to minimise (Eq. 7)?  Cross-entropy + lambda1 * affinity loss + lambda2 * partition loss.

Pure functions with the numerics of the official code (expanded squares, clamp, epsilon), and one module that owns the
class centres.  Under autocast everything here is computed in single precision.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dan.backbone import FEATURE_DIM
from dan.model import DanOutput
from dan.options import OFFICIAL, Affinity, Options, Partition

_DISTANCE_RANGE = (1e-12, 1e12)  # L5


def affinity_loss(features: Tensor, labels: Tensor, centers: Tensor, options: Affinity = OFFICIAL.affinity) -> Tensor:
    """Affinity loss (Eq. 2), a scalar: sum_i ||x'_i - c_{y_i}||^2 / sigma_c^2, over the batch size if reduction = mean.

    `features` are x', (N, D, h, w) or pooled (N, D); `labels` y (N,) class indices; `centers` c, (M, D) with M at least
    the number of classes.  sigma_c^2 is the variance of the centres around their mean.
    """
    distances = _to_own_center(pooled(features), labels, centers)  # (N, M)
    variance = full_precision(centers).var(dim=0, unbiased=options.unbiased)  # (D,)
    sigma2 = variance.sum() if options.sigma == "trace" else variance.mean()  # deviates: L2
    ratios = distances / (sigma2.detach() if options.detach else sigma2)
    return _reduced(ratios.clamp(*_DISTANCE_RANGE), options)  # deviates: L5


def center_loss(features: Tensor, labels: Tensor, centers: Tensor, options: Affinity = OFFICIAL.affinity) -> Tensor:
    """Centre loss L_C (Wen et al. 2016, Eq. 2), a scalar: 1/2 sum_i ||x'_i - c_{y_i}||^2, over the batch size where
    reduction = mean.  Shapes as in `affinity_loss`; not yet multiplied by `center_weight`."""
    distances = _to_own_center(pooled(features), labels, centers)
    return _reduced(distances.clamp(*_DISTANCE_RANGE), options) / 2


def partition_loss(heads: Tensor, options: Partition = OFFICIAL.partition) -> Tensor:
    """Partition loss (Eq. 6), a scalar: log(1 + K / sigma^2) for sigma^2 the variance over the K heads, its mean over
    samples and dimensions taken before the logarithm (`log_of_mean`) or after it (`mean_of_log`).

    `heads` (N, K, L).  Zero with one head, where the variance does not exist, and where form = none.
    """
    num_heads = heads.size(1)
    if num_heads == 1 or options.form == "none":  # deviates: L9
        return heads.new_zeros((), dtype=full_precision(heads).dtype)
    variance = full_precision(heads).var(dim=1, unbiased=options.unbiased)  # (N, L)
    if options.form == "log_of_mean":  # deviates: L6
        variance = variance.mean()
    return torch.log(1 + num_heads / (variance + options.eps)).mean()  # deviates: L7


class Loss(NamedTuple):
    """`total` is Eq. 7, to be differentiated; `parts` are its terms before their weights: `cross_entropy`, `affinity`
    or `center`, `partition`.  A term that is switched off is absent."""

    total: Tensor
    parts: dict[str, Tensor]


class DanLoss(nn.Module):
    """The loss of one batch, from `DanOutput` and labels (N,); owns the class centres (num_centers, 512), None where
    affinity.kind = none.

    `num_centers` is the number of classes unless given (see `dan.options.number_of_centers`).  Raises ValueError for
    centres that are too few for the classes or have no variance to divide by.
    """

    centers: nn.Parameter | None

    def __init__(self, num_classes: int, options: Options = OFFICIAL, num_centers: int | None = None) -> None:
        super().__init__()
        self.options = options
        count = num_classes if num_centers is None else num_centers
        if count < num_classes:
            raise ValueError(f"{count} centres are too few for {num_classes} classes")
        if options.affinity.kind == "affinity" and (count < 2 or options.centers.init == "zeros"):
            raise ValueError(
                "affinity.kind = affinity divides by the variance of the centres, so they must be two or more "
                "and differ (centers.init = zeros goes with affinity.kind = center)"
            )
        self.centers = None
        if options.affinity.kind != "none":
            start = _first_centers(count, options.centers.init)
            trained = not options.centers.frozen and not self.has_own_rule
            self.centers = nn.Parameter(start, requires_grad=trained)  # deviates: L4

    @property
    def has_own_rule(self) -> bool:
        """Whether `move_centers` moves the centres, and not the optimiser."""
        options = self.options
        return options.affinity.kind == "center" and options.affinity.center_alpha > 0 and not options.centers.frozen

    @torch.no_grad()
    def move_centers(self, features: Tensor, labels: Tensor) -> None:
        """The centres' own rule after a step (Wen et al. 2016, Eq. 4): c_j -= alpha sum_{y_i = j} (c_j - x'_i) / (1 +
        n_j), n_j being the samples of class j.  Shapes as in `center_loss`; nothing happens where the optimiser moves
        them."""
        if self.centers is None or not self.has_own_rule:
            return
        own = F.one_hot(labels, len(self.centers)).to(self.centers.dtype)  # (N, M)
        count = own.sum(dim=0).unsqueeze(1)  # (M, 1)
        difference = count * self.centers - own.T @ pooled(features).to(self.centers.dtype)  # (M, D)
        self.centers.sub_(self.options.affinity.center_alpha * difference / (1 + count))

    def forward(self, output: DanOutput, labels: Tensor) -> Loss:
        options = self.options
        total = F.cross_entropy(full_precision(output.logits), labels)
        parts = {"cross_entropy": total}
        if self.centers is not None and options.affinity.kind == "affinity":
            parts["affinity"] = affinity_loss(output.features, labels, self.centers, options.affinity)
            total = total + options.loss.lambda1 * parts["affinity"]
        elif self.centers is not None:
            parts["center"] = center_loss(output.features, labels, self.centers, options.affinity)
            total = total + options.loss.lambda1 * options.affinity.center_weight * parts["center"]  # deviates: L10
        if output.heads.size(1) > 1 and options.partition.form != "none":
            parts["partition"] = partition_loss(output.heads, options.partition)
            total = total + options.loss.lambda2 * parts["partition"]
        return Loss(total, parts)

    def parameter_groups(self, lr: float) -> list[dict[str, Any]]:
        """The centres as torch.optim takes them, `lr` being the optimiser's learning rate: one group, or none if there
        is nothing to train.  What the switches leave at None is the optimiser's own."""
        if self.centers is None or not self.centers.requires_grad:
            return []
        group: dict[str, Any] = {"params": [self.centers]}
        if self.options.centers.lr is not None:
            group["lr"] = self.options.centers.lr * lr
        if self.options.centers.weight_decay is not None:
            group["weight_decay"] = self.options.centers.weight_decay
        return [group]


def pooled(features: Tensor) -> Tensor:
    """Features (N, D, h, w) averaged over the map, (N, D) as they are; in single precision at least."""
    features = full_precision(features)
    return features.mean(dim=(2, 3)) if features.dim() == 4 else features


def full_precision(x: Tensor) -> Tensor:
    """Half and bfloat16 as single precision; single and double as they are."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def _to_own_center(x: Tensor, labels: Tensor, centers: Tensor) -> Tensor:
    """Squared distances (N, M) of x (N, D) to the centres (M, D), zero but for each sample's own class."""
    centers = full_precision(centers)
    with torch.autocast(x.device.type, enabled=False):  # bfloat16 products would drown in the cancellation below
        squares = x.pow(2).sum(dim=1, keepdim=True) + centers.pow(2).sum(dim=1)  # (N, 1) + (M,) -> (N, M)
        distances = torch.addmm(squares, x, centers.t(), alpha=-2)
    own = labels.unsqueeze(1) == torch.arange(len(centers), device=labels.device)  # (N, M)
    return distances * own


def _reduced(distances: Tensor, options: Affinity) -> Tensor:
    total = distances.sum()
    return total / len(distances) if options.reduction == "mean" else total  # deviates: L1


def _first_centers(count: int, init: str) -> Tensor:
    if init == "zeros":
        return torch.zeros(count, FEATURE_DIM)
    drawn = torch.randn(count, FEATURE_DIM)
    return drawn.abs() if init == "half_normal" else drawn
