"""Do a record's numbers follow from its stored predictions?  Each is computed again, by other code than made it."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from bench import store
from bench.errors import UserError
from bench.metrics import confusion_matrix
from bench.record import Record
from bench.select import selections
from bench.spec import slug

Arrays = Mapping[str, NDArray]


def problems(results: Path, name: str, record: Record) -> list[tuple[str, str]]:
    """What does not hold for the record of a cell, as (selection, problem); no selection where it concerns them all."""
    found = [("", text) for text in _address(name, record)]
    path = store.predictions_path(results, name)
    try:
        content = path.read_bytes()
        arrays = store.load_predictions(results, name)
    except (OSError, UserError, BadZipFile, zlib.error):
        return [*found, ("", f"{path} is missing or cannot be read")]
    if hashlib.sha256(content).hexdigest() != record.predictions_sha256:
        found.append(("", f"{path} is not the file that the record was made with"))
    try:
        return [*found, *_numbers(record, arrays)]
    except (KeyError, ValueError, IndexError) as error:
        return [*found, ("", f"{path} does not hold what the record needs: {error}")]


def _address(name: str, record: Record) -> Iterator[str]:
    cell = record.cell
    conditions = f"{cell['protocol']}-{cell['budget']}-{cell['weights']}-{cell['numeric']}"
    variant = slug(tuple(sorted(cell["variant"].items())))
    wanted = f"{cell['dataset']}/{cell['method']}/{variant}/{conditions}/s{cell['seed']}"
    if wanted != name:
        yield f"the record says that it is {wanted}"
    if (cell["weights"] == "none") != (record.weights_sha256 is None):
        yield f"weights {cell['weights']} with the digest {record.weights_sha256}"


def _numbers(record: Record, arrays: Arrays) -> Iterator[tuple[str, str]]:
    labels, by_epoch = arrays["labels"], arrays["by_epoch"]  # (n,), (epochs, n)
    classes = len(record.data.classes)
    sizes = tuple(int(size) for size in np.bincount(labels, minlength=classes))
    yield from _unlike("", "n", record.data.n_test, len(labels))
    yield from _unlike("", "test images per class", tuple(record.data.test_per_class), sizes)
    yield from _unlike("", "distinct test images", len(arrays["ids"]), len(np.unique(arrays["ids"])))
    yield from _unlike("", "epochs", len(record.epochs), len(by_epoch))
    if record.data.n_test > record.data.n_test_expected:
        yield "", f"{record.data.n_test} images scored where {record.data.n_test_expected} are expected"
    test = [int(confusion_matrix(labels, answers, classes).trace()) for answers in by_epoch]
    yield from _unlike("", "correct by epoch", tuple(record.test_correct_by_epoch), tuple(test))
    val = [log.val_correct or 0 for log in record.epochs]
    for selection in selections(str(record.cell["protocol"])):
        stored = record.scores[selection.name]
        epoch = selection.epoch({"test": test, "val": val, None: test}[selection.sees])
        yield from _unlike(selection.name, "epoch", stored.epoch, epoch)
        answers = arrays[f"logits_{selection.name.replace('-', '_')}"].argmax(axis=1)  # (n,)
        if not np.array_equal(answers, by_epoch[stored.epoch - 1]):
            yield selection.name, f"its logits are not those of epoch {stored.epoch}"
        confusion = confusion_matrix(labels, answers, classes)  # (C, C)
        yield from _unlike(selection.name, "correct", stored.correct, int(confusion.trace()))
        yield from _unlike(selection.name, "n", stored.n, int(confusion.sum()))
        yield from _unlike(
            selection.name, "correct by class", stored.class_correct, tuple(confusion.diagonal().tolist())
        )
        yield from _unlike(selection.name, "n by class", stored.class_n, tuple(confusion.sum(axis=1).tolist()))
    if "best-val" in record.scores:
        right = int((arrays["val_logits"].argmax(axis=1) == arrays["val_labels"]).sum())
        yield from _unlike("best-val", "correct validation images", val[record.scores["best-val"].epoch - 1], right)


def _unlike(selection: str, what: str, stored: object, again: object) -> Iterator[tuple[str, str]]:
    if stored != again:
        yield selection, f"{what}: {stored} recorded, {again} from the predictions"
