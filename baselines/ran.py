"""Does looking at regions of the face, and weighing them, help?  Region attention network (RAN).

Paper: Wang et al. 2020 (IEEE TIP), "Region Attention Networks for Pose and Occlusion Robust Facial Expression
Recognition", arXiv 1905.04075.
Code: github.com/kaiwang960112/Challenge-condition-FER-dataset (AffectNet_dir and FERplus_dir: part_attention*.py,
train_*.py).
Departures: the eight regions are those of the authors' AffectNet reader; the five crops of `regions = six` are the
paper's fixed cropping from the literature (unverified: that reader was not released).  Regions are cut from the
augmented, normalised batch, and enlarged bilinearly.  The margin is AffectNet's 0.02 or 0.03 by sampler, FERPlus's 0.1:
one switch here, 0.02.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines import settings
from baselines.backbone import FEATURES, trunk
from bench.method import Batch, Context, Method, Step


class Box(NamedTuple):
    """A square region, in fractions of the image's side."""

    left: float
    top: float
    side: float


TOP_LEFT, TOP_RIGHT = Box(0, 0, 0.75), Box(0.25, 0, 0.75)
TOP, BOTTOM = Box(0.125, 0, 0.75), Box(0.125, 0.25, 0.75)
WHOLE = Box(0, 0, 1)


REGIONS: dict[str, tuple[Box, ...]] = {  # the whole image is last, as in the authors' code
    "six": (TOP_LEFT, TOP_RIGHT, BOTTOM, Box(0.05, 0.05, 0.9), Box(0.075, 0.075, 0.85), WHOLE),
    "eight": (
        BOTTOM,
        TOP_LEFT,
        TOP_RIGHT,
        Box(0.05, 0.05, 0.9),
        Box(0.1, 0.1, 0.8),
        Box(0.125, 0.125, 0.75),
        TOP,
        WHOLE,
    ),
}


class RanOutput(NamedTuple):
    """`logits` (N, C); `mu` (N, R), the self-attention of the R regions, which sums to 1."""

    logits: Tensor
    mu: Tensor


class RanNetwork(nn.Module):
    """One trunk for all R regions, then two attentions over the regions' features F_k.

    mu = softmax_k sigmoid(q0 . F_k);  F_m = sum_k mu_k F_k;  nu = softmax_k sigmoid(q1 . [F_k; F_m]);
    the image's feature is sum_k mu_k nu_k [F_k; F_m] / sum_k mu_k nu_k, 1024-d.
    """

    def __init__(self, options: settings.Ran, context: Context) -> None:
        super().__init__()
        self.regions = REGIONS[options.regions]
        self.trunk = trunk(context)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.self_attention = nn.Linear(FEATURES, 1)
        self.relation_attention = nn.Linear(2 * FEATURES, 1)
        self.fc = nn.Linear(2 * FEATURES, context.num_classes)

    def forward(self, images: Tensor) -> RanOutput:
        # One region at a time, as the authors do: batch normalisation then sees each region's own statistics.
        maps = (self.trunk(crop(images, box)) for box in self.regions)
        features = torch.stack([self.pool(each.float()).flatten(1) for each in maps], dim=1)  # (N, R, 512)
        mu = self.self_attention(features).float().sigmoid().softmax(dim=1)  # (N, R, 1)
        mean = (mu * features).sum(dim=1, keepdim=True)  # (N, 1, 512)
        related = torch.cat([features, mean.expand_as(features)], dim=2)  # (N, R, 1024)
        nu = self.relation_attention(related).float().sigmoid().softmax(dim=1)  # (N, R, 1)
        image = (mu * nu * related).sum(dim=1) / (mu * nu).sum(dim=1)  # (N, 1024)
        return RanOutput(self.fc(image), mu.squeeze(2))


class Ran(Method):
    """L = CE + mean max(0, margin - (max over crops of mu - mu of the whole image))."""

    def __init__(self, options: settings.Ran, context: Context) -> None:
        super().__init__()
        self.options = options
        self.network = RanNetwork(options, context)

    def logits(self, images: Tensor) -> Tensor:
        return self.network(images).logits

    def step(self, batch: Batch) -> Step:
        output = self.network(batch.images)
        cross_entropy = F.cross_entropy(output.logits.float(), batch.labels)
        bias = region_bias_loss(output.mu, self.options.margin)
        parts = {"cross_entropy": cross_entropy.detach(), "region_bias": bias.detach()}
        return Step(cross_entropy + bias, output.logits, parts)


def crop(images: Tensor, box: Box) -> Tensor:
    """A region of images (N, 3, H, W), enlarged to their size; edges round down to whole pixels."""
    if box == WHOLE:
        return images
    height, width = images.shape[2:]
    top, bottom = int(box.top * height), int((box.top + box.side) * height)
    left, right = int(box.left * width), int((box.left + box.side) * width)
    return F.interpolate(images[:, :, top:bottom, left:right], (height, width), mode="bilinear", align_corners=False)


def region_bias_loss(mu: Tensor, margin: float) -> Tensor:
    """mean_i max(0, margin - (max_{k < R} mu_ik - mu_iR)); `mu` (N, R) with the whole image last."""
    return (margin - (mu[:, :-1].amax(dim=1) - mu[:, -1])).clamp(min=0).mean()


def network(options: settings.Ran, context: Context) -> RanNetwork:
    """What Table 6 counts, with `regions = eight`."""
    return RanNetwork(options, context)


def build(options: settings.Ran, context: Context) -> Ran:
    return Ran(options, context)
