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
    """Centre loss (Wen et al. 2016; ydwen/caffe-face): `alpha` is the step of the centres' own update rule,
    `convention` how the step counts a class's images (baselines/centers.py; the source is `wen`)."""

    loss: CenterWeight = field(default_factory=CenterWeight)
    alpha: float = 0.5
    convention: CenterConvention = "wen"


@dataclass(frozen=True)
class IslandWeights:
    """`lambda1` multiplies centre loss and island term (the paper's lambda), `pairwise` the island term in it (its
    lambda1)."""

    lambda1: float = 0.01
    pairwise: float = 10.0


@dataclass(frozen=True)
class IslandLoss:
    """Island loss (Cai et al. 2018): `alpha` is the step of the centres' own update rule."""

    loss: IslandWeights = field(default_factory=IslandWeights)
    alpha: float = 0.5


@dataclass(frozen=True)
class LocalityWeight:
    """`lambda1` multiplies the locality-preserving loss, a sum over the batch."""

    lambda1: float = 0.003


@dataclass(frozen=True)
class LocalityPreserving:
    """Locality-preserving loss (Li et al. 2017): `neighbours` is the largest k."""

    loss: LocalityWeight = field(default_factory=LocalityWeight)
    neighbours: int = 20


DdaNormaliser = Literal["official", "mean"]


@dataclass(frozen=True)
class DdaWeights:
    """`lambda1` multiplies the centre loss, `gamma` the softmax over distances (4 in the README, 3 in the code)."""

    lambda1: float = 0.01
    gamma: float = 4.0


@dataclass(frozen=True)
class DdaLoss:
    """DDA loss (Farzaneh and Qi 2020): `normaliser` divides the mean by 2m as the code does or by 2; `alpha` is the
    step of the centres' own update rule."""

    loss: DdaWeights = field(default_factory=DdaWeights)
    normaliser: DdaNormaliser = "official"
    alpha: float = 0.5


@dataclass(frozen=True)
class EfficientNetB0:
    """EfficientNet-B0 (Savchenko 2021): the authors use 3 head-only epochs, smoothing 0.1 and class weights."""

    head_epochs: int = 0
    label_smoothing: float = 0.0
    class_weights: bool = False


@dataclass(frozen=True)
class VitSe:
    """ViT with squeeze-and-excitation (Aouayeb et al. 2021): which ViT."""

    network: Literal["vit_b16", "vit_s16"] = "vit_b16"


@dataclass(frozen=True)
class Dacl:
    """Deep attentive centre loss (Farzaneh and Qi 2021): `alpha` is the step of the centres' own update rule."""

    loss: CenterWeight = field(default_factory=CenterWeight)
    alpha: float = 0.5


@dataclass(frozen=True)
class Rank:
    """The mean importance of the most important share `beta` of a batch exceeds that of the rest by `margin`, the
    paper's delta1."""

    beta: float = 0.7
    margin: float = 0.07


@dataclass(frozen=True)
class Relabel:
    """Which images of a batch may change their label: all (`batch`, the code), the less important (`low`, paper and
    README) or none; from which `epoch`; and by which `margin` the largest probability exceeds the label's.  A run
    shorter than that epoch relabels from the same fraction of training (`scaled`) or `never`."""

    kind: Literal["batch", "low", "none"] = "batch"
    epoch: int = 10
    margin: float = 0.2
    short_run: Literal["scaled", "never"] = "scaled"


@dataclass(frozen=True)
class Scn:
    """Self-cure network (Wang et al. 2020)."""

    rank: Rank = field(default_factory=Rank)
    relabel: Relabel = field(default_factory=Relabel)


@dataclass(frozen=True)
class Ran:
    """Region attention network (Wang et al. 2020): `regions` are five or seven crops, and the image; `margin` is that
    of the region bias loss."""

    regions: Literal["six", "eight"] = "six"
    margin: float = 0.02


@dataclass(frozen=True)
class EfficientFaceLoss:
    """The loss is a mean over `samples`, or over the `elements` of the N x C matrix as in the authors' code."""

    mean: Literal["samples", "elements"] = "samples"


@dataclass(frozen=True)
class EfficientFace:
    """EfficientFace (Zhao et al. 2021) with hard labels."""

    loss: EfficientFaceLoss = field(default_factory=EfficientFaceLoss)


@dataclass(frozen=True)
class Esr9:
    """Ensemble with shared representations (Siqueira et al. 2020): whether the branches train `together` or join one by
    one (`grow`), and how they decide."""

    schedule: Literal["together", "grow"] = "together"
    decision: Literal["majority", "mean"] = "majority"
