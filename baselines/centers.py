"""What is the centre loss, and how do class centres move?  They are buffers with a rule of their own, outside the
optimiser.

Symbols: x_i (D,) pooled feature, y_i its class, c_j (D,) the centre of class j, m the batch size, n_j the images of
class j in the batch, alpha the step.  Source of the rule: Wen et al. 2016 (ECCV), Eq. 4, as in
github.com/ydwen/caffe-face.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from baselines.settings import CenterConvention


def first_centers(num_classes: int, dim: int, init: Literal["xavier", "kaiming"] = "xavier") -> Tensor:
    """Random centres (C, D): uniform within +-sqrt(3 / D), Caffe's "xavier" filler; or normal with variance 2 / C, what
    torch's kaiming_normal_ makes of the transposed matrix."""
    if init == "kaiming":
        return torch.randn(num_classes, dim) * math.sqrt(2 / num_classes)
    bound = math.sqrt(3 / dim)
    return torch.empty(num_classes, dim).uniform_(-bound, bound)


def center_loss(x: Tensor, labels: Tensor, centers: Tensor, attention: Tensor | None = None) -> Tensor:
    """L_C = 1 / 2m sum_i sum_d A_id (x_id - c_{y_i},d)^2, a scalar; A (N, D) is 1 unless given (DACL's sparse centre
    loss)."""
    squares = (x.float() - centers.float()[labels]).pow(2)  # (N, D)
    if attention is not None:
        squares = attention.float() * squares
    return squares.sum() / (2 * len(x))


def center_delta(
    x: Tensor, labels: Tensor, centers: Tensor, convention: CenterConvention = "wen", attention: Tensor | None = None
) -> Tensor:
    """What one step takes from the centres, before alpha: (C, D), zero for a class without images in the batch.

    `wen`: sum_{y_i = j} A_i (c_j - x_i) / (1 + n_j); A (N, D) is 1 unless given.  `wen_over_batch`: the same divided
    by m, as where a port scales it like the loss.  `autograd`: 2/m sum_{y_i = j} A_i (c_j - x_i), the gradient of the
    centre loss without its 1/2.  At m = 64, n_j = 9, alpha = 0.5 a centre moves 0.45, 0.007 and 0.14 of the way to
    the batch mean.
    """
    own = F.one_hot(labels, len(centers)).to(centers.dtype)  # (N, C); products with it are deterministic on CUDA too
    weight = torch.ones_like(x) if attention is None else attention
    with torch.autocast(x.device.type, enabled=False):
        weight, x = weight.to(centers.dtype), x.to(centers.dtype)
        difference = (own.T @ weight) * centers - own.T @ (weight * x)  # (C, D): sum over own images of A_i (c_j - x_i)
    if convention == "autograd":
        return 2 * difference / len(x)
    delta = difference / (1 + own.sum(dim=0)).unsqueeze(1)
    return delta / len(x) if convention == "wen_over_batch" else delta
