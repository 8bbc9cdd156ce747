"""Does a run say what its record says, and name its figures honestly?"""

from __future__ import annotations

import fake_results
import pytest

from bench.spec import Cell
from bench.tracking.mlflow_run import address, figures, metrics, note, params, run_name

DAN = fake_results.cell("rafdb-twin", "dan")
ONE_HEAD = fake_results.cell("rafdb-twin", "dan", variant={"heads": 1})
CONTROL = fake_results.cell("rafdb-twin", "resnet18", 1)
HONEST = fake_results.cell("facial_expressions", "dan", protocol="honest", weights="imagenet")
CORRECT = (21, 35, 28)


@pytest.mark.parametrize("cell", [HONEST, ONE_HEAD, CONTROL], ids=lambda cell: cell.name)
def test_a_cell_name_tells_the_axes_of_its_record(cell: Cell) -> None:
    record, _ = fake_results.make(cell, CORRECT)
    told = address(cell.name)
    assert run_name(told) == run_name(record.cell)
    assert {name: value for name, value in told.items() if name != "variant"} == {
        name: value for name, value in record.cell.items() if name != "variant"
    }


def test_a_name_that_is_no_cell_tells_nothing() -> None:
    assert address("notes") == {} and address("a/b/c/d/e") == {}


def test_points_lie_between_start_and_end_in_the_order_of_epochs() -> None:
    record, _ = fake_results.make(HONEST, CORRECT)
    times = {point.step: point.time for point in metrics(record, 1000, 4000)}
    assert times == {0: 4000, 1: 2000, 2: 3000, 3: 4000}
    assert [p.value for p in metrics(record, 0, 9) if p.name == "val/accuracy"] == [1 / 7, 7 / 7, 2 / 7]


def test_what_was_chosen_on_test_is_called_the_oracle() -> None:
    record, _ = fake_results.make(HONEST, CORRECT)
    names = [name for name in figures(record) if name.startswith("test/")]
    assert names == [
        f"test/{who}_{what}"
        for who in ("last", "best-val", "best-test_oracle")
        for what in ("accuracy", "balanced_accuracy")
    ]
    assert all("oracle" in name for name in names if "best-test" in name)


def test_a_switch_is_shown_where_it_differs_from_the_default() -> None:
    plain = params(fake_results.make(DAN, CORRECT)[0])
    other = fake_results.cell("rafdb-twin", "dan", variant={"partition.form": "none", "loss.lambda2": 0.5})
    changed = params(fake_results.make(other, CORRECT)[0])
    assert "partition.form" not in plain and changed["partition.form"] == "none"
    assert {"loss.lambda1", "loss.lambda2", "heads"} <= set(plain)
    assert changed["loss.lambda2"] == "0.5" and plain["train_limit"] == str(DAN.recipe.train_limit)


def test_the_note_says_n_protocol_rehearsal_and_rendered() -> None:
    record, _ = fake_results.make(DAN, CORRECT, n_expected=75)
    text = note(record)
    for words in (
        "n = 70",
        "paper protocol",
        "Rehearsal",
        "Rendered faces",
        "28 of 70",
        "5 of 75 test images are missing",
    ):
        assert words in text, words
    photos = fake_results.cell("facial_expressions", "dan", budget="full")
    text = note(fake_results.make(photos, CORRECT)[0])
    assert "Rehearsal" not in text and "Rendered" not in text and "missing" not in text
