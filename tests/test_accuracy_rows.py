"""Which rows has an accuracy page?  The paper's and ours, nothing mixed and nothing hidden."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import fake_results
import pytest
from rendered import DIGEST, column, fill_twin, page, prepare, suite

from bench import store
from bench.recipe import Recipe
from bench.study.tuned import Winner
from bench.study.tuned import save as save_winner
from bench.suite_file import parse_suite


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return prepare(tmp_path)


def test_seeds_on_other_images_are_another_row_with_a_mark(results: Path) -> None:
    for seed, digest in enumerate(["first", "first", "second"]):
        fake_results.finish(
            results, fake_results.cell("facial_expressions", "dan", seed), (1, 2, 30 + seed), digest=DIGEST[digest]
        )
    text = page(results, "paper/comparison-facial_expressions.md")
    assert column(text, "DAN", "Last") == f"{100 * (30 + 31) / 140:.2f}"
    assert column(text, "DAN (a)", "Last") == f"{100 * 32 / 70:.2f}"
    assert "(a) other images: digest `bbbbbbbbbbbb` (table: `aaaaaaaaaaaa`)" in text


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"weights": "imagenet"}, "starts from imagenet"),
        ({"budget": "full"}, "budget `quick`"),
        ({"recipe": replace(fake_results.RECIPES["quick"], lr=0.5)}, "another recipe: lr 0.5 (table: 0.001)"),
        ({"recipe": replace(fake_results.RECIPES["quick"], numeric="fast")}, "arithmetic fast (table: faithful)"),
    ],
)
def test_no_row_mixes_weights_budgets_recipes_or_arithmetic(
    results: Path, changes: dict[str, object], note: str
) -> None:
    for seed in (0, 1):
        fake_results.finish(results, fake_results.cell("facial_expressions", "dan", seed), (1, 2, 30))
    other = fake_results.cell("facial_expressions", "dan", 2, **changes)
    sha = DIGEST["weights"] if other.weights != "none" else None
    fake_results.finish(results, other, (1, 2, 70), weights_sha256=sha)
    text = page(results, "paper/comparison-facial_expressions.md")
    assert {column(text, row, "Last") for row in ("DAN", "DAN (a)")} == {f"{100 * 30 / 70:.2f}", "100.00"}
    assert f"(a) {note}" in text


def test_switches_whose_default_has_changed_since_make_another_row(results: Path) -> None:
    fake_results.finish(results, fake_results.cell("facial_expressions", "dan"), (1, 2, 30))
    cell = fake_results.cell("facial_expressions", "dan", 1)
    record, predictions = fake_results.make(cell, (1, 2, 40))
    store.save(results, cell.name, replace(record, settings=record.settings | {"heads": 3}), predictions)
    text = page(results, "paper/comparison-facial_expressions.md")
    assert column(text, "DAN (a)", "Last") == f"{100 * 40 / 70:.2f}"
    assert "(a) older defaults: heads 3 (now: 4)" in text


def test_full_results_speak_for_a_table_before_a_rehearsal_does(results: Path) -> None:
    for seed in (0, 1):
        fake_results.finish(results, fake_results.cell("rafdb", "dan", seed), (1, 2, 30))
    assert page(results, "paper/comparison-rafdb.md").split("\n")[2].startswith("**Rehearsal** (quick budget)")
    fake_results.finish(results, fake_results.cell("rafdb", "dan", budget="full"), (1, 2, 40))
    text = page(results, "paper/comparison-rafdb.md")
    assert text.split("\n")[2].startswith("Full budget")
    assert column(text, "DAN (a)", "Verdict") == "not comparable"


def test_its_authors_recipe_is_a_row_of_its_own_that_says_so(results: Path) -> None:
    content = {
        "name": "paper", "seeds": {"quick": [0]},
        "tables": [{"id": "t", "kind": "comparison", "datasets": ["rafdb"],
                    "rows": [{"method": "dacl"}, {"method": "dacl", "variant": {"recipe": "own"}}]}],
    }  # fmt: skip
    fake_results.finish(results, fake_results.cell("rafdb", "dacl"), (1, 2, 30))
    own = fake_results.cell("rafdb", "dacl", variant={"recipe": "own"}, recipe=Recipe(epochs=3, batch_size=64))
    fake_results.finish(results, own, (1, 2, 35))
    text = page(results, "paper/t-rafdb.md", parse_suite(content, "paper.toml"))
    assert column(text, "DACL, recipe=own (a)", "Last") == "50.00"
    assert "(a) its authors' recipe: augment" not in text  # both augment alike
    assert "(a) its authors' recipe: " in text and "batch_size 64 (table: 32)" in text


def test_a_failed_or_missing_seed_is_counted_and_explained(results: Path) -> None:
    fill_twin(results)
    text = page(results, "paper/comparison-rafdb-twin.md")
    assert column(text, "ResNet-18", "Seeds") == "1/2"
    assert column(text, "ResNet-18", "Verdict").endswith("1 failed: the loss is not a number in epoch 2")
    assert column(text, "DACL", "Row") == "failed"
    assert "- DACL: seeds 0-1 failed: out of memory \\| 3 GiB wanted" in text
    assert column(text, "SCN [2]", "Row") == "not run yet"


def test_a_seed_that_failed_before_it_finished_counts_as_finished(results: Path) -> None:
    cell = fake_results.cell("facial_expressions", "dan")
    fake_results.finish(results, cell, (1, 2, 35))
    fake_results.fail(results, cell, "killed in an earlier run")
    text = page(results, "paper/comparison-facial_expressions.md")
    assert column(text, "DAN", "Seeds") == "1/2" and "killed" not in text


def test_the_papers_rows_are_matched_by_method_switches_and_group(results: Path) -> None:
    head = 'table = "5"\ntitle = "Table 5"\nsource = "S"\ndataset = "rafdb"\nretrained = true\nmethod = "dan"\n'
    rows = [
        ("AFN", "88.20", 'variant = { "partition.form" = "none" }'),
        ("FCN", "88.17", 'variant = { affinity = "none" }'),
    ]
    rows += [("AFN", "70.00", ""), ("FCN", "71.43", "")]
    body = "".join(
        f'[[accuracy]]\nlabel = "x"\ngroup = "{group}"\nfigure = "{figure}"\n{more}\n' for group, figure, more in rows
    )
    (results / "reported" / "table5.toml").write_text(head + body)
    for variant in ({}, {"affinity": "none"}):
        fake_results.finish(results, fake_results.cell("rafdb", "dan", variant=variant), (1, 2, 30))
    spec = suite()
    spec = replace(
        spec, tables=tuple(replace(table, numbers=("Table 5",)) for table in spec.tables if table.id == "ablation")
    )
    text = page(results, "paper/ablation-rafdb.md", spec)
    lines = [
        [cell.strip() for cell in line.split("|")] for line in text.splitlines() if line.startswith(("| FCN", "| AFN"))
    ]
    assert [(line[1], line[2], line[3]) for line in lines] == [
        ("FCN", "none", "88.17"), ("FCN", "affinity", "71.43"), ("AFN", "partition", "70.00"),
    ]  # fmt: skip
    assert text.startswith("# Table 5. Ablation: RAF-DB (basic)")


def test_every_row_of_the_paper_is_there_and_says_whether_it_is_quoted(results: Path) -> None:
    fill_twin(results)
    text = page(results, "paper/comparison-rafdb-twin.md")
    names = [line.split("|")[1].strip() for line in text.split("\n## ")[0].splitlines() if line.startswith("| ")]
    assert names == ["Method", "Elsewhere [1]", "SCN [2]", "ResNet-18", "DAN", "Centre loss (a)", "DACL"]
    assert column(text, "Elsewhere [1]", "Row") == "quoted"
    assert "- Elsewhere [1]: no code released" in text


def test_a_twin_is_never_called_by_the_licensed_name_alone_and_never_compared(results: Path) -> None:
    fill_twin(results)
    text = page(results, "paper/comparison-rafdb-twin.md")
    assert text.startswith("# Table 3. Comparison: RAF-DB (basic) twin (rendered faces)\n")
    assert "do not compare" in text.split("\n")[2]
    assert column(text, "DAN", "Verdict") == "not comparable"


def test_a_dataset_that_the_paper_lacks_has_neither_its_figures_nor_verdicts(results: Path) -> None:
    fake_results.finish(results, fake_results.cell("facial_expressions", "dan"), (1, 2, 30))
    heads = page(results, "paper/comparison-facial_expressions.md").split("\n")[4]
    assert "Paper" not in heads and "Verdict" not in heads and "Last" in heads


def test_a_tuned_winner_gets_a_row_once_it_was_trained_and_the_page_states_the_search(results: Path) -> None:
    variant = {"loss.lambda1": 0.3}
    winner = Winner(
        "s", "d" * 64, "rafdb-twin", "dan", "quick", "none", "accuracy", 20, (1000,), 0.5, 0.4, tuple(variant.items())
    )
    save_winner(results, winner)
    fake_results.finish(results, fake_results.cell("rafdb-twin", "dan"), (21, 35, 28))
    assert "DAN (tuned)" not in page(results, "paper/comparison-rafdb-twin.md", suite())
    fake_results.finish(results, fake_results.cell("rafdb-twin", "dan", variant=variant), (21, 35, 42))
    text = page(results, "paper/comparison-rafdb-twin.md", suite())
    (line,) = [line for line in text.splitlines() if line.startswith("| DAN (tuned)")]
    assert "60.00" in line, "42 of 70"
    assert "Equal search budgets: 20 trials" in text
