"""Do tables show what the records hold: nothing mixed, nothing hidden, and the same bytes every time?

Golden pages lie in tests/golden.  Where a page is meant to change: `UPDATE_GOLDEN=1 pytest tests/test_tables.py`, then
read the difference.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import fake_results
import numpy as np
import pytest
from scipy import stats

from bench import store, tables
from bench.cost import Cost, to_json
from bench.errors import UserError
from bench.recipe import Recipe
from bench.spec import Suite
from bench.study.tuned import Winner
from bench.study.tuned import save as save_winner
from bench.suite_file import parse_suite

GOLDEN = Path(__file__).parent / "golden"
ROOT = Path(__file__).parent.parent
DIGEST = {"first": "aa" * 32, "second": "bb" * 32, "weights": "99" * 32}

REPORTED = """
table = "3"
title = "Table 3"
source = "the paper, Table 3"
dataset = "rafdb"
n_paper = 70

[[accuracy]]
label = "Elsewhere"
citation = "1"
figure = "50.00"
retrained = false
why = "no code released"

[[accuracy]]
label = "SCN"
citation = "2"
figure = "64.29"
method = "scn"
retrained = true

[[accuracy]]
label = "ResNet-18"
figure = "60.00"
method = "resnet18"
retrained = true
selection = "best-test"

[[accuracy]]
label = "DAN (ours)"
figure = "70.01"
method = "dan"
retrained = true
selection = "best-test"
note = "no count of 70 prints as this"
"""
COSTS = {
    "resnet18": Cost(11_689_512, 1_819_066_368, 1_814_073_344, (3, 224, 224), "1,000 classes"),
    "dan": Cost(19_723_733, 2_230_861_582, 2_224_737_792, (3, 224, 224), "7 classes"),
    "dan-1": Cost(13_316_021, 1_921_614_670, 1_916_358_144, (3, 224, 224), "7 classes"),
}
REPORTED_COSTS = """
table = "6"
title = "Table 6"
source = "the paper, Table 6"
retrained = true

[[cost]]
label = "ResNet 18"
parameters_millions = "11.69"
operations_billions = "1.82"
method = "resnet18"

[[cost]]
label = "DAN (ours)"
parameters_millions = "19.72"
operations_billions = "2.32"
method = "dan"

