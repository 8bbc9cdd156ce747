"""What do the heads of a network do on a set of images?  Maps, accuracy, and accuracy without a head.  Needs torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from bench.feed import Feed
from bench.heads.diversity import Floats
from dan.losses import partition_loss
from dan.model import DAN

BATCH = 100


@dataclass(frozen=True)
class Seen:
    """What a network makes of n images: `maps` (n, K, h, w) of the spatial attention, `vectors` (n, K, 512) a_j of
    Eq. 4, before the fusion."""

    maps: Floats
    vectors: Tensor


@torch.no_grad()
def look(model: DAN, feed: Feed) -> Seen:
    """Maps and vectors of all heads on all images of the feed; the model is left in evaluation mode."""
    model.eval()
    maps, vectors = [], []
    for start in range(0, len(feed), BATCH):
        images = feed.plain(np.arange(start, min(start + BATCH, len(feed))))
        features = model.features(images)
        attended = [head.sa.attend(features).sum(dim=1) for head in model.attention_heads]  # K of (B, h, w)
        maps.append(torch.stack(attended, dim=1).float().cpu())
        vectors.append(torch.stack([head(features) for head in model.attention_heads], dim=1).float())
    return Seen(torch.cat(maps).numpy().astype(np.float64), torch.cat(vectors))


@torch.no_grad()
def fused(model: DAN, vectors: Tensor) -> Tensor:
    """Logits (n, C) from heads' vectors (n, K, 512), of all heads or some: Eq. 5 and the classifier."""
    if model.options.fusion == "log_softmax" and vectors.shape[1] > 1:  # deviates: L9
        vectors = F.log_softmax(vectors, dim=1)
    logits: Tensor = model.bn(model.fc(vectors.sum(dim=1)))
    return logits


def correct(model: DAN, vectors: Tensor, labels: NDArray[np.int64]) -> int:
    """How many images are answered with their label."""
    return int((fused(model, vectors).argmax(dim=1).cpu().numpy() == labels).sum())


def without(vectors: Tensor, head: int) -> Tensor:
    """The vectors with one head left out of the fusion, (n, K - 1, 512)."""
    return torch.cat([vectors[:, :head], vectors[:, head + 1 :]], dim=1)


def silenced(vectors: Tensor, head: int) -> Tensor:
    """The vectors with one head at its mean over the images: it still takes part, and tells nothing of the image.

    Leaving it out shifts the sum that the classifier was trained on; this does not.
    """
    changed = vectors.clone()
    changed[:, head] = vectors[:, head].mean(dim=0)
    return changed


@torch.no_grad()
def partition(model: DAN, vectors: Tensor) -> float:
    """The partition loss of all images as one batch, in the official form, whether the network was trained on it or
    not."""
    fusion = model.options.fusion == "log_softmax" and vectors.shape[1] > 1
    return float(partition_loss(F.log_softmax(vectors, dim=1) if fusion else vectors))
