"""Does the page about starting weights pair the same row by seed, and nothing else?"""

from __future__ import annotations

from pathlib import Path

import fake_results as fake
import numpy as np
import pytest
from scipy import stats

from bench.report.table_rows import read
from bench.report.weights_page import page, worth
from bench.suite_file import load_suite

DATASET, SHA = "facial_expressions", "a" * 64


@pytest.fixture
def results(tmp_path: Path) -> Path:
    for seed, right in enumerate((30, 33, 31)):
        fake.finish(tmp_path, fake.cell(DATASET, "resnet18", seed), (10, right))
    for seed, right in enumerate((40, 45, 39)):
        cell = fake.cell(DATASET, "resnet18", seed, weights="rendered")
        fake.finish(tmp_path, cell, (10, right), weights_sha256=SHA)
    fake.finish(tmp_path, fake.cell(DATASET, "dan", 0, weights="rendered"), (10, 50), weights_sha256=SHA)
    return tmp_path


def found_in(results: Path):
    suite = load_suite("paper")
    return worth(suite.tables[:1], DATASET, suite, read(results))


def test_a_row_is_shown_once_it_was_trained_from_both(results: Path) -> None:
    (each,) = found_in(results)
    assert (each.random.row.method, each.random.conditions.weights) == ("resnet18", "none")
    assert each.given.conditions.weights_sha256 == SHA


def test_its_difference_is_the_paired_one_of_scipy(results: Path) -> None:
    text = page({DATASET: found_in(results)}, read(results)).text()
    line = next(line for line in text.splitlines() if line.startswith("| ResNet-18") and "| accuracy" in line)
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    random, given = np.array([30, 33, 31]) / 70, np.array([40, 45, 39]) / 70
    half = stats.ttest_rel(given, random).confidence_interval(0.95)
    assert cells[2:9] == [
        "0-2", "accuracy", "70", f"{100 * random.mean():.2f}", f"{100 * given.mean():.2f}",
        f"{100 * (given - random).mean():+.2f}", f"{100 * (half.high - half.low) / 2:.2f}",
    ]  # fmt: skip
    assert cells[-1] == "0.250"  # all three differences are positive: the smallest p of three seeds


def test_seeds_that_only_one_start_has_are_left_out(results: Path) -> None:
    fake.finish(results, fake.cell(DATASET, "resnet18", 7, weights="rendered"), (10, 70), weights_sha256=SHA)
    text = page({DATASET: found_in(results)}, read(results)).text()
    line = next(line for line in text.splitlines() if line.startswith("| ResNet-18"))
    assert line.strip("|").split("|")[2].strip() == "0-2"


def test_other_recipes_are_not_compared(results: Path) -> None:
    for seed in range(3):
        (
            results / "records" / DATASET / "resnet18" / "default" / "paper-quick-none-faithful" / f"s{seed}.json"
        ).unlink()
    other = fake.cell(DATASET, "resnet18", 0, recipe=fake.Recipe(epochs=2))
    fake.finish(results, other, (10, 30))
    assert found_in(results) == ()
