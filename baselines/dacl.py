"""Does a centre loss that attends to the useful dimensions help?  Deep attentive centre loss (DACL).

Paper: Farzaneh and Qi 2021 (WACV), "Facial Expression Recognition in the Wild via Deep Attentive Center Loss".
Code: github.com/amirhfarzaneh/dacl (main.py, loss.py, models/resnet.py).
Departures: the attention network's first layer follows the size of the trunk's map, 7 x 7 at the authors' 224 pixels.
The own recipe has the authors' optimiser and schedule, but not their crops (one of five of 224 out of 256) nor their
normalisation.
"""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from baselines import settings
from baselines.backbone import FEATURES, trunk
from baselines.centers import center_delta, center_loss, first_centers
from bench.method import Batch, Context, Method, Step

TRUNK_STRIDE = 32
HIDDEN = 3584


class DaclOutput(NamedTuple):
    """`features` x (N, 512), `logits` (N, C), `attention` A (N, 512) in (0, 1)."""

    features: Tensor
    logits: Tensor
    attention: Tensor


class DaclNetwork(nn.Module):
    """ResNet-18 whose flattened last map also gives a weight in (0, 1) to each of the 512 features of the image."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.trunk = trunk(context)
        self.pool = nn.AdaptiveAvgPool2d(1)
        side = -(-context.image_size // TRUNK_STRIDE)  # each of the five halvings rounds up
        self.attention = nn.Sequential(
            nn.Linear(FEATURES * side**2, HIDDEN),
            nn.BatchNorm1d(HIDDEN),
            nn.ReLU(inplace=True),
            nn.Linear(HIDDEN, 512),
            nn.BatchNorm1d(512),
            nn.ReLU(inplace=True),
            nn.Linear(512, 64),
            nn.BatchNorm1d(64),
            nn.Tanh(),
            nn.Linear(64, 2 * FEATURES),
        )
        for layer in self.attention:
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight)
                nn.init.zeros_(layer.bias)
        self.fc = nn.Linear(FEATURES, context.num_classes)

    def forward(self, images: Tensor) -> DaclOutput:
        maps = self.trunk(images)  # (N, 512, h, w)
        pairs = self.attention(maps.flatten(1)).unflatten(1, (FEATURES, 2))  # (N, 512, 2)
        x = self.pool(maps.float()).flatten(1)  # (N, 512)
        return DaclOutput(x, self.fc(x), pairs.float().softmax(dim=2)[:, :, 1])

    def classify(self, images: Tensor) -> Tensor:
        """The logits alone, which do not depend on the attention."""
        return self.fc(self.pool(self.trunk(images).float()).flatten(1))


class Dacl(Method):
    """L = CE + lambda1 / 2m sum_i sum_d A_id (x_id - c_{y_i},d)^2; the centres move by their own rule, with A, without
    lambda1."""

    centers: Tensor

    def __init__(self, options: settings.Dacl, context: Context) -> None:
        super().__init__()
        self.options = options
        self.network = DaclNetwork(context)
        self.register_buffer("centers", first_centers(context.num_classes, FEATURES, init="kaiming"))

    def logits(self, images: Tensor) -> Tensor:
        return self.network.classify(images)

    def step(self, batch: Batch) -> Step:
        output = self.network(batch.images)
        cross_entropy = F.cross_entropy(output.logits.float(), batch.labels)
        center = center_loss(output.features, batch.labels, self.centers, output.attention)
        parts = {"cross_entropy": cross_entropy.detach(), "center": center.detach()}
        kept = {"features": output.features.detach(), "attention": output.attention.detach()}
        return Step(cross_entropy + self.options.loss.lambda1 * center, output.logits, parts, kept)

    def after_step(self, batch: Batch, step: Step) -> None:
        x, attention = step.kept["features"], step.kept["attention"]
        delta = center_delta(x, batch.labels, self.centers, attention=attention)
        self.centers -= self.options.alpha * delta


def network(options: settings.Dacl, context: Context) -> DaclNetwork:
    """What Table 6 counts."""
    return DaclNetwork(context)


def build(options: settings.Dacl, context: Context) -> Dacl:
    return Dacl(options, context)
