"""What does a finished cell leave?  A record: integers, per-epoch log, facts about data and weights, provenance.

Everything but `provenance` is covered by `digest`: two runs of one cell are the same run when their digests are equal.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any

from bench.switches import Scalar

SCHEMA = 1


@dataclass(frozen=True)
class Score:
    """Correct answers on one split with the weights after `epoch` (from 1).  Fractions are made of these integers
    only."""

    epoch: int
    correct: int
    n: int
    class_correct: tuple[int, ...]
    class_n: tuple[int, ...]

    @property
    def accuracy(self) -> float:
        return self.correct / self.n

    @property
    def balanced_accuracy(self) -> float:
        """Mean recall over the classes that occur (scikit-learn's balanced_accuracy_score)."""
        recalls = [k / n for k, n in zip(self.class_correct, self.class_n, strict=True) if n]
        return sum(recalls) / len(recalls)

    @property
    def collapsed(self) -> bool:
        """Whether no right answer lies outside one class, though several occur: so it is where a network gives every
        image the same class."""
        return sum(right > 0 for right in self.class_correct) <= 1 < sum(size > 0 for size in self.class_n)


@dataclass(frozen=True)
class EpochLog:
    """One epoch of training.  `lr` is the rate that the epoch was trained with; `loss` and `parts` are means over
    images."""

    epoch: int
    lr: float
    loss: float
    parts: Mapping[str, float]
    train_correct: int
    train_n: int
    val_correct: int | None = None
    val_n: int | None = None


@dataclass(frozen=True)
class DataFacts:
    """Which images were used.  `n_test_expected` is the size of the whole test split under this budget's limit."""

    digest: str
    classes: tuple[str, ...]
    n_train: int
    n_val: int
    n_test: int
    n_test_expected: int
    train_per_class: tuple[int, ...]
    test_per_class: tuple[int, ...]


@dataclass(frozen=True)
class Record:
    """A finished cell.

    `cell` holds dataset, method, variant, protocol, budget, seed, weights and numeric.  `scores` are keyed by the
    selection's honest name: `last`, `best-val` (honest only), `best-test` (the oracle).  `test_correct_by_epoch` is
    what the oracle saw. `parameters` are all that were learnt, a loss's centres included (Table 6 counts the network
    alone: bench/cost.py). `weights_sha256` is the digest of the trunk's starting weights, None for random
    initialisation. `predictions_sha256` is the digest of the predictions file beside this record.
    """

    key: str
    cell: Mapping[str, Any]
    settings: Mapping[str, Scalar]
    recipe: Mapping[str, Scalar]
    data: DataFacts
    weights_sha256: str | None
    parameters: int
    epochs: tuple[EpochLog, ...]
    scores: Mapping[str, Score]
    test_correct_by_epoch: tuple[int, ...]
    predictions_sha256: str
    provenance: Mapping[str, Any]
    schema: int = SCHEMA

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all that makes the number: the record without its provenance."""
        return _digest(asdict(self))

    def to_json(self) -> str:
        """The record as text, with its digest; ends with a newline."""
        return json.dumps(asdict(self) | {"digest": self.digest}, indent=1, sort_keys=True, ensure_ascii=False) + "\n"

    @staticmethod
    def from_json(text: str) -> Record:
        """Read a record.  Raises ValueError when a field is missing, unknown or of another schema, or the digest does
        not fit."""
        content = json.loads(text)
        if not isinstance(content, dict):
            raise ValueError("not a record: the file is no JSON object")
        digest = content.pop("digest", None)
        if content.get("schema") != SCHEMA:
            raise ValueError(f"schema {content.get('schema')}, this version reads {SCHEMA}")
        names = {field.name for field in fields(Record)}
        if set(content) != names:
            raise ValueError(f"fields differ: {', '.join(sorted(set(content) ^ names))}")
        record = Record(
            **content
            | {
                "data": DataFacts(**_tuples(content["data"])),
                "epochs": tuple(EpochLog(**epoch) for epoch in content["epochs"]),
                "scores": {name: Score(**_tuples(score)) for name, score in content["scores"].items()},
                "test_correct_by_epoch": tuple(content["test_correct_by_epoch"]),
            }
        )
        if digest != _digest(content):  # of what was read: taking 10,000 records apart again would take a minute
            raise ValueError("the content does not fit the digest: the file was edited or is damaged")
        record.__dict__["digest"] = digest  # where cached_property keeps it
        return record


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical({name: content[name] for name in content if name != "provenance"})).hexdigest()


def canonical(content: Any) -> bytes:
    """JSON bytes that are equal for equal content: sorted keys, no spaces, shortest exact floats."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _tuples(content: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in content.items()}
