"""Does the ledger name every departure, is each runnable one runnable, and is a mistake in it one clear line?"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from baselines.dan import build
from baselines.deviations import Deviation, load_ledger, parse_ledger
from baselines.registry import METHODS
from bench.data.catalog import DATASETS
from bench.errors import UserError
from bench.method import Batch, Context
from bench.recipe import recipe
from bench.spec import variant_of
from bench.switches import flatten, resolve

ROOT = Path(__file__).parent.parent
LEDGER = load_ledger()
ROWS = [f"L{n}" for n in range(1, 11)] + [f"A{n}" for n in range(1, 8)] + [f"T{n}" for n in range(1, 12)]
SWITCHED = [variant for variant in LEDGER.variants if variant.switches]
RETRAINED = [variant for variant in LEDGER.variants if variant.recipe]
LOST_IN_ROUNDING = {"L7"}  # 2.2e-16 beside a mean variance in single precision


def id_of(variant: Deviation) -> str:
    return variant.id


def test_every_row_of_the_ledger_is_there_and_none_is_both_runnable_and_fixed() -> None:
    runnable, fixed = {variant.row for variant in LEDGER.variants}, {row.id for row in LEDGER.fixed}
    assert sorted(runnable | fixed) == sorted(ROWS)
    assert runnable & fixed == set()


def test_every_switch_of_dan_that_names_a_ledger_row_is_run_by_that_row() -> None:
    """The ids in the comments of dan/options.py against the switches of the ledger's variants."""
    named = set(re.findall(r"# ([LA]\d+):", (ROOT / "dan" / "options.py").read_text(encoding="utf-8")))
    assert named <= {variant.row for variant in SWITCHED}


@pytest.mark.parametrize("variant", SWITCHED, ids=id_of)
def test_each_switch_differs_from_the_default_and_is_a_suite_variant(variant: Deviation) -> None:
    settings = METHODS[variant.method].settings
    assert resolve(settings, dict(variant.switches)) != settings()
    assert variant_of(variant.method, dict(variant.switches)) == variant.switches


@pytest.mark.parametrize("variant", RETRAINED, ids=id_of)
def test_each_recipe_differs_from_the_default_on_its_datasets(variant: Deviation) -> None:
    for dataset in variant.datasets or DATASETS:
        assert recipe(dataset, "full", dict(variant.recipe)) != recipe(dataset, "full"), dataset


def test_recipes_that_move_a_dataset_to_another_are_that_other_ones() -> None:
    fields = ("optimizer", "lr", "weight_decay", "scheduler", "gamma")
    for name, other in (("T2.adam", "affectnet7"), ("T2.sgd", "rafdb")):
        variant = LEDGER.variant(name)
        for dataset in variant.datasets:
            moved = flatten(recipe(dataset, "full", dict(variant.recipe)))
            assert {key: moved[key] for key in fields} == {key: flatten(recipe(other, "full"))[key] for key in fields}


@pytest.mark.parametrize("variant", SWITCHED, ids=id_of)
def test_each_switched_variant_trains_to_another_state(variant: Deviation) -> None:
    images = torch.randn(6, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    batch = Batch(images, torch.arange(6), torch.arange(6), 1)
    states = []
    for switches in ({}, dict(variant.switches)):
        torch.manual_seed(0)
        context = Context("rafdb", 7, 32, torch.arange(7), epochs=1, batch_size=6)
        method = build(resolve(METHODS["dan"].settings, switches), context).train()
        optimizer = torch.optim.SGD(list(method.parameter_groups(0.1)), lr=0.1, weight_decay=1e-4)
        step = method.step(batch)
        assert torch.isfinite(step.loss)
        step.loss.backward()
        optimizer.step()
        states.append(method.state_dict())
    same = list(states[0]) == list(states[1]) and all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert same is (variant.id in LOST_IN_ROUNDING)


def test_the_ledger_reads_without_torch() -> None:
    code = "import sys, baselines.deviations as d; d.load_ledger(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "False"


def test_an_unknown_deviation_gets_the_nearest_ids() -> None:
    with pytest.raises(UserError, match=r"unknown deviation 'L2\.men' \(nearest: L2\.mean"):
        LEDGER.variant("L2.men")


GOOD = {"id": "L1", "meaning": "m", "paper": "p", "code": "c", "switches": {"affinity.reduction": "sum"}}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (GOOD | {"switchs": {}}, r"x\.toml, variant L1: unknown key 'switchs' \(nearest: switches"),
        (GOOD | {"id": "one"}, r"id = 'one' must be a ledger row"),
        (GOOD | {"meaning": ""}, r"the key 'meaning' is missing"),
        (GOOD | {"method": "dam"}, r"x\.toml, variant L1: unknown method 'dam' \(nearest: dan"),
        (GOOD | {"switches": {}}, r"a variant changes something"),
        (GOOD | {"switches": 3}, r"switches must be a table"),
        (GOOD | {"switches": {"affinity.reductoin": "sum"}}, r"unknown switch 'affinity\.reductoin' \(nearest: "),
        (GOOD | {"switches": {"affinity.reduction": "max"}}, r"'max' is not possible \(accepts mean \| sum\)"),
        (GOOD | {"recipe": {"epoch": 1}}, r"unknown switch 'epoch' \(nearest: epochs"),
        (GOOD | {"datasets": ["rafbd"]}, r"unknown dataset 'rafbd' \(nearest: rafdb"),
        (GOOD | {"datasets": "rafdb"}, r"datasets must be a list"),
    ],
)
def test_a_mistake_in_the_ledger_is_one_clear_line(row: dict[str, object], message: str) -> None:
    parse_ledger({"variant": [GOOD]}, "x.toml")
    with pytest.raises(UserError, match=message) as raised:
        parse_ledger({"variant": [row]}, "x.toml")
    assert "\n" not in str(raised.value)


def test_rows_that_repeat_an_id_or_stand_outside_the_lists_are_refused() -> None:
    with pytest.raises(UserError, match=r"x\.toml: two rows have the id 'L1'"):
        parse_ledger({"variant": [GOOD, GOOD]}, "x.toml")
    with pytest.raises(UserError, match=r"x\.toml: unknown key 'varient' \(nearest: variant"):
        parse_ledger({"varient": []}, "x.toml")
    with pytest.raises(UserError, match=r"x\.toml: write each variant as \[\[variant\]\]"):
        parse_ledger({"variant": GOOD}, "x.toml")
