"""Does the registry name every method once, say what it accepts, and stay free of torch?"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from baselines.registry import METHODS, Entry, entry
from bench.errors import UserError
from bench.recipe import Recipe
from bench.spec import variant_of
from bench.switches import flatten, resolve, switches

ROOT = Path(__file__).parent.parent
LIST_A = [
    *("resnet18", "dan", "center_loss", "island_loss", "locality_preserving", "dda_loss", "dacl", "scn", "ran"),
    *("efficientface", "efficientnet_b0", "vit_se", "single_head", "se_resnet18", "cbam_resnet18", "eca_resnet18"),
]


def test_registry_imports_without_torch() -> None:
    heavy = ("torch", "torchvision", "timm", "mlflow", "optuna", "pandas", "scipy", "sklearn")
    code = f"import sys, baselines.registry; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


def test_every_method_of_the_comparison_is_registered() -> None:
    assert [name for name in LIST_A if name not in METHODS] == []


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_one_file_whose_head_names_its_source(name: str) -> None:
    described = METHODS[name]
    assert described.module == f"baselines.{name}"
    spec = importlib.util.find_spec(described.module)
    assert spec is not None and spec.origin is not None
    head = Path(spec.origin).read_text(encoding="utf-8").split('"""')[1]
    assert "?" in head.splitlines()[0] + head.splitlines()[1]
    assert re.search(r"Paper:.+\d{4}", head)
    assert "Code:" in head


@pytest.mark.parametrize("described", METHODS.values(), ids=list(METHODS))
def test_tunable_switches_are_numbers_whose_published_value_can_be_searched(described: Entry) -> None:
    known = switches(described.settings)
    for name, interval in described.tunable.items():
        assert float in known[name].types
        assert interval.low <= known[name].default <= interval.high
        assert interval.low > 0 or not interval.log


@pytest.mark.parametrize("described", METHODS.values(), ids=list(METHODS))
def test_own_recipes_are_recipe_fields_with_possible_values(described: Entry) -> None:
    own = resolve(Recipe, described.own_recipe)
    assert {name: flatten(own)[name] for name in described.own_recipe} == dict(described.own_recipe)


def test_an_unknown_method_gets_the_nearest_names() -> None:
    with pytest.raises(UserError, match=r"paper\.toml, row 2: unknown method 'centre_loss' \(nearest: center_loss"):
        entry("centre_loss", "paper.toml, row 2")


def test_an_unknown_switch_gets_the_nearest_names() -> None:
    with pytest.raises(UserError, match=r"unknown switch 'loss\.lamda1' \(nearest: loss\.lambda1"):
        variant_of("island_loss", {"loss.lamda1": 0.1}, "row 1")
    with pytest.raises(UserError, match=r"normaliser = 'sum' is not possible \(accepts official \| mean\)"):
        variant_of("dda_loss", {"normaliser": "sum"}, "row 1")
