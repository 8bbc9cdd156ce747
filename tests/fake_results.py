"""What would a results folder hold?  Small made-up records with the predictions that give exactly their scores."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench import store
from bench.data.catalog import info
from bench.recipe import Recipe
from bench.record import DataFacts, EpochLog, Record, Score
from bench.select import selections
from bench.spec import Cell, settings_of, variant_of
from bench.switches import Scalar, flatten

RECIPES = {
    "full": Recipe(epochs=3),
    "quick": Recipe(
        image_size=64, epochs=3, batch_size=32, optimizer="adamw", lr=1e-3, weight_decay=0.01, scheduler="cosine",
        sampler="balanced", train_limit=1000, test_limit=600,
    ),
}  # fmt: skip


def cell(
    dataset: str,
    method: str,
    seed: int = 0,
    *,
    variant: Mapping[str, Scalar] | None = None,
    protocol: str = "paper",
    budget: str = "quick",
    weights: str = "none",
    recipe: Recipe | None = None,
) -> Cell:
    """A cell under a recipe of the tests' own, so that a change of recipes.toml changes no golden file."""
    checked = variant_of(method, variant or {})
    return Cell(dataset, method, checked, protocol, budget, seed, weights, recipe or RECIPES[budget])


def finish(
    results: Path,
    cell: Cell,
    correct: tuple[int, ...],
    *,
    per_class: int = 10,
    digest: str = "d" * 64,
    n_expected: int | None = None,
    weights_sha256: str | None = None,
) -> Record:
    """Write the record and the predictions of a cell whose test answers were `correct` after each epoch.

    Every class has `per_class` test images; answers are right from the first image on, so classes are won one by one.
    Under the honest protocol the validation split is one image a class, and the second epoch is the best on it.
    """
    record, predictions = make(cell, correct, per_class=per_class, digest=digest, n_expected=n_expected)
    record = replace(record, weights_sha256=weights_sha256)
    store.save(results, cell.name, record, predictions)
    return record


def make(
    cell: Cell, correct: tuple[int, ...], *, per_class: int = 10, digest: str = "d" * 64, n_expected: int | None = None
) -> tuple[Record, bytes]:
    """The record and the bytes of its predictions, not written."""
    classes = info(cell.dataset).classes
    width = len(classes)
    labels = np.repeat(np.arange(width, dtype=np.uint8), per_class)
    by_epoch = np.stack([_answers(labels, right, width) for right in correct])  # (epochs, n)
    arrays: dict[str, Any] = {
        "ids": np.array([hashlib.sha256(bytes([n % 256, n // 256])).hexdigest()[:16] for n in range(len(labels))]),
        "labels": labels,
        "by_epoch": by_epoch,
    }
    val_correct = (1, width, 2)[: len(correct)]
    scores = {}
    for selection in selections(cell.protocol):
        epoch = selection.epoch({"test": correct, "val": val_correct, None: correct}[selection.sees])
        answers = by_epoch[epoch - 1]
        arrays[f"logits_{selection.name.replace('-', '_')}"] = _logits(answers, width)
        scores[selection.name] = _score(answers, labels, width, epoch)
    honest = cell.protocol == "honest"
    if honest:
        val_labels = np.arange(width, dtype=np.uint8)
        arrays |= {"val_ids": arrays["ids"][:width], "val_labels": val_labels, "val_logits": _logits(val_labels, width)}
    predictions = store.pack(arrays)
    n = len(labels)
    record = Record(
        key=hashlib.sha256(cell.name.encode()).hexdigest(),
        cell={
            "dataset": cell.dataset, "method": cell.method, "variant": dict(cell.variant), "protocol": cell.protocol,
            "budget": cell.budget, "seed": cell.seed, "weights": cell.weights, "numeric": cell.recipe.numeric,
        },
        settings=flatten(settings_of(cell.method, cell.variant)),
        recipe=asdict(cell.recipe),
        data=DataFacts(
            digest, classes, 1000, width if honest else 0, n, n if n_expected is None else n_expected,
            (100,) * width, (per_class,) * width,
        ),
        weights_sha256=None,
        parameters=11_180_103,
        epochs=tuple(_log(n + 1, val_correct[n] if honest else None, width) for n in range(len(correct))),
        scores=scores,
        test_correct_by_epoch=tuple(correct),
        predictions_sha256=hashlib.sha256(predictions).hexdigest(),
        provenance={
            "git": "0" * 40, "dirty": None, "packages": {"numpy": "2.3.0", "torch": "2.15.0"}, "device": "cpu",
            "machine": "a processor, 2 cores", "threads": 1, "seconds": 60.0, "started": "2026-01-01T00:00:00+00:00",
            "images_per_second": 100.0, "peak_memory_bytes": 10**9,
        },
    )  # fmt: skip
    return record, predictions


def fail(results: Path, cell: Cell, reason: str) -> None:
    """Write the failure of a cell."""
    store.save_failure(results, store.Failure(cell.name, "0" * 64, reason))


def _log(epoch: int, val_correct: int | None, width: int) -> EpochLog:
    val_n = None if val_correct is None else width
    return EpochLog(epoch, 0.01, 1.0 / epoch, {"ce": 1.0 / epoch}, 500, 1000, val_correct, val_n)


def _answers(labels: np.ndarray, right: int, width: int) -> np.ndarray:
    """The first `right` answers are the labels, the others the next class."""
    return np.where(np.arange(len(labels)) < right, labels, (labels + 1) % width).astype(np.uint8)


def _logits(answers: np.ndarray, width: int) -> np.ndarray:
    return np.eye(width, dtype=np.float32)[answers]  # (n, C)


def _score(answers: np.ndarray, labels: np.ndarray, width: int, epoch: int) -> Score:
    right = tuple(int(((answers == labels) & (labels == label)).sum()) for label in range(width))
    sizes = tuple(int((labels == label).sum()) for label in range(width))
    return Score(epoch, sum(right), len(labels), right, sizes)
