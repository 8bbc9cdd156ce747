"""Are records, predictions and failures where they are looked for, whole or not at all?"""

from __future__ import annotations

from pathlib import Path

import fake_results
import numpy as np
import pytest

from bench import store
from bench.errors import UserError

CELL = fake_results.cell("facial_expressions", "dan")


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    record = fake_results.finish(tmp_path, CELL, (30, 50, 45))
    assert store.load(tmp_path, CELL.name) == record
    arrays = store.load_predictions(tmp_path, CELL.name)
    assert [int((answers == arrays["labels"]).sum()) for answers in arrays["by_epoch"]] == [30, 50, 45]


def test_files_lie_where_the_cells_name_says(tmp_path: Path) -> None:
    fake_results.finish(tmp_path, CELL, (1, 2, 3))
    files = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    address = "facial_expressions/dan/default/paper-quick-none-faithful/s0"
    assert files == [f"predictions/{address}.npz", f"records/{address}.json"]


def test_equal_arrays_give_equal_bytes_in_any_order() -> None:
    first, second = np.arange(5), np.eye(3, dtype=np.float32)
    assert store.pack({"a": first, "b": second}) == store.pack({"b": second.copy(), "a": first.copy()})
    assert store.pack({"a": first}) != store.pack({"a": first + 1})


def test_a_record_is_not_saved_with_other_predictions(tmp_path: Path) -> None:
    record, predictions = fake_results.make(CELL, (1, 2, 3))
    with pytest.raises(ValueError, match="does not belong"):
        store.save(tmp_path, CELL.name, record, predictions + b" ")
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_a_record_takes_the_place_of_a_failure(tmp_path: Path) -> None:
    fake_results.fail(tmp_path, CELL, "the loss is not a number")
    found = store.load_failure(tmp_path, CELL.name)
    assert found is not None and found.reason == "the loss is not a number"
    fake_results.finish(tmp_path, CELL, (1, 2, 3))
    assert store.load_failure(tmp_path, CELL.name) is None


def test_what_was_never_run_is_none(tmp_path: Path) -> None:
    assert store.load(tmp_path, CELL.name) is None
    assert store.load_failure(tmp_path, CELL.name) is None
    assert list(store.scan(tmp_path)) == []


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"\xff\xfe", b'{"schema": 1}'])
def test_a_damaged_record_is_one_clear_line_with_the_file(tmp_path: Path, damage: bytes) -> None:
    fake_results.finish(tmp_path, CELL, (1, 2, 3))
    path = store.record_path(tmp_path, CELL.name)
    path.write_bytes(damage)
    for read in (lambda: store.load(tmp_path, CELL.name), lambda: list(store.scan(tmp_path))):
        with pytest.raises(UserError) as caught:
            read()
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", [None, b"", b"not a zip", b"PK\x03\x04"])
def test_damaged_predictions_are_one_clear_line_with_the_file(tmp_path: Path, damage: bytes | None) -> None:
    fake_results.finish(tmp_path, CELL, (1, 2, 3))
    path = store.predictions_path(tmp_path, CELL.name)
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage)
    with pytest.raises(UserError) as caught:
        store.load_predictions(tmp_path, CELL.name)
    assert str(path) in str(caught.value)


def test_one_flipped_bit_in_the_predictions_is_noticed(tmp_path: Path) -> None:
    fake_results.finish(tmp_path, CELL, (1, 2, 3))
    path = store.predictions_path(tmp_path, CELL.name)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError):
        store.load_predictions(tmp_path, CELL.name)


def test_scanning_goes_by_name_and_leaves_failures_out(tmp_path: Path) -> None:
    for seed in (2, 0, 1):
        fake_results.finish(tmp_path, fake_results.cell("facial_expressions", "dan", seed), (1, 2, 3))
    fake_results.fail(tmp_path, fake_results.cell("facial_expressions", "dan", 3), "out of memory")
    assert [name[-2:] for name, _ in store.scan(tmp_path)] == ["s0", "s1", "s2"]
