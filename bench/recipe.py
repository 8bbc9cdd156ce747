"""How is a method trained on a dataset?  Optimiser, schedule, sampler, augmentation and sizes; read from
recipes.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from bench.data.catalog import TWINS
from bench.switches import resolve

RECIPES = Path(__file__).parent / "suites" / "recipes.toml"


@dataclass(frozen=True)
class Recipe:
    """One training recipe.  Every field can change the number, so all of them are part of a cell's key.

    `image_size` is the side in pixels of the square input.  `step_size` is in epochs.  `train_limit` and `test_limit`
    keep at most that many images (stratified; the rarest classes whole), None keeps all.
    `sam_rho` > 0 adds sharpness-aware minimisation.  `numeric` is a declared numeric mode: `faithful` is fp32 with
    deterministic algorithms, `fast` is bf16 autocast in channels_last.
    """

    image_size: int = 224
    epochs: int = 40
    batch_size: int = 256
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    lr: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 1e-4
    scheduler: Literal["step", "exponential", "cosine", "constant"] = "step"
    step_size: int = 10
    gamma: float = 0.1
    sampler: Literal["shuffle", "balanced"] = "shuffle"
    augment: Literal["rafdb", "affectnet", "sfew", "none"] = "rafdb"
    sam_rho: float = 0.0
    train_limit: int | None = None
    test_limit: int | None = None
    numeric: Literal["faithful", "fast"] = "faithful"


@cache
def _tables() -> dict[str, dict[str, Any]]:
    return tomllib.loads(RECIPES.read_text(encoding="utf-8"))


def recipe(dataset: str, budget: str, overrides: Mapping[str, Any] | None = None, where: str = "") -> Recipe:
    """The shared recipe of a dataset under a budget, changed by `overrides` (a method's own recipe, a suite's numeric
    mode).

    A twin is trained as the dataset that it stands in for.  The quick budget is the full recipe with recipes.toml's
    `quick` table laid over it, first the shared part, then the dataset's.
    """
    name = TWINS.get(dataset, dataset)
    tables = _tables()
    values = dict(tables["full"][name])
    if budget == "quick":
        values |= tables["quick"].get("every", {}) | tables["quick"].get(name, {})
    return resolve(Recipe, values | dict(overrides or {}), where or RECIPES.name)
