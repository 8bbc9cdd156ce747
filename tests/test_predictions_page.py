"""Do calibration, class, ensemble and image-by-image figures follow from the stored answers by other means?"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import fake_results
import numpy as np
import pytest
from numpy.typing import NDArray
from rendered import cells, page, prepare, suite
from scipy.stats import binomtest
from sklearn.metrics import f1_score, log_loss, recall_score

from bench import store
from bench.data.catalog import info
from bench.spec import Cell

NAME = "paper/predictions-facial_expressions.md"
CLASSES = info("facial_expressions").classes


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return prepare(tmp_path)


def finish(results: Path, cell: Cell, correct: tuple[int, ...]) -> dict[str, NDArray]:
    """A finished cell whose logits are graded, not one-hot; its arrays."""
    fake_results.finish(results, cell, correct)
    random = np.random.default_rng(cell.seed + 10 * (cell.method == "dan"))

    def graded(arrays: dict[str, NDArray]) -> dict[str, NDArray]:
        for name in [name for name in arrays if "logits" in name]:
            arrays[name] = (1.5 * arrays[name] + random.random(arrays[name].shape)).astype(np.float32)
        if "val_labels" in arrays:
            arrays["val_labels"][:2] = (arrays["val_labels"][:2] + 1) % len(CLASSES)  # two mistakes
        return arrays

    return rewrite(results, cell, graded)


def rewrite(
    results: Path, cell: Cell, change: Callable[[dict[str, NDArray]], dict[str, NDArray]]
) -> dict[str, NDArray]:
    """Change the stored arrays of a cell, and let its record know their digest."""
    arrays = change(store.load_predictions(results, cell.name))
    packed = store.pack(arrays)
    record = store.load(results, cell.name)
    assert record is not None
    store.save(results, cell.name, replace(record, predictions_sha256=hashlib.sha256(packed).hexdigest()), packed)
    return arrays


def softmax(logits: NDArray) -> NDArray:
    table = np.exp(logits.astype(np.float64))
    return table / table.sum(axis=1, keepdims=True)


def section(text: str, heading: str) -> str:
    return text.split(f"## {heading}\n")[1].split("\n## ")[0]


def test_calibration_and_classes_are_those_of_scikit_learn(results: Path) -> None:
    found = [
        finish(results, fake_results.cell("facial_expressions", "dan", seed), (1, 2, 33 + seed)) for seed in (0, 1)
    ]
    text = page(results, NAME)
    _, accuracy, _, nll, _ = cells(section(text, "Calibration"), "DAN")
    assert accuracy == f"{100 * (33 + 34) / 140:.2f}"
    expected = np.mean([log_loss(each["labels"], softmax(each["logits_last"])) for each in found])
    assert nll == f"{expected:.3f}"
    answers = [each["logits_last"].argmax(axis=1) for each in found]
    recalls = np.mean(
        [recall_score(each["labels"], given, average=None) for each, given in zip(found, answers, strict=True)], axis=0
    )
    row = cells(section(text, "Recall by class"), "DAN")
    assert row[1:8] == [f"{100 * recall:.2f}" for recall in recalls]
    f1 = [f1_score(each["labels"], given, average="macro") for each, given in zip(found, answers, strict=True)]
    assert row[8:10] == [f"{100 * recalls.mean():.2f}", f"{100 * np.mean(f1):.2f}"]
    assert row[10] == f"{CLASSES[int(recalls.argmin())]} {100 * recalls.min():.2f}"
    # In the made-up answers a mistake is always the next class.
    worst = int(recalls.argmin())
    errors = sum(
        int((given[each["labels"] == worst] != worst).sum()) for each, given in zip(found, answers, strict=True)
    )
    assert row[11] == f"{CLASSES[(worst + 1) % 7]} ({errors} of {errors} errors)"


def test_the_temperature_is_fitted_on_validation_answers_and_no_test_answer_moves_it(results: Path) -> None:
    cell = fake_results.cell("facial_expressions", "dan", protocol="honest")
    found = finish(results, cell, (60, 42, 40))
    text = page(results, NAME, suite("honest"))
    temperature = float(cells(section(text, "Calibration"), "DAN")[5])
    tried = np.arange(0.1, 3, 0.005)
    losses = [log_loss(found["val_labels"], softmax(found["val_logits"] / t), labels=range(7)) for t in tried]
    assert temperature == pytest.approx(tried[int(np.argmin(losses))], abs=0.008)

    def louder(arrays: dict[str, NDArray]) -> dict[str, NDArray]:
        return arrays | {"logits_best_val": arrays["logits_best_val"] * 7}

    rewrite(results, cell, louder)
    again = cells(section(page(results, NAME, suite("honest")), "Calibration"), "DAN")
    assert float(again[5]) == temperature and again[3] != cells(section(text, "Calibration"), "DAN")[3]


def test_without_validation_images_there_is_no_temperature(results: Path) -> None:
    finish(results, fake_results.cell("facial_expressions", "dan"), (1, 2, 33))
    text = section(page(results, NAME), "Calibration")
    assert "Temperature" not in text.split("\n\n")[1] and "No temperature" in text


def test_an_ensemble_answers_with_the_mean_softmax_of_its_seeds(results: Path) -> None:
    found = [
        finish(results, fake_results.cell("facial_expressions", "dan", seed), (1, 2, 20 + 9 * seed))
        for seed in range(3)
    ]
    mean = sum(softmax(each["logits_last"]) for each in found) / 3
    right = int((mean.argmax(axis=1) == found[0]["labels"]).sum())
    row = cells(section(page(results, NAME), "Ensembles of seeds"), "DAN")
    single = np.mean([(each["logits_last"].argmax(axis=1) == each["labels"]).mean() for each in found])
    assert row[1:4] == ["3", f"{100 * single:.2f}", f"{100 * right / 70:.2f}"]
    interval = binomtest(right, 70).proportion_ci(method="wilson")
    assert row[4] == f"{100 * interval.low:.2f} to {100 * interval.high:.2f}"
    assert row[7] == f"{log_loss(found[0]['labels'], mean):.3f}"


def test_one_seed_is_no_ensemble(results: Path) -> None:
    finish(results, fake_results.cell("facial_expressions", "dan"), (1, 2, 20))
    assert "Ensembles" not in page(results, NAME)


def test_images_are_compared_at_the_first_common_seed_and_over_all(results: Path) -> None:
    answers: dict[str, list[NDArray]] = {}
    for method, right in (("dan", 30), ("resnet18", 44)):
        for seed in (0, 1):
            arrays = finish(results, fake_results.cell("facial_expressions", method, seed), (1, 2, right + seed))
            answers.setdefault(method, []).append(arrays["logits_last"].argmax(axis=1) == arrays["labels"])
    row = cells(section(page(results, NAME), "Image by image"), "ResNet-18")
    only = sum(bool(a and not b) for a, b in zip(answers["resnet18"][0], answers["dan"][0], strict=True))
    other = sum(bool(b and not a) for a, b in zip(answers["resnet18"][0], answers["dan"][0], strict=True))
    tail = min(1.0, 2 * sum(math.comb(only + other, k) for k in range(min(only, other) + 1)) / 2 ** (only + other))
    assert row[1:3] == [str(only), str(other)]
    assert row[3] == row[4] == ("< 0.001" if tail < 0.001 else f"{tail:.3f}")
    difference = np.mean(answers["resnet18"]) - np.mean(answers["dan"])
    assert row[5:7] == ["2", f"{100 * difference:+.2f}"]
    low, high = (float(end) for end in row[7].split(" to "))
    assert low < 100 * difference < high


def test_answers_that_cannot_be_read_are_told_and_the_rest_is_shown(results: Path) -> None:
    for seed in (0, 1):
        finish(results, fake_results.cell("facial_expressions", "dan", seed), (1, 2, 30))
    path = store.predictions_path(results, fake_results.cell("facial_expressions", "dan", 1).name)
    path.write_bytes(path.read_bytes()[:-20])
    text = page(results, NAME)
    assert "- DAN: seed 1; `python -m bench.audit` says which file" in text
    assert cells(section(text, "Calibration"), "DAN")[1] == f"{100 * 30 / 70:.2f}"
