"""Does the robustness page count what the stored answers hold, and leave out what is stale?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import fake_results
import numpy as np
import pytest
from rendered import cells
from scipy.stats import binomtest

from bench import audit, tables
from bench.robustness import text
from bench.robustness.text import CORRUPTIONS, SEVERITIES, Answered, Robustness
from bench.store import load_predictions
from bench.suite_file import load_suite

CELL = fake_results.cell("facial_expressions", "dan")
CLASSES = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger")


@pytest.fixture
def measured(tmp_path: Path) -> tuple[Path, Robustness]:
    """A record of 70 images with 40 right, and its measurement: severity s of every kind has 8 s fewer right."""
    record = fake_results.finish(tmp_path, CELL, (1, 2, 40))
    fake_results.finish(tmp_path, fake_results.cell("facial_expressions", "resnet18"), (1, 2, 30))
    arrays = load_predictions(tmp_path, CELL.name)
    labels = "".join(map(str, arrays["labels"]))
    answers = "".join(map(str, arrays["logits_last"].argmax(axis=1)))

    def wrong(right: int) -> str:
        return labels[:right] + "".join(str((int(digit) + 1) % 7) for digit in labels[right:])

    clean = Answered(record.data.digest, CLASSES, labels, answers)
    corrupted = {f"{kind}/{level}": wrong(40 - 8 * level) for kind in CORRUPTIONS for level in SEVERITIES}
    transfer = {"sfew-twin": Answered("e" * 64, CLASSES[:2], "0001", "0011")}
    ids = tuple(arrays["ids"].tolist())
    found = Robustness(CELL.name, record.key, "f" * 64, 64, ids, clean, corrupted, transfer)
    text.save(tmp_path, found)
    return tmp_path, found


def page(results: Path) -> str:
    tables.render(results, load_suite("robustness"))
    return (results / "tables" / "robustness" / "robustness-facial_expressions.md").read_text(encoding="utf-8")


def test_accuracies_are_counted_from_the_answers(measured: tuple[Path, Robustness]) -> None:
    results, _ = measured
    said = page(results)
    mean = np.mean([40 - 8 * level for level in SEVERITIES]) / 70
    interval = binomtest(40, 70).proportion_ci(method="wilson")
    row = cells(said, "DAN")
    assert row[1:4] == ["70", f"{100 * 40 / 70:.2f}", f"{50 * (interval.high - interval.low):.2f}"]
    assert row[4:11] == [f"{100 * mean:.2f}"] * 7
    assert row[11:] == [f"{100 * (mean - 40 / 70):+.2f}", f"{100 * (mean - 1 / 7) / (40 / 70 - 1 / 7):.2f}"]
    severity = cells(said.split("## By severity")[1], "DAN")
    assert severity[2:] == [f"{100 * (40 - 8 * level) / 70:.2f}" for level in SEVERITIES]
    other = cells(said.split("## On other datasets")[1], "DAN")
    assert other[1:5] == ["SFEW 2.0 twin (rendered faces)", "2", "4", "75.00"]
    assert other[6:] == [f"{100 * (2 / 3 + 1) / 2:.2f}", "75.00"]
    assert "- ResNet-18: not measured" in said


def test_a_stale_measurement_is_not_shown_and_the_audit_says_so(measured: tuple[Path, Robustness]) -> None:
    results, found = measured
    page(results)
    assert audit.audit(results)[0] == []
    text.save(results, replace(found, key="1" * 64))
    assert "- ResNet-18, DAN: not measured" in page(results)
    assert [said for said in audit.audit(results)[0] if "stale: the cell was trained again" in said]


def test_one_changed_answer_is_named_by_its_cell(measured: tuple[Path, Robustness]) -> None:
    results, found = measured
    page(results)
    changed = dict(found.corrupted)
    changed["jpeg/1"] = found.corrupted["jpeg/1"][:-1] + found.clean.labels[-1]
    text.save(results, replace(found, corrupted=changed))
    (said,) = audit.audit(results)[0]
    assert "robustness-facial_expressions.md" in said and "row 'DAN', column 'JPEG'" in said
