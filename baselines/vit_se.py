"""Does a vision transformer read expressions?  ViT, squeeze-and-excitation on its class token, a linear layer.

Paper: Aouayeb et al. 2021, "Learning Vision Transformer with Squeeze and Excitation for Facial Expression Recognition",
arXiv 2107.03107.
Code: the training recipe was not published; network from timm.
Departures: random weights (the authors start from ImageNet); trained under the shared protocol, no `recipe=own` exists.
`network = vit_s16` is the smaller ViT-S/16.
"""

from __future__ import annotations

import timm
from torch import Tensor, nn

from baselines import settings
from baselines.cross_entropy import CrossEntropy
from bench.errors import UserError
from bench.method import Context

_PATCH = 16
_REDUCTION = 4
_TIMM_NAMES = {"vit_b16": "vit_base_patch16_224", "vit_s16": "vit_small_patch16_224"}


class SqueezeExcitation(nn.Module):
    """x * sigmoid(W2 relu(W1 x)) of vectors (N, D), through D / 4 dimensions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.Linear(width, width // _REDUCTION), nn.ReLU(), nn.Linear(width // _REDUCTION, width), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)


def build(options: settings.VitSe, context: Context) -> CrossEntropy:
    """Raises UserError for an image size that 16-pixel patches do not tile."""
    if context.image_size % _PATCH:
        raise UserError(f"vit_se: image_size = {context.image_size} is not a multiple of its {_PATCH}-pixel patches")
    name = _TIMM_NAMES[options.network]
    vit = timm.create_model(name, pretrained=False, num_classes=0, img_size=context.image_size)
    width = int(vit.num_features)  # type: ignore[arg-type]
    return CrossEntropy(nn.Sequential(vit, SqueezeExcitation(width), nn.Linear(width, context.num_classes)))
