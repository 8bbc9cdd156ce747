"""Is a record read back exactly, is its digest that of its number, and is an edit noticed?"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace

import fake_results
import pytest
from sklearn.metrics import balanced_accuracy_score

from bench.record import Record, Score, canonical

CELL = fake_results.cell("facial_expressions", "dan", variant={"heads": 2, "affinity": "none"})
RECORD = fake_results.make(CELL, (30, 50, 45))[0]
HONEST = fake_results.make(fake_results.cell("rafdb", "dan", protocol="honest"), (30, 50, 45))[0]


@pytest.mark.parametrize("record", [RECORD, HONEST])
def test_a_record_survives_the_way_through_json(record: Record) -> None:
    assert Record.from_json(record.to_json()) == record


def test_the_digest_is_that_of_everything_but_provenance() -> None:
    content = asdict(RECORD)
    del content["provenance"]
    plain = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert RECORD.digest == hashlib.sha256(plain).hexdigest()


def test_another_machine_gives_the_same_digest_and_another_number_another_one() -> None:
    elsewhere = replace(RECORD, provenance={"device": "cuda"})
    assert elsewhere.digest == RECORD.digest
    better = replace(RECORD.scores["last"], correct=46)
    assert replace(RECORD, scores=RECORD.scores | {"last": better}).digest != RECORD.digest


def test_an_edited_record_is_refused() -> None:
    text = RECORD.to_json().replace('"correct": 45', '"correct": 46', 1)
    with pytest.raises(ValueError, match="edited or is damaged"):
        Record.from_json(text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 99}, "schema 99"),
        ({"extra": 1}, "fields differ: extra"),
    ],
)
def test_another_schema_or_field_is_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Record.from_json(json.dumps(json.loads(RECORD.to_json()) | change))


def test_a_missing_field_is_named() -> None:
    content = json.loads(RECORD.to_json())
    del content["recipe"]
    with pytest.raises(ValueError, match="recipe"):
        Record.from_json(json.dumps(content))


@pytest.mark.parametrize("text", ["[]", "1", '"a"'])
def test_json_that_is_no_object_is_no_record(text: str) -> None:
    with pytest.raises(ValueError, match="not a record"):
        Record.from_json(text)


def test_balanced_accuracy_is_scikit_learns() -> None:
    labels = [0] * 5 + [1] * 3 + [3] * 2
    answers = [0, 0, 0, 1, 1, 1, 1, 0, 3, 0]
    score = Score(1, 6, 10, (3, 2, 0, 1), (5, 3, 0, 2))
    assert score.balanced_accuracy == pytest.approx(balanced_accuracy_score(labels, answers))
    assert score.accuracy == pytest.approx(0.6)


def test_canonical_bytes_do_not_depend_on_the_order_of_keys() -> None:
    assert canonical({"b": 0.1, "a": [1, None]}) == canonical({"a": [1, None], "b": 0.1}) == b'{"a":[1,null],"b":0.1}'


def test_a_number_that_is_none_cannot_be_stored() -> None:
    with pytest.raises(ValueError):
        canonical({"loss": float("nan")})


@pytest.mark.parametrize(
    ("right", "sizes", "collapsed"),
    [
        ((0, 0, 5), (3, 4, 5), True),
        ((0, 0, 2), (3, 4, 5), True),
        ((0, 0, 0), (3, 4, 5), True),
        ((1, 0, 5), (3, 4, 5), False),
        ((0, 0, 5), (0, 0, 5), False),  # nothing else was asked
    ],
)
def test_a_score_whose_right_answers_are_of_one_class_has_collapsed(
    right: tuple[int, ...], sizes: tuple[int, ...], collapsed: bool
) -> None:
    assert Score(1, sum(right), sum(sizes), right, sizes).collapsed is collapsed
