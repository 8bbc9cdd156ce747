"""Does pulling features to their class centre help?  ResNet-18 with L = CE + lambda1 L_C, centres by their own rule.

Paper: Wen et al. 2016 (ECCV), "A Discriminative Feature Learning Approach for Deep Face Recognition".
Code: github.com/ydwen/caffe-face.
Departures: lambda1 = 0.01 is what the facial-expression papers use (the source has 0.003 to 0.008, for face
recognition); the centres' step has no momentum and no weight decay (Caffe's solver would add its own to both).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from baselines import settings
from baselines.backbone import FEATURES
from baselines.centers import center_delta, center_loss, first_centers
from baselines.resnet18 import ResNet18, Term
from bench.method import Batch, Context, Step


class CenterLoss(ResNet18):
    """ResNet-18 and class centres; the centres do not depend on lambda1."""

    centers: Tensor

    def __init__(self, options: settings.CenterLoss, context: Context) -> None:
        super().__init__(context)
        self.options = options
        self.register_buffer("centers", first_centers(context.num_classes, FEATURES))

    def terms(self, x: Tensor, batch: Batch) -> Sequence[Term]:
        return [Term("center", self.options.loss.lambda1, center_loss(x, batch.labels, self.centers))]

    def after_step(self, batch: Batch, step: Step) -> None:
        delta = center_delta(step.kept["features"], batch.labels, self.centers, self.options.convention)
        self.centers -= self.options.alpha * delta


def build(options: settings.CenterLoss, context: Context) -> CenterLoss:
    return CenterLoss(options, context)
