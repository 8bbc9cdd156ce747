"""What does the convolutional block attention module (channel, then spatial) reach in the place of DAN's heads?  A
control.

Paper: Woo et al. 2018 (ECCV), "CBAM: Convolutional Block Attention Module", arXiv 1807.06521.
Code: github.com/Jongchan/attention-module; built with timm's layer (baselines/attention_resnet.py, with its
departures).
"""

from __future__ import annotations

from baselines.attention_resnet import attention_resnet18
from baselines.cross_entropy import CrossEntropy
from bench.method import Context
from bench.switches import NoSettings


def build(settings: NoSettings, context: Context) -> CrossEntropy:
    return attention_resnet18("cbam", context)
