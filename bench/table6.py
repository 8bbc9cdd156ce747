"""Which networks, in which configuration, does Table 6 count?  Its seven rows as data, and the rows that make it fair.

Each `build` gives the configuration that reproduces the printed figure; the note says what that figure really counts.
Counting is bench/cost.py's; building imports torch, reading this page does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from baselines import settings
from bench.switches import NoSettings

if TYPE_CHECKING:
    from torch import nn

FACE = (3, 224, 224)
HEADS = range(1, 9)  # Figure 5


@dataclass(frozen=True)
class Row:
    """One network to count: its name in costs.json, its label in print, how it is built, the image that it sees."""

    name: str
    label: str
    build: Callable[[], nn.Module]
    input: tuple[int, int, int]
    note: str


def _dan(heads: int, classes: int = 7) -> nn.Module:
    from dan.model import DAN

    return _without_storage(lambda: DAN(classes, heads))


def _resnet18(classes: int) -> nn.Module:
    from torch import nn

    from dan.backbone import FEATURE_DIM, resnet18_trunk

    def build() -> nn.Module:
        head = nn.Linear(FEATURE_DIM, classes)
        return nn.Sequential(resnet18_trunk(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)

    return _without_storage(build)


def _competitor(method: str, classes: int, size: int, options: object = None) -> nn.Module:
    """`network(options, context)` of baselines/<method>.py: what its authors' forward pass computes."""
    import torch

    from bench.method import Context

    module = import_module(f"baselines.{method}")
    context = Context("rafdb", classes, size, torch.arange(classes), epochs=1, batch_size=1)
    return _without_storage(lambda: module.network(options or NoSettings(), context))


def _without_storage(build: Callable[[], nn.Module]) -> nn.Module:
    import torch

    with torch.device("meta"):  # DACL alone would draw 92 million numbers that no count needs
        return build()


ROWS: tuple[Row, ...] = (
    Row(
        "efficientface",
        "EfficientFace",
        partial(_competitor, "efficientface", 7, 224, settings.EfficientFace()),
        FACE,
        "7 classes. Its label-distribution generator, a ResNet-50, is used in training only and not counted.",
    ),
    Row(
        "scn",
        "SCN",
        partial(_competitor, "scn", 7, 224, settings.Scn()),
        FACE,
        "7 classes: ResNet-18 and one importance weight.",
    ),
    Row(
        "ran",
        "RAN",
        partial(_competitor, "ran", 8, 224, settings.Ran(regions="eight")),
        FACE,
        "8 classes, and 8 regions of every image (7 crops and the image): eight passes through ResNet-18.",
    ),
    Row(
        "psr",
        "PSR",
        partial(_competitor, "psr", 7, 100),
        (3, 100, 100),
        "7 classes at 100x100, where every other row is at 224x224: see the row at 224.",
    ),
    Row(
        "dacl",
        "DACL",
        partial(_competitor, "dacl", 7, 224, settings.Dacl()),
        FACE,
        "7 classes, with the attention network that the authors' forward pass computes; "
        "classification does not use it and costs what ResNet-18 costs.",
    ),
    Row(
        "resnet18",
        "ResNet-18",
        partial(_resnet18, 1000),
        FACE,
        "The printed figure counts ImageNet's classifier of 1,000 classes, where every other row has 7 or 8.",
    ),
    Row("dan", "DAN", partial(_dan, 4), FACE, "7 classes, 4 heads."),
    Row(
        "resnet18-fair", "ResNet-18, 7 classes", partial(_resnet18, 7), FACE, "Not in the paper: ResNet-18 as compared."
    ),
    Row(
        "psr-224",
        "PSR at 224x224",
        partial(_competitor, "psr", 7, 224),
        FACE,
        "Not in the paper: PSR on the image that the other rows see.",
    ),
    *(
        Row(f"dan-{heads}", f"DAN, {heads} head{'s' * (heads > 1)}", partial(_dan, heads), FACE, "7 classes.")
        for heads in HEADS
    ),
)
