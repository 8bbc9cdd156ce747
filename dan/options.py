"""Which choices does DAN leave open, and what does the official code choose?  Imports no torch: plans and help read it.

Every field is a switch of the deviation ledger (L1-L10, A1-A6), its default the behaviour of the official code
(github.com/yaoing/DAN).  "Paper" is Wen et al., "Distract Your Attention", sections 3.1-3.4.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, Literal, get_args, get_origin, get_type_hints

OFFICIAL_RAFDB_CENTERS = 8  # the RAF-DB script keeps its class's default argument though the data has 7 classes


@cache  # a plan makes thousands of options
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


class _Checked:
    """Refuses a misspelled choice and a number below zero, which no switch here can mean, with a ValueError."""

    def __post_init__(self) -> None:
        hints = _hints(type(self))  # type: ignore[arg-type]
        for switch in fields(self):  # type: ignore[arg-type]
            value, hint = getattr(self, switch.name), hints[switch.name]
            if get_origin(hint) is Literal and value not in get_args(hint):
                raise ValueError(f"{switch.name} = {value!r} is not one of {', '.join(get_args(hint))}")
            if isinstance(value, (int, float)) and not 0 <= value < math.inf:
                raise ValueError(f"{switch.name} = {value} must be a finite number, zero or more")


@dataclass(frozen=True)
class Affinity(_Checked):
    """The loss on the backbone's pooled features (Eq. 2)."""

    # L10: `center` is the loss without its denominator, `none` drops it.  Table 5 has both rows, but no public code.
    kind: Literal["affinity", "center", "none"] = "affinity"
    # L1: the paper sums over the batch, the code divides by the batch size.
    reduction: Literal["mean", "sum"] = "mean"
    # L2: sigma_c^2 summed over the feature dimensions (the trace of the centres' covariance) or averaged over them.
    sigma: Literal["trace", "mean"] = "trace"
    # L2: the variance over centres divides by their number less one.
    unbiased: bool = True
    # L2: True keeps the gradient from flowing into the centres through sigma_c^2, which is what pushes them apart.
    detach: bool = False
    # L3: `official` is 8 on RAF-DB and the number of classes elsewhere, `dataset` the number of classes everywhere.
    num_centers: Literal["official", "dataset"] = "official"
    # L10: lambda of the centre loss (Wen et al. 2016, Eq. 5); multiplies L_C, under lambda1, where kind = center.
    center_weight: float = 0.01
    # L10: the step of the centres' own rule (Wen et al. 2016, Eq. 4) where kind = center.  0 leaves the centres to the
    # optimiser, whose gradient carries center_weight: at its own rate they hardly move.
    center_alpha: float = 0.5


@dataclass(frozen=True)
class Centers(_Checked):
    """The class centres c of Eq. 2 (L4): "already computed" in the paper, a parameter of the optimiser in the code."""

    # L4: standard normal; its absolute value (non-negative, as pooled ReLU features are); or zero (kind = center only).
    init: Literal["randn", "half_normal", "zeros"] = "randn"
    # L4: a factor on the optimiser's learning rate, so that its schedule holds for the centres too; None is 1.
    lr: float | None = None
    # L4: weight decay of the centres, in the optimiser's unit; None is the optimiser's own.
    weight_decay: float | None = None
    # L4: True keeps the centres where they started.
    frozen: bool = False


@dataclass(frozen=True)
class Partition(_Checked):
    """The loss that spreads the heads (Eq. 6); skipped with one head, where the variance does not exist (L9)."""

    # L6: log(1 + K / mean variance) as in the code, the mean of log(1 + K / variance) as printed, or no such loss.
    form: Literal["log_of_mean", "mean_of_log", "none"] = "log_of_mean"
    # L7: added to the variance; 0 is Eq. 6 as printed, infinite as soon as all heads agree in one channel.
    eps: float = sys.float_info.epsilon
    # L8: the variance over heads divides by their number less one.
    unbiased: bool = True


@dataclass(frozen=True)
class Spatial(_Checked):
    """The spatial attention map H_j of Eq. 3 (A1)."""

    # A1: the 512 channels of the map summed to one, averaged to one, or kept (the Hadamard product as printed).
    reduce: Literal["sum", "mean", "none"] = "sum"
    # A1: squashes the map, after its reduction, into (0, 1).
    gate: Literal["none", "sigmoid"] = "none"


@dataclass(frozen=True)
class Head(_Checked):
    """The classifier on the fused features."""

    # A5: batch normalisation of the logits, which the paper does not mention.
    logit_bn: bool = True


@dataclass(frozen=True)
class LossWeights(_Checked):
    """The weights of Eq. 7: lambda1 for the affinity loss, lambda2 for the partition loss, 1 for the cross-entropy."""

    lambda1: float = 1.0
    lambda2: float = 1.0


@dataclass(frozen=True)
class Options(_Checked):
    """Every switch of the model and its losses.  `Options()` is the official code.

    Raises ValueError for a choice that does not exist, a negative number, or fewer than one head.
    """

    # K of Eqs. 3-6 (Figure 5: 1 to 8).
    heads: int = 4
    affinity: Affinity = field(default_factory=Affinity)
    centers: Centers = field(default_factory=Centers)
    partition: Partition = field(default_factory=Partition)
    spatial: Spatial = field(default_factory=Spatial)
    head: Head = field(default_factory=Head)
    # A6: log-softmax over the heads before they are summed (Eq. 5), or their plain sum.  One head is always plain (L9).
    fusion: Literal["log_softmax", "none"] = "log_softmax"
    loss: LossWeights = field(default_factory=LossWeights)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.heads < 1:
            raise ValueError(f"heads = {self.heads} must be 1 or more")


OFFICIAL = Options()


def number_of_centers(affinity: Affinity, dataset: str, num_classes: int) -> int:
    """How many class centres to train on `dataset`, the harness's name for it; a twin has as many as its original."""
    if affinity.num_centers == "official" and dataset.removesuffix("-twin") == "rafdb":
        return OFFICIAL_RAFDB_CENTERS  # deviates: L3
    return num_classes
