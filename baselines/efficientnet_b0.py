"""How far does a small, well-made classifier get?  EfficientNet-B0, the trunk of HSEmotion.

Paper: Savchenko 2021 (SISY), "Facial expression and attributes recognition based on multi-task learning of
lightweight neural networks", arXiv 2103.17107.
Code: github.com/av-savchenko/face-emotion-recognition; network from timm.
Departures: the authors start from VGGFace2 weights, which the shared protocol does not have: random weights
here.  The shared protocol uses plain cross-entropy; the authors' training is the variant `recipe=own` (Adam 1e-4 with
SAM) with `head_epochs=3`, `label_smoothing=0.1`, `class_weights=true`.  There the head learns at the recipe's one
learning rate, theirs at 1e-3 while it learns alone.
"""

from __future__ import annotations

from typing import Any

import timm
import torch
import torch.nn.functional as F
from torch import Tensor

from baselines import settings
from bench.method import Batch, Context, Method, Step


class EfficientNetB0(Method):
    """timm's network; its head alone learns in the first `head_epochs` epochs."""

    reads_epoch = True
    network: Any  # timm's, with forward_features and forward_head
    class_weights: Tensor | None

    def __init__(self, options: settings.EfficientNetB0, context: Context) -> None:
        super().__init__()
        self.options = options
        self.network = timm.create_model("efficientnet_b0", pretrained=False, num_classes=context.num_classes)
        weights = inverse_frequency(context.train_labels, context.num_classes) if options.class_weights else None
        self.register_buffer("class_weights", weights)

    def logits(self, images: Tensor) -> Tensor:
        return self.network(images)

    def step(self, batch: Batch) -> Step:
        features = self.network.forward_features(batch.images)  # (N, 1280, h, w)
        if batch.epoch <= self.options.head_epochs:
            features = features.detach()
        logits = self.network.forward_head(features)
        smoothing = self.options.label_smoothing
        loss = F.cross_entropy(logits.float(), batch.labels, self.class_weights, label_smoothing=smoothing)
        return Step(loss, logits, {"cross_entropy": loss.detach()})


def inverse_frequency(labels: Tensor, num_classes: int) -> Tensor:
    """Class weights (C,) in proportion to one over the images of the class, the most frequent class at 1; a class
    without images weighs nothing."""
    counts = torch.bincount(labels, minlength=num_classes).float()
    return torch.where(counts > 0, counts.max() / counts.clamp(min=1), torch.zeros_like(counts))


def build(options: settings.EfficientNetB0, context: Context) -> EfficientNetB0:
    return EfficientNetB0(options, context)
