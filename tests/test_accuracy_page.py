"""Are the numbers of an accuracy page those of scipy and of the records, with the oracle in its own column?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import fake_results
import numpy as np
import pytest
from rendered import DIGEST, cells, column, fill_full, fill_twin, page, prepare, suite
from scipy import stats

from bench import store


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return prepare(tmp_path)


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
    _, seeds, mean, half, bca, detectable, p, adjusted = cells(text, "ResNet-18")
    low, high = stats.t.interval(0.95, 7, loc=differences.mean(), scale=stats.sem(differences))
    exact = stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
    assert (seeds, mean) == ("8", f"{100 * differences.mean():+.2f}")
    assert half == f"{50 * (high - low):.2f}"
    resampled = stats.bootstrap(
        ([42 / 70 - (48 + seed % 4) / 70 for seed in range(8)],),
        np.mean,
        n_resamples=9999,
        method="BCa",
        rng=np.random.default_rng(0),
    ).confidence_interval
    assert bca == f"{100 * resampled.low:+.2f} to {100 * resampled.high:+.2f}"
    critical, shift = stats.t.ppf(0.975, 7), float(detectable) / 100 / differences.std(ddof=1) * np.sqrt(8)
    assert stats.nct.sf(critical, 7, shift) + stats.nct.cdf(-critical, 7, shift) == pytest.approx(0.8, abs=0.01)
    assert p == f"{exact:.3f}" == adjusted  # the only test of the table: SCN has 3 common seeds
    assert cells(text, "SCN [2]")[6] == "n too small"


def test_rows_of_more_than_one_kind_of_processor_are_warned_of(results: Path) -> None:
    fill_full(results)
    warning = "More than one kind of processor"
    for seed, machine in enumerate(("a processor, 64 cores", "another processor, 2 cores")):
        assert warning not in page(results, "paper/comparison-rafdb.md")  # so far they differ in their cores at most
        cell = fake_results.cell("rafdb", "dan", seed, weights="msceleb", budget="full")
        record = store.load(results, cell.name)
        assert record is not None
        predictions = store.predictions_path(results, cell.name).read_bytes()
        moved = replace(record, provenance={**record.provenance, "machine": machine})
        store.save(results, cell.name, moved, predictions)
    assert f"{warning} (within one row: dan)" in page(results, "paper/comparison-rafdb.md")


def test_p_values_are_corrected_for_the_tests_of_the_table(results: Path) -> None:
    fill_full(results)
    for seed in range(8):  # better than DAN for 7 of 8 seeds
        cell = fake_results.cell("rafdb", "dacl", seed, weights="msceleb", budget="full")
        right = 47 if seed == 3 else 60
        fake_results.finish(results, cell, (1, 2, right), weights_sha256=DIGEST["weights"])
    text = page(results, "paper/comparison-rafdb.md").split("## Difference to DAN")[1]
    raw = {row: float(cells(text, row)[6]) for row in ("ResNet-18", "DACL")}
    adjusted = {row: float(cells(text, row)[7]) for row in ("ResNet-18", "DACL")}
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


def test_missing_test_images_are_told(results: Path) -> None:
    fake_results.finish(results, fake_results.cell("rafdb", "dan", budget="full"), (1, 2, 30), n_expected=75)
    text = page(results, "paper/comparison-rafdb.md")
    assert "70 of 75 test images scored" in text
    assert column(text, "DAN", "Verdict") == "not comparable"


def test_the_seeds_stand_one_by_one_and_a_collapsed_one_is_marked(results: Path) -> None:
    for seed, right in enumerate((50, 10, 42)):  # answers are right class by class: ten are the first class alone
        cell = fake_results.cell("facial_expressions", "dan", seed)
        fake_results.finish(results, cell, (1, 2, right))
    fake_results.finish(results, fake_results.cell("facial_expressions", "resnet18"), (1, 2, 11))
    text = page(results, "paper/comparison-facial_expressions.md").split("## Seed by seed\n")[1].split("\n## ")[0]
    assert cells(text, "DAN") == ["DAN", "71.43", "14.29 †", "60.00", "60.00"]  # k/70, then their median
    assert "† All right answers of this seed are of one class" in text
    assert "ResNet-18" not in text, "a single seed that knows two classes stands in the main table already"


def test_a_single_seed_is_listed_only_where_it_collapsed(results: Path) -> None:
    fake_results.finish(results, fake_results.cell("facial_expressions", "dan"), (1, 2, 50))
    assert "## Seed by seed" not in page(results, "paper/comparison-facial_expressions.md")
    fake_results.finish(results, fake_results.cell("facial_expressions", "dan"), (1, 2, 9))
    assert "12.86 †" in page(results, "paper/comparison-facial_expressions.md").split("## Seed by seed\n")[1]
