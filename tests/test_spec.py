"""Is a suite read strictly, and does it ask for the cells that its tables need?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from baselines.registry import METHODS
from bench.errors import UserError
from bench.report import reported
from bench.spec import Row, cells_of, slug, stand_ins, variant_of
from bench.suite_file import SUITES, load_suite, parse_suite

NAMES = sorted(file.stem for file in SUITES.glob("*.toml") if file.stem != "recipes")


def suite(**changes: Any) -> dict[str, Any]:
    """The content of a small suite, with one table whose keys `changes` replace."""
    rows = [{"method": "resnet18"}, {"method": "dan", "variant": {"heads": 1}, "label": "1 head"}, {"method": "dan"}]
    table = {"id": "t", "kind": "comparison", "datasets": ["rafdb", "facial_expressions"], "rows": rows}
    return {"name": "s", "seeds": {"quick": [0, 1]}, "tables": [table | changes]}


@pytest.mark.parametrize("name", NAMES)
def test_every_suite_of_the_project_loads_and_has_seeds_for_both_budgets(name: str) -> None:
    loaded = load_suite(name)
    assert loaded.tables
    assert set(loaded.seeds) == {"quick", "full"} and all(loaded.seeds.values())


def test_the_paper_suite_trains_every_row_of_the_papers_tables_that_it_can() -> None:
    (comparison,) = (table for table in load_suite("paper").tables if table.kind == "comparison")
    trained = {row.method for row in comparison.rows}
    printed = reported.load(Path(__file__).parent.parent / "results" / "reported").accuracies
    wanted = {row.method for row in printed if row.table in "1234" and row.retrained and row.method in METHODS}
    assert wanted <= trained
    assert wanted


def test_the_heads_curve_has_one_to_eight_heads_and_four_are_the_published_method() -> None:
    (curve,) = (table for table in load_suite("paper").tables if table.kind == "curve")
    heads = [dict(row.variant).get("heads", 4) for row in curve.rows]
    assert heads == list(range(1, 9))
    assert curve.rows[3].variant == ()


def test_cells_are_each_once_in_the_order_of_the_rows_with_seeds_innermost() -> None:
    cells = cells_of(parse_suite(suite(), "s"), ["facial_expressions"], "quick", (0, 1), "none", "faithful")
    assert [(cell.method, slug(cell.variant), cell.seed) for cell in cells] == [
        ("resnet18", "default", 0), ("resnet18", "default", 1),
        ("dan", "heads=1", 0), ("dan", "heads=1", 1),
        ("dan", "default", 0), ("dan", "default", 1),
    ]  # fmt: skip
    assert cells[2].name == "facial_expressions/dan/heads=1/paper-quick-none-faithful/s0"
    content = suite()
    content["tables"].append(content["tables"][0] | {"id": "again"})
    assert cells_of(parse_suite(content, "s"), ["facial_expressions"], "quick", (0, 1), "none", "faithful") == cells


def test_only_methods_on_the_shared_trunk_start_from_the_suites_weights() -> None:
    content = suite(rows=[{"method": "dan"}, {"method": "efficientface"}])
    cells = cells_of(parse_suite(content, "s"), ["rafdb"], "full", (0,), "msceleb", "faithful")
    assert {cell.method: cell.weights for cell in cells} == {"dan": "msceleb", "efficientface": "none"}


@pytest.mark.parametrize(
    ("present", "found"),
    [
        (["rafdb", "rafdb-twin"], ("rafdb",)),
        (["rafdb-twin", "facial_expressions"], ("rafdb-twin", "facial_expressions")),
        (["sfew-twin"], ()),
    ],
)
def test_a_twin_stands_in_only_where_the_licensed_dataset_is_absent(present: list[str], found: tuple[str, ...]) -> None:
    assert stand_ins(["rafdb", "facial_expressions"], present) == found


def test_switches_are_sorted_and_shortened_so_that_one_variant_has_one_name() -> None:
    assert (
        slug(variant_of("dan", {"partition.form": "none", "affinity.kind": "none"}))
        == "affinity=none,partition.form=none"
    )
    assert slug(()) == "default"


def test_the_authors_own_recipe_is_a_variant_only_where_it_is_known() -> None:
    assert variant_of("dacl", {"recipe": "own"}) == (("recipe", "own"),)
    with pytest.raises(UserError, match="authors' recipe"):
        variant_of("resnet18", {"recipe": "own"}, "here")


def test_the_reference_is_found_by_label_or_as_the_published_method() -> None:
    (by_method,) = parse_suite(suite(reference="dan"), "s").tables
    assert by_method.reference_row == Row("dan")
    (by_label,) = parse_suite(suite(reference="1 head"), "s").tables
    assert by_label.reference_row is not None and by_label.reference_row.variant == (("heads", 1),)
    (none,) = parse_suite(suite(), "s").tables
    assert none.reference_row is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (suite(rowz=[]), r"s, table 1: unknown key 'rowz' \(nearest: rows"),
        (suite(datasets=["rafbd"]), r"unknown dataset 'rafbd' \(nearest: rafdb"),
        (suite(kind="comparision"), r"unknown kind 'comparision' \(nearest: comparison"),
        (suite(rows=[{"method": "resnet81"}]), r"table 1, row 1: unknown method 'resnet81' \(nearest: resnet18"),
        (suite(rows=[{"method": "dan", "variant": {"haeds": 1}}]), r"row 1: unknown switch 'haeds' \(nearest: heads"),
        (suite(rows=[{"method": "dan", "variant": {"heads": "two"}}]), r"heads = 'two' is not possible"),
        (suite(rows=[{"method": "dan", "variant": "heads=1"}]), r"variant must be a table"),
        (suite(rows=[{"label": "x"}]), r"row 1: the key 'method' is missing"),
        (suite(rows="dan"), r"rows = 'dan' must be a list"),
        (suite(rows=[]), r"needs datasets and rows"),
        (suite(reference="scn"), r"unknown reference row 'scn'"),
        (suite(id="../t"), r"id = '\.\./t' must be"),
        (suite(title=3), r"title = 3 must be a string"),
        ({**suite(), "seeds": {"quick": ["0"]}}, r"quick = \['0'\] must be a list of whole numbers"),
        ({**suite(), "seeds": {"qiuck": [0]}}, r"unknown key 'qiuck' \(nearest: quick"),
        ({**suite(), "seeds": [0]}, r"write \[seeds\]"),
        ({**suite(), "protocol": "papers"}, r"unknown protocol 'papers' \(nearest: paper"),
        ({"tables": []}, r"the key 'name' is missing"),
        ({**suite(), "tables": suite()["tables"] * 2}, r"two tables have the id 't'"),
    ],
)
def test_what_is_no_suite_is_refused_with_its_place(content: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_suite(content, "s")


def test_an_unknown_suite_names_the_nearest_and_the_recipes_are_none() -> None:
    with pytest.raises(UserError, match="unknown suite 'papr' \\(nearest: paper"):
        load_suite("papr")
    with pytest.raises(UserError, match="unknown suite 'recipes'"):
        load_suite("recipes")


def test_broken_toml_and_a_wrong_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text("name = ")
    with pytest.raises(UserError, match=r"broken\.toml"):
        load_suite("broken", tmp_path)
    (tmp_path / "other.toml").write_text('name = "s"\n')
    with pytest.raises(UserError, match="must be the file's name, 'other'"):
        load_suite("other", tmp_path)
