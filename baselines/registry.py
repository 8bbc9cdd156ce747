"""Which methods exist?  One entry a method: its file, its switches, what can be tuned.  Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from baselines import settings
from bench.errors import unknown
from bench.switches import NoSettings
from dan.options import Options


@dataclass(frozen=True)
class Range:
    """The search interval of a tunable switch; its published value is the switch's default."""

    low: float
    high: float
    log: bool = True


@dataclass(frozen=True)
class Entry:
    """One method.

    `module` has `build(settings, context) -> bench.method.Method`.  `settings` is the dataclass of its switches.
    `trunk` says whether it starts from the shared ResNet-18 trunk (and so from the suite's weights) or from a network of
    its own.  `tunable` are search intervals by switch name.  `own_recipe` are the recipe fields (bench/recipe.py) that the
    method's authors prescribe: the variant `recipe=own`.
    """

    title: str
    module: str
    settings: type = NoSettings
    trunk: Literal["resnet18", "own"] = "resnet18"
    tunable: Mapping[str, Range] = field(default_factory=dict)
    own_recipe: Mapping[str, Any] = field(default_factory=dict)


WEIGHT = Range(1e-3, 1e1)

METHODS: dict[str, Entry] = {
    "resnet18": Entry("ResNet-18", "baselines.resnet18"),
    "dan": Entry("DAN", "baselines.dan", Options, tunable={"loss.lambda1": WEIGHT, "loss.lambda2": WEIGHT}),
    "center_loss": Entry("Centre loss", "baselines.center_loss", settings.CenterLoss, tunable={"loss.lambda1": WEIGHT}),
}


def entry(method: str, where: str = "") -> Entry:
    """The entry of a method; UserError with the nearest names for one that does not exist."""
    if method not in METHODS:
        raise unknown("method", method, METHODS, where)
    return METHODS[method]
