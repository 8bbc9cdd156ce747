"""How does DAN classify a face?  Backbone (Eq. 1), K attention heads (Eqs. 3-4), fusion (Eq. 5), linear classifier."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dan.attention import AttentionHead
from dan.backbone import FEATURE_DIM, resnet18_trunk
from dan.options import OFFICIAL, Options


class DanOutput(NamedTuple):
    """What one forward pass gives: for the classifier, the affinity loss and the partition loss.

    `logits` (N, C); `features` (N, 512, h, w), x' of Eq. 1; `heads` (N, K, 512), v_j of Eq. 5, or a_j of Eq. 4 where
    nothing is normalised (one head, or `fusion = none`).
    """

    logits: Tensor
    features: Tensor
    heads: Tensor


class DAN(nn.Module):
    """The multi-head cross attention network, images (N, 3, H, W) to `DanOutput`.

    `num_heads`, where given, takes the place of `options.heads`.  State-dict names are those of official checkpoints.
    Weights are random (`dan.weights` reads trained ones); one seed gives those that the official constructor draws.

    Source: Wen et al., "Distract Your Attention"; github.com/yaoing/DAN.
    """

    def __init__(self, num_classes: int = 7, num_heads: int | None = None, options: Options = OFFICIAL) -> None:
        super().__init__()
        self.options = options if num_heads is None else replace(options, heads=num_heads)
        self.features = resnet18_trunk()
        for j in range(self.options.heads):
            self.add_module(f"cat_head{j}", AttentionHead(self.options.spatial))
        self.fc = nn.Linear(FEATURE_DIM, num_classes)
        self.bn = nn.BatchNorm1d(num_classes) if self.options.head.logit_bn else nn.Identity()  # deviates: A5

    @property
    def attention_heads(self) -> list[AttentionHead]:
        """The K heads in order, for hooks: `attention_heads[j].sa.spatial_map` gives head j's map."""
        return [self.get_submodule(f"cat_head{j}") for j in range(self.options.heads)]  # type: ignore[misc]

    def forward(self, images: Tensor) -> DanOutput:
        features = self.features(images)  # (N, 512, h, w)
        heads = torch.stack([head(features) for head in self.attention_heads], dim=1)  # (N, K, 512)
        if self.options.fusion == "log_softmax" and self.options.heads > 1:  # deviates: L9
            # In single precision at least: CUDA's autocast sees to it, a CPU's does not.
            heads = F.log_softmax(heads, dim=1, dtype=torch.promote_types(heads.dtype, torch.float32))
        return DanOutput(self.bn(self.fc(heads.sum(dim=1))), features, heads)
