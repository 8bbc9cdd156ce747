"""What does squeeze-and-excitation reach in the place of DAN's heads?  A control.

Paper: Hu et al. 2018 (CVPR), "Squeeze-and-Excitation Networks", arXiv 1709.01507.
Code: github.com/hujie-frank/SENet; built with timm's layer (baselines/attention_resnet.py, with its departures).
"""

from __future__ import annotations

from baselines.attention_resnet import attention_resnet18
from baselines.cross_entropy import CrossEntropy
from bench.method import Context
from bench.switches import NoSettings


def build(settings: NoSettings, context: Context) -> CrossEntropy:
    return attention_resnet18("se", context)
