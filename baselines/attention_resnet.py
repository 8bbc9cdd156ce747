"""What does a known attention block do in the place of DAN's heads?  timm's ResNet-18 with one after every residual
branch.

Code: github.com/huggingface/pytorch-image-models (timm/models/resnet.py, timm/layers).
Departures: the last batch normalisation of a block starts at one, as in the shared trunk (timm starts it at
zero).  The trunk's layers start from the same weights as every ResNet-18 row, the attention layers, which no file of
trunk weights has, from timm's own initialisation.
"""

from __future__ import annotations

from typing import Literal

import timm

from baselines.backbone import load_weights
from baselines.cross_entropy import CrossEntropy
from bench.method import Context


def attention_resnet18(attention: Literal["se", "cbam", "eca"], context: Context) -> CrossEntropy:
    """ResNet-18 with timm's attention layer of that name in every block, trained with cross-entropy."""
    network = timm.create_model(
        "resnet18",
        pretrained=False,
        num_classes=context.num_classes,
        block_args={"attn_layer": attention},
        zero_init_last=False,
    )
    load_weights(network, context)
    return CrossEntropy(network)