[[cost]]
label = "PSR"
parameters_millions = "20.24"
operations_billions = "10.12"
retrained = false
why = "not counted"
"""


def suite(protocol: str = "paper") -> Suite:
    """A comparison, an ablation and a cost table."""
    comparison = {
        "id": "comparison", "kind": "comparison", "title": "Comparison", "numbers": ["Table 3"], "reference": "dan",
        "datasets": ["rafdb", "facial_expressions"],
        "rows": [{"method": method} for method in ("resnet18", "dan", "scn", "center_loss", "dacl")],
    }  # fmt: skip
    ablation = {
        "id": "ablation", "kind": "ablation", "title": "Ablation", "reference": "dan",
        "datasets": ["rafdb", "facial_expressions"],
        "rows": [
            {"group": "FCN", "label": "none", "method": "dan", "variant": {"affinity": "none"}, "note": "a remark"},
            {"group": "FCN", "label": "affinity", "method": "dan"},
            {"group": "AFN", "label": "partition", "method": "dan"},
        ],
    }  # fmt: skip
    cost = {"id": "cost", "kind": "cost", "title": "Size", "numbers": ["Table 6"]}
    seeds = {"quick": [0, 1], "full": list(range(8))}
    content = {
        "name": "paper",
        "title": "Tables",
        "protocol": protocol,
        "seeds": seeds,
        "tables": [comparison, ablation, cost],
    }
    return parse_suite(content, "paper.toml")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """An empty results folder with printed figures and counts."""
    (tmp_path / "reported").mkdir()
    (tmp_path / "reported" / "table3.toml").write_text(REPORTED)
    (tmp_path / "reported" / "table6.toml").write_text(REPORTED_COSTS)
    (tmp_path / "costs.json").write_text(to_json(COSTS))
    return tmp_path


def fill_twin(results: Path) -> None:
    """Quick: a row with two seeds, one with a failed seed, one on other images, one that only failed, one never run."""
    for seed, correct in enumerate([(30, 42, 40), (30, 39, 41)]):
        fake_results.finish(results, fake_results.cell("rafdb-twin", "dan", seed), correct, digest=DIGEST["first"])
        fake_results.finish(
            results, fake_results.cell("rafdb-twin", "center_loss", seed), correct, digest=DIGEST["second"]
        )
    fake_results.finish(results, fake_results.cell("rafdb-twin", "resnet18", 0), (20, 30, 35), digest=DIGEST["first"])
    fake_results.fail(results, fake_results.cell("rafdb-twin", "resnet18", 1), "the loss is not a number in epoch 2")
    for seed in (0, 1):
        fake_results.fail(results, fake_results.cell("rafdb-twin", "dacl", seed), "out of memory | 3 GiB\nwanted")


def fill_full(results: Path) -> None:
    """Full, from weights: 8 seeds of two methods, 3 of 8 seeds of a third."""
    known = {"weights": "msceleb", "budget": "full"}
    for seed in range(8):
        dan, control = (45, 50 + seed % 3, 48 + seed % 4), (40, 41 + seed % 2, 42)
        for method, correct in (("dan", dan), ("resnet18", control)):
            cell = fake_results.cell("rafdb", method, seed, **known)
            fake_results.finish(results, cell, correct, weights_sha256=DIGEST["weights"])
    for seed in range(3):
        cell = fake_results.cell("rafdb", "scn", seed, **known)
        fake_results.finish(results, cell, (44, 44, 45), weights_sha256=DIGEST["weights"])


def page(results: Path, name: str, spec: Suite | None = None) -> str:
    tables.render(results, spec or suite())
    return (results / "tables" / name).read_text(encoding="utf-8")


def cells(text: str, row: str) -> list[str]:
    """The cells of the first table line whose first cell is `row`."""
    lines = [
        [cell.strip() for cell in line.strip("|").split(" |")] for line in text.splitlines() if line.startswith("|")
    ]
    return next(line for line in lines if line[0] == row)


def column(text: str, row: str, head: str) -> str:
    heads = next(line for line in text.splitlines() if line.startswith("|"))
    return cells(text, row)[[cell.strip() for cell in heads.strip("|").split(" |")].index(head)]


@pytest.mark.parametrize(
    "name", ["comparison-rafdb-twin", "comparison-rafdb", "ablation-facial_expressions", "cost", "README"]
)
def test_pages_read_as_the_golden_ones(results: Path, name: str) -> None:
    fill_twin(results)
    fill_full(results)
    fake_results.finish(results, fake_results.cell("facial_expressions", "dan"), (30, 35, 40))
    fake_results.finish(
        results, fake_results.cell("facial_expressions", "dan", variant={"affinity": "none"}), (3, 42, 41)
    )
    text = page(results, "README.md" if name == "README" else f"paper/{name}.md")
    golden = GOLDEN / f"{name}.md"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_the_mean_and_its_interval_are_scipys(results: Path) -> None:
    fill_full(results)
    text = page(results, "paper/comparison-rafdb.md")
    values = [(48 + seed % 4) / 70 for seed in range(8)]
    low, high = stats.t.interval(0.95, 7, loc=np.mean(values), scale=stats.sem(values))
    assert column(text, "DAN", "Last") == f"{100 * np.mean(values):.2f}"
    assert column(text, "DAN", "±") == f"{50 * (high - low):.2f}"


def test_differences_are_paired_by_seed_and_tested_by_flipping_signs(results: Path) -> None:
    fill_full(results)
    text = page(results, "paper/comparison-rafdb.md").split("## Difference to DAN")[1]
    differences = np.array([(42 - (48 + seed % 4)) / 70 for seed in range(8)])
    _, seeds, mean, half, p, adjusted = cells(text, "ResNet-18")
    low, high = stats.t.interval(0.95, 7, loc=differences.mean(), scale=stats.sem(differences))
    exact = stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
    assert (seeds, mean) == ("8", f"{100 * differences.mean():+.2f}")
    assert half == f"{50 * (high - low):.2f}"
    assert p == f"{exact:.3f}" == adjusted  # the only test of the table: SCN has 3 common seeds
    assert cells(text, "SCN [2]")[4] == "n too small"


def test_p_values_are_corrected_for_the_tests_of_the_table(results: Path) -> None:
    fill_full(results)
    for seed in range(8):  # better than DAN for 7 of 8 seeds
        cell = fake_results.cell("rafdb", "dacl", seed, weights="msceleb", budget="full")
        right = 47 if seed == 3 else 60
        fake_results.finish(results, cell, (1, 2, right), weights_sha256=DIGEST["weights"])
    text = page(results, "paper/comparison-rafdb.md").split("## Difference to DAN")[1]
    raw = {row: float(cells(text, row)[4]) for row in ("ResNet-18", "DACL")}
    adjusted = {row: float(cells(text, row)[5]) for row in ("ResNet-18", "DACL")}
    assert raw["ResNet-18"] < raw["DACL"]
    assert adjusted["ResNet-18"] == pytest.approx(2 * 2**-7, abs=5e-4)  # the smallest p twice, the next once
    assert adjusted["DACL"] == raw["DACL"]


def test_one_seed_has_no_interval_and_two_have_no_test(results: Path) -> None:
    fill_twin(results)
    text = page(results, "paper/comparison-rafdb-twin.md")
    assert column(text, "ResNet-18", "±") == ""
    assert column(text, "DAN", "±") != ""
    fake_results.finish(results, fake_results.cell("rafdb-twin", "resnet18", 1), (20, 30, 36), digest=DIGEST["first"])
    assert (
        cells(page(results, "paper/comparison-rafdb-twin.md").split("## Difference")[1], "ResNet-18")[4]
        == "n too small"
    )


def test_the_oracle_is_in_its_own_column_and_never_the_headline(results: Path) -> None:
    fill_twin(results)
    text = page(results, "paper/comparison-rafdb-twin.md")
    assert column(text, "DAN", "Last") == f"{100 * (40 + 41) / 140:.2f}"
    assert column(text, "DAN", "Oracle") == f"{100 * (42 + 41) / 140:.2f}"
    assert column(text, "DAN", "Gap") == f"{100 * 2 / 140:+.2f}"


def test_the_honest_protocol_reports_the_epoch_that_validation_chose(results: Path) -> None:
    cell = fake_results.cell("facial_expressions", "dan", protocol="honest")
    fake_results.finish(results, cell, (60, 42, 40))  # the fake's validation split prefers the second epoch
    text = page(results, "paper/comparison-facial_expressions.md", suite("honest"))
    found = [column(text, "DAN", head) for head in ("Best val", "Last", "Oracle")]
    assert found == [f"{100 * right / 70:.2f}" for right in (42, 40, 60)]


def test_protocols_stand_side_by_side_where_both_were_run(results: Path) -> None:
    fake_results.finish(results, fake_results.cell("facial_expressions", "dan"), (1, 2, 35))
    assert "Protocols side by side" not in page(results, "paper/comparison-facial_expressions.md")
    fake_results.finish(results, fake_results.cell("facial_expressions", "dan", protocol="honest"), (60, 42, 40))
    text = page(results, "paper/comparison-facial_expressions.md").split("## Protocols side by side")[1]
    assert cells(text, "DAN") == ["DAN", *(f"{100 * right / 70:.2f}" for right in (35, 35, 40, 42, 60))]


def test_protocols_are_not_set_side_by_side_across_different_images(results: Path) -> None:
    fake_results.finish(results, fake_results.cell("facial_expressions", "dan"), (1, 2, 35))
    honest = fake_results.cell("facial_expressions", "dan", protocol="honest")
    fake_results.finish(results, honest, (60, 42, 40), digest=DIGEST["second"])
    assert "Protocols side by side" not in page(results, "paper/comparison-facial_expressions.md")


def test_balanced_accuracy_is_the_mean_recall(results: Path) -> None:
    cell = fake_results.cell("facial_expressions", "dan")
    record, predictions = fake_results.make(cell, (10, 20, 30))
    last = replace(record.scores["last"], class_correct=(20, 5, 5, 0, 0, 0, 0), class_n=(40, 5, 5, 5, 5, 5, 5))
    store.save(results, cell.name, replace(record, scores=record.scores | {"last": last}), predictions)
    text = page(results, "paper/comparison-facial_expressions.md")
    assert column(text, "DAN", "Balanced") == f"{100 * (20 / 40 + 5 / 5 + 5 / 5) / 7:.2f}"


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


def test_a_record_at_no_cells_address_is_one_clear_line(results: Path) -> None:
    path = results / "records" / "stray.json"
    path.parent.mkdir()
    path.write_text(fake_results.make(fake_results.cell("rafdb", "dan"), (1, 2, 3))[0].to_json())
    with pytest.raises(UserError, match="records/stray: no cell has this address"):
        tables.render(results, suite())


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


def test_missing_test_images_are_told(results: Path) -> None:
    fake_results.finish(results, fake_results.cell("rafdb", "dan", budget="full"), (1, 2, 30), n_expected=75)
    text = page(results, "paper/comparison-rafdb.md")
    assert "70 of 75 test images scored" in text
    assert column(text, "DAN", "Verdict") == "not comparable"


def test_rendering_again_changes_no_byte_and_checking_finds_nothing(results: Path) -> None:
    fill_twin(results)
    fill_full(results)
    tables.render(results, suite())
    first = {path: path.read_bytes() for path in (results / "tables").rglob("*.md")}
    shutil.rmtree(results / "tables")
    tables.render(results, suite())
    assert {path: path.read_bytes() for path in (results / "tables").rglob("*.md")} == first
    assert tables.differing(results, [suite()], tables.gather(results)) == []


def test_checking_names_a_changed_a_missing_and_an_extra_file(results: Path) -> None:
    fill_twin(results)
    tables.render(results, suite())
    folder = results / "tables" / "paper"
    changed, gone, extra = folder / "comparison-rafdb-twin.md", folder / "ablation-rafdb-twin.md", folder / "old.md"
    changed.write_text(changed.read_text().replace("57.86", "58.86", 1))
    gone.unlink()
    extra.write_text("# Old\n")
    found = tables.differing(results, [suite()], tables.gather(results))
    assert len(found) == 3
    line = next(n for n, text in enumerate(changed.read_text().split("\n"), 1) if "58.86" in text)
    assert any(text.startswith(f"{changed}:{line}: ") for text in found)
    assert f"{gone}: missing" in found
    assert f"{extra}: nothing makes this page" in found


def test_a_page_that_nothing_makes_any_more_goes_when_rendering(results: Path) -> None:
    fill_twin(results)
    tables.render(results, suite())
    old = results / "tables" / "paper" / "old.md"
    old.write_text("# Old\n")
    tables.render(results, suite())
    assert not old.exists()


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench.tables", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_renders_checks_and_fails_on_one_byte(results: Path) -> None:
    fill_twin(results)
    assert command("--results", results).returncode == 0
    assert command("--results", results, "--check").returncode == 0
    file = results / "tables" / "README.md"
    file.write_text(file.read_text() + " ")
    checked = command("--results", results, "--check")
    assert checked.returncode == 1
    assert "README.md" in checked.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--suite", "papr"), "unknown suite 'papr' (nearest: paper"),
        (("--results", "no/such/folder"), "no/such/folder is not a folder"),
    ],
)
def test_bad_usage_is_one_line_and_exit_code_2(arguments: tuple[str, ...], message: str) -> None:
    done = command(*arguments)
    assert done.returncode == 2
    assert message in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_damaged_record_is_one_line_and_nothing_is_written(results: Path) -> None:
    fill_twin(results)
    path = next((results / "records").rglob("s0.json"))
    path.write_text(path.read_text().replace('"correct": ', '"correct": 1', 1))
    done = command("--results", results, "--suite", "paper")
    assert done.returncode == 2
    assert str(path) in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (results / "tables").exists()


def test_rendering_imports_neither_torch_nor_mlflow(results: Path) -> None:
    fill_twin(results)
    fill_full(results)
    code = (
        f"import sys; from bench.tables import main; assert main(['--results', {str(results)!r}]) == 0; "
        "print(sorted({'torch', 'torchvision', 'timm', 'mlflow', 'optuna'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


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
