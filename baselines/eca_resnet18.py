"""What does efficient channel attention reach in the place of DAN's heads?  A control.

Paper: Wang et al. 2020 (CVPR), "ECA-Net: Efficient Channel Attention for Deep CNNs", arXiv 1910.03151.
Code: github.com/BangguWu/ECANet; built with timm's layer (baselines/attention_resnet.py, with its departures).
"""

from __future__ import annotations

from baselines.attention_resnet import attention_resnet18
from baselines.cross_entropy import CrossEntropy
from bench.method import Context
from bench.switches import NoSettings


def build(settings: NoSettings, context: Context) -> CrossEntropy:
    return attention_resnet18("eca", context)
