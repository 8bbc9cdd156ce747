"""How is a plain network trained?  Images to class scores, mean cross-entropy, nothing else: the controls with a
network of their own stand on this."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from bench.method import Batch, Method, Step


class CrossEntropy(Method):
    """Any `network` from images (N, 3, H, W) to class scores (N, C)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def logits(self, images: Tensor) -> Tensor:
        return self.network(images)

    def step(self, batch: Batch) -> Step:
        logits = self.network(batch.images)
        loss = F.cross_entropy(logits.float(), batch.labels)
        return Step(loss, logits, {"cross_entropy": loss.detach()})
