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
    `trunk` says whether it starts from the shared ResNet-18 trunk (and so from the suite's weights) or from a network
    of its own.  `tunable` are search intervals by switch name.  `own_recipe` are the recipe fields (bench/recipe.py)
    that the method's authors prescribe: the variant `recipe=own`.
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
    "island_loss": Entry(
        "Island loss",
        "baselines.island_loss",
        settings.IslandLoss,
        tunable={"loss.lambda1": Range(1e-4, 1e0), "loss.pairwise": Range(1e-1, 1e2)},
    ),
    "locality_preserving": Entry(
        "Locality preserving (DLP-CNN)",
        "baselines.locality_preserving",
        settings.LocalityPreserving,
        tunable={"loss.lambda1": Range(1e-5, 1e-1)},
    ),
    "dda_loss": Entry(
        "DDA loss",
        "baselines.dda_loss",
        settings.DdaLoss,
        tunable={"loss.lambda1": Range(1e-4, 1e0), "loss.gamma": Range(1e-1, 1e2)},
        own_recipe={"optimizer": "sgd", "lr": 0.01, "momentum": 0.9, "weight_decay": 5e-4},
    ),
    "single_head": Entry("Single attention head", "baselines.single_head"),
    "se_resnet18": Entry("SE-ResNet-18", "baselines.se_resnet18"),
    "cbam_resnet18": Entry("CBAM-ResNet-18", "baselines.cbam_resnet18"),
    "eca_resnet18": Entry("ECA-ResNet-18", "baselines.eca_resnet18"),
    "efficientnet_b0": Entry(
        "EfficientNet-B0",
        "baselines.efficientnet_b0",
        settings.EfficientNetB0,
        trunk="own",
        own_recipe={
            "optimizer": "adam",
            "lr": 1e-4,
            "weight_decay": 0.0,
            "batch_size": 64,
            "epochs": 9,
            "scheduler": "constant",
            "sam_rho": 0.05,
        },
    ),
    "vit_se": Entry("ViT + SE", "baselines.vit_se", settings.VitSe, trunk="own"),
    "dacl": Entry(
        "DACL",
        "baselines.dacl",
        settings.Dacl,
        tunable={"loss.lambda1": Range(1e-4, 1e0)},
        own_recipe={
            "optimizer": "sgd",
            "lr": 0.01,
            "momentum": 0.9,
            "weight_decay": 5e-4,
            "batch_size": 64,
            "epochs": 60,
            "scheduler": "step",
            "step_size": 20,
            "gamma": 0.1,
            "sampler": "shuffle",
        },
    ),
    "scn": Entry(
        "SCN",
        "baselines.scn",
        settings.Scn,
        tunable={"rank.margin": Range(1e-2, 1e0), "relabel.margin": Range(0.05, 0.8, log=False)},
        own_recipe={
            "optimizer": "adam",
            "lr": 1e-3,
            "weight_decay": 1e-4,
            "batch_size": 64,
            "epochs": 70,
            "scheduler": "exponential",
            "gamma": 0.9,
            "sampler": "shuffle",
        },
    ),
    "ran": Entry("RAN", "baselines.ran", settings.Ran, tunable={"margin": Range(1e-3, 0.3)}),
    "efficientface": Entry(
        "EfficientFace",
        "baselines.efficientface",
        settings.EfficientFace,
        trunk="own",
        own_recipe={
            "optimizer": "sgd",
            "lr": 0.1,
            "momentum": 0.9,
            "weight_decay": 1e-4,
            "batch_size": 128,
            "epochs": 100,
            "scheduler": "step",
            "step_size": 30,
            "gamma": 0.1,
            "sampler": "shuffle",
        },
    ),
    "esr9": Entry("ESR-9", "baselines.esr9", settings.Esr9, trunk="own"),
}


def entry(method: str, where: str = "") -> Entry:
    """The entry of a method; UserError with the nearest names for one that does not exist."""
    if method not in METHODS:
        raise unknown("method", method, METHODS, where)
    return METHODS[method]
