"""What does the trunk reach with cross-entropy alone?  The control of every table, and the code path of all loss-only
methods.

Paper: He et al. 2016, "Deep Residual Learning for Image Recognition", arXiv 1512.03385.
Code: github.com/pytorch/vision (torchvision/models/resnet.py).
Departures: none known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from baselines.backbone import FEATURES, pooled, trunk
from bench.method import Batch, Context, Method, Step
from bench.switches import NoSettings


class Term(NamedTuple):
    """One loss on the pooled features beside the cross-entropy: its `weight`, and its `value` before that weight."""

    name: str
    weight: float
    value: Tensor


class ResNet18(Method):
    """The trunk, global average pooling, one linear layer.  A loss-only method overrides `terms`, and `after_step`
    where it has class centres: `step.kept["features"]` are the pooled features (N, 512) of the batch, detached."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.trunk = trunk(context)
        self.fc = nn.Linear(FEATURES, context.num_classes)

    def logits(self, images: Tensor) -> Tensor:
        return self.fc(self.embed(images))

    def embed(self, images: Tensor) -> Tensor:
        """The pooled features x, (N, 512) in single precision."""
        return pooled(self.trunk(images))

    def step(self, batch: Batch) -> Step:
        x = self.embed(batch.images)  # (N, 512)
        logits = self.fc(x)
        cross_entropy = F.cross_entropy(logits.float(), batch.labels)
        terms = self.terms(x, batch)
        loss = cross_entropy + sum(term.weight * term.value for term in terms)
        parts = {"cross_entropy": cross_entropy.detach()} | {term.name: term.value.detach() for term in terms}
        return Step(loss, logits, parts, kept={"features": x.detach()})

    def terms(self, x: Tensor, batch: Batch) -> Sequence[Term]:
        """The losses beside the cross-entropy, of the pooled features `x` (N, 512)."""
        return ()


def build(settings: NoSettings, context: Context) -> ResNet18:
    return ResNet18(context)
