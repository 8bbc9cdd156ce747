"""What is one attention head worth, without any loss around it?  DAN's spatial and channel attention once,
cross-entropy only.

Paper: Wen et al. 2023, "Distract Your Attention", Figure 1 and section 3.2.  Code: github.com/yaoing/DAN.
Departures: the paper prints no such row.  This control is DAN with `heads=1, affinity=none` (one head is neither
normalised nor partitioned, L9); Figure 5's first point, which keeps the affinity loss, is `dan` with `heads=1`.
"""

from __future__ import annotations

from torch import Tensor, nn

from baselines.backbone import load_weights
from baselines.cross_entropy import CrossEntropy
from bench.method import Context
from bench.switches import NoSettings
from dan.model import DAN
from dan.options import Options


class SingleHead(nn.Module):
    """The trunk, one attention head, a linear layer and batch normalisation of the logits, as in DAN."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.dan = DAN(context.num_classes, options=Options(heads=1))
        load_weights(self.dan, context)

    def forward(self, images: Tensor) -> Tensor:
        return self.dan(images).logits


def build(settings: NoSettings, context: Context) -> CrossEntropy:
    return CrossEntropy(SingleHead(context))
