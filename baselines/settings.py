"""Which switches has each competitor, and what are their published values?  Imports no torch: the plan reads this page.

DAN's switches are `dan.options.Options`; the ledger ids stand there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

CenterConvention = Literal["wen", "wen_over_batch", "autograd"]


@dataclass(frozen=True)
class CenterWeight:
    """`lambda1` multiplies the centre loss."""

    lambda1: float = 0.01


@dataclass(frozen=True)
class CenterLoss:
    """Centre loss (Wen et al. 2016; ydwen/caffe-face): `alpha` is the step of the centres' own update rule, `convention` how
    the step counts a class's images (baselines/centers.py; the source is `wen`)."""

    loss: CenterWeight = field(default_factory=CenterWeight)
    alpha: float = 0.5
    convention: CenterConvention = "wen"
