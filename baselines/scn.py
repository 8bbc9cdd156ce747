"""Does distrusting some labels help?  Self-cure network: a weight for each image, ranked in the batch, and relabelling.

Paper: Wang et al. 2020 (CVPR), "Suppressing Uncertainties for Large-Scale Facial Expression Recognition", arXiv
2002.10392.
Code: github.com/kaiwang960112/Self-Cure-Network (src/train.py).
Departures: delta1 = 0.07, which the authors' README gives for batches of 64, also where the shared batch is another
(the paper's 0.15 is for 1024).  A recipe too short to reach the relabelling epoch starts it at the same fraction of
training (`relabel.short_run`).  An image that a balanced sampler draws twice in a batch is relabelled by its last draw,
on every device.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines import settings
from baselines.backbone import FEATURES, trunk
from bench.method import Batch, Context, Method, Step

AUTHORS_EPOCHS = 70
AS_GIVEN = -1  # in `Scn.relabels`: the label of the data set stands


class ScnOutput(NamedTuple):
    """`logits` (N, C), already weighted; `alpha` (N,) in (0, 1), the importance of each image."""

    logits: Tensor
    alpha: Tensor


class ScnNetwork(nn.Module):
    """logits = alpha (W x + b), alpha = sigmoid(w . x + b'), x the pooled features of the trunk."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.trunk = trunk(context)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(FEATURES, context.num_classes)
        self.importance = nn.Linear(FEATURES, 1)

    def forward(self, images: Tensor) -> ScnOutput:
        x = self.pool(self.trunk(images).float()).flatten(1)  # (N, 512)
        alpha = self.importance(x).float().sigmoid()  # (N, 1)
        return ScnOutput(alpha * self.fc(x).float(), alpha.squeeze(1))


class Scn(Method):
    """SCN; `relabels` (n,) holds the new label of each training image, or AS_GIVEN, for good."""

    capturable = False  # the ranks are means over boolean indices
    relabels: Tensor

    def __init__(self, options: settings.Scn, context: Context) -> None:
        super().__init__()
        self.options = options
        self.network = ScnNetwork(context)
        self.first_epoch = first_relabelling(options.relabel, context.epochs)
        self.register_buffer("relabels", torch.full((len(context.train_labels),), AS_GIVEN))

    def logits(self, images: Tensor) -> Tensor:
        return self.network(images).logits

    def step(self, batch: Batch) -> Step:
        output = self.network(batch.images)
        relabels = self.relabels[batch.index]
        labels = torch.where(relabels == AS_GIVEN, batch.labels, relabels)
        cross_entropy = F.cross_entropy(output.logits, labels)
        high = high_group(output.alpha, self.options.rank.beta)
        rank = rank_loss(output.alpha, high, self.options.rank.margin)
        parts = {
            "cross_entropy": cross_entropy.detach(),
            "rank": rank.detach(),
            "relabelled": (labels != batch.labels).float().mean(),
        }
        kept = {"logits": output.logits.detach(), "labels": labels, "high": high}
        return Step(cross_entropy + rank, output.logits, parts, kept)

    def after_step(self, batch: Batch, step: Step) -> None:
        if self.first_epoch is None or batch.epoch < self.first_epoch:
            return
        relabel = self.options.relabel
        probabilities = step.kept["logits"].softmax(dim=1)  # (N, C)
        largest, predicted = probabilities.max(dim=1)
        given = probabilities.gather(1, step.kept["labels"].unsqueeze(1)).squeeze(1)
        moved = largest - given > relabel.margin
        if relabel.kind == "low":
            moved &= ~step.kept["high"]
        write_last(self.relabels, batch.index, predicted, moved)


def high_group(alpha: Tensor, beta: float) -> Tensor:
    """Which images are among the int(beta m) most important of the batch: (N,) booleans."""
    high = torch.zeros_like(alpha, dtype=torch.bool)
    high[alpha.detach().topk(int(len(alpha) * beta)).indices] = True
    return high


def rank_loss(alpha: Tensor, high: Tensor, margin: float) -> Tensor:
    """max(0, delta1 - (mean alpha of the high group - mean alpha of the rest)); 0 where a group is empty (a batch of
    one)."""
    if high.all() or not high.any():
        return alpha.new_zeros(())
    return (margin - (alpha[high].mean() - alpha[~high].mean())).clamp(min=0)


def first_relabelling(relabel: settings.Relabel, epochs: int) -> int | None:
    """The epoch, counted from 1, from which labels may change; None for never."""
    if relabel.kind == "none" or (relabel.epoch > epochs and relabel.short_run == "never"):
        return None
    if relabel.epoch <= epochs:
        return relabel.epoch
    # Not in the first epoch: an untrained network's confidence says nothing.
    return max(2, math.ceil(relabel.epoch * epochs / AUTHORS_EPOCHS))


def write_last(target: Tensor, index: Tensor, values: Tensor, chosen: Tensor) -> None:
    """target[index[i]] = values[i] for each chosen i in order, so that the last of several writes stands, on every
    device."""
    position = torch.arange(len(index), device=index.device)
    same = (index.unsqueeze(1) == index) & chosen  # (N, N): does draw j write where draw i reads?
    last = torch.where(same, position, -1).amax(dim=1)  # (N,)
    target[index] = torch.where(last >= 0, values[last.clamp(min=0)], target[index])


def network(options: settings.Scn, context: Context) -> ScnNetwork:
    """What Table 6 counts."""
    return ScnNetwork(context)


def build(options: settings.Scn, context: Context) -> Scn:
    return Scn(options, context)
