"""What do kept weights answer under corruption and on other datasets?  Resumable: what is measured is not measured
again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from bench.data.augment import IMAGENET_MEAN, IMAGENET_STD, normalisation_table
from bench.data.dataset import Dataset, Split
from bench.data.splits import partition, shuffled
from bench.errors import UserError
from bench.feed import Feed
from bench.method import Method
from bench.numeric import Arithmetic, arithmetic
from bench.predict import predict
from bench.provenance import packages
from bench.robustness import text
from bench.robustness.corruptions import corrupt
from bench.robustness.text import CORRUPTIONS, SEVERITIES, Answered, Robustness
from bench.spec import Cell
from bench.trained import WEIGHTS, is_trained, load_trained
from dan.tensorfile import read_tensor_file

MOST_CORRUPTED = {"quick": 128, "full": None}  # images that are corrupted 30 times over
PART = 256  # images corrupted at once: floats of a whole test split at 224 pixels would take gigabytes
Open = Callable[[str, int], Dataset]  # (dataset, pixels)


def measure(
    cell: Cell, key: str, weights: Path, opened: Open, elsewhere: Sequence[str], results: Path, device: torch.device
) -> tuple[Robustness, bool]:
    """The measurement of one cell's weights, and whether anything had to be measured.

    `elsewhere` are the datasets that the weights also answer, on the classes that both have.  Raises UserError where
    the weights are not there or not the record's.
    """
    content, sha256 = _kept(weights, cell)
    method, info = load_trained(content, weights)
    if info.key != key:
        raise UserError(f"{weights}: these weights are not those of the record; train {cell.name} again")
    home = opened(cell.dataset, info.image_size)
    found = text.load(results, cell.name)
    if found is None or (found.key, found.weights_sha256) != (key, sha256) or not _is_whole(found):
        found = None
    missing = [name for name in elsewhere if name != cell.dataset and (found is None or name not in found.transfer)]
    if found is not None and not missing:
        return found, False
    with arithmetic(cell.recipe.numeric, device) as numbers:
        method = method.to(device).to(memory_format=numbers.memory_format)
        if found is None:
            found = _at_home(cell, key, sha256, method, home, info.image_size, numbers)
        transfer = {
            name: _answer(cell, method, info.classes, opened(name, info.image_size), numbers) for name in missing
        }
    found = replace(found, transfer={**found.transfer, **{name: each for name, each in transfer.items() if each.n}})
    text.save(results, found)
    return found, True


def _kept(weights: Path, cell: Cell) -> tuple[dict, str]:
    if not weights.is_file():
        raise UserError(
            f"no kept weights of {cell.name} ({weights.name} in {weights.parent} is missing: it was trained with "
            "another --runs folder, or with other seeds first); give that folder, or train it again with --results DIR"
        )
    file = read_tensor_file(weights)
    if not is_trained(file.content):
        raise UserError(f"{weights}: not the weights of a cell")
    return file.content, file.sha256


def _at_home(
    cell: Cell, key: str, sha256: str, method: Method, dataset: Dataset, size: int, numbers: Arithmetic
) -> Robustness:
    rows = _test_rows(cell, dataset)
    most = MOST_CORRUPTED[cell.budget]
    rows = np.sort(shuffled(rows, f"{dataset.digest}/robustness")[:most])
    split = dataset.test.subset(rows)
    images = torch.from_numpy(np.ascontiguousarray(split.images)).permute(0, 3, 1, 2).contiguous()  # (n, 3, S, S)
    corrupted = {}
    for kind in CORRUPTIONS:
        for severity in SEVERITIES:
            answers = ""
            for part, few in enumerate(images.split(PART)):
                worse = corrupt(few, kind, severity, part).permute(0, 2, 3, 1).contiguous().numpy()  # (m, S, S, 3)
                answers += _digits(_predicted(method, worse, numbers).argmax(axis=1))
            corrupted[f"{kind}/{severity}"] = answers
    answers = _digits(_predicted(method, split.images, numbers).argmax(axis=1))
    clean = Answered(dataset.digest, dataset.classes, _digits(split.labels), answers)
    ids = tuple(str(name) for name in split.ids)
    facts = {"packages": packages(), "device": numbers.device.type}
    return Robustness(cell.name, key, sha256, size, ids, clean, corrupted, {}, facts)


def _answer(cell: Cell, method: Method, classes: Sequence[str], dataset: Dataset, numbers: Arithmetic) -> Answered:
    """The answers to another dataset's test images of the shared classes, each the best of the shared classes."""
    shared = tuple(name for name in classes if name in dataset.classes)
    place = {dataset.classes.index(name): index for index, name in enumerate(shared)}
    rows = _test_rows(cell, dataset)
    rows = rows[np.isin(dataset.test.labels[rows], list(place))]
    split: Split = dataset.test.subset(rows)
    labels = np.array([place[int(label)] for label in split.labels], dtype=np.int64)
    logits = _predicted(method, split.images, numbers)[:, [classes.index(name) for name in shared]]  # (n, shared)
    return Answered(dataset.digest, shared, _digits(labels), _digits(logits.argmax(axis=1)))


def _test_rows(cell: Cell, dataset: Dataset) -> NDArray[np.int64]:
    limits = (cell.recipe.train_limit, cell.recipe.test_limit)
    return partition(dataset.train, dataset.test, dataset.digest, "paper", *limits).test


def _predicted(method: Method, images: NDArray[np.uint8], numbers: Arithmetic) -> NDArray[np.float32]:
    table = normalisation_table(IMAGENET_MEAN, IMAGENET_STD).to(numbers.device)
    rows = np.arange(len(images), dtype=np.int64)
    return predict(method, Feed(images, rows, None, table, numbers)).numpy()


def _digits(classes: NDArray[np.integer]) -> str:
    return "".join(str(int(each)) for each in classes)


def _is_whole(found: Robustness) -> bool:
    return set(found.corrupted) == {f"{kind}/{severity}" for kind in CORRUPTIONS for severity in SEVERITIES}


def measure_all(
    cells: Sequence[Cell],
    keys: Mapping[str, str],
    folder_of: Callable[[Cell], Path],
    opened: Open,
    elsewhere: Sequence[str],
    results: Path,
    device: torch.device,
    say: Callable[[str], None],
) -> int:
    """Measure every cell; returns how many could not be, having said why."""
    failed = 0
    for number, cell in enumerate(cells, 1):
        try:
            if cell.name not in keys:
                raise UserError(f"{cell.name} has no record")
            weights = folder_of(cell) / WEIGHTS
            found, new = measure(cell, keys[cell.name], weights, opened, elsewhere, results, device)
        except UserError as error:
            say(f"robustness {number}/{len(cells)}: {error}")
            failed += 1
            continue
        said = f"{found.clean.correct} of {found.clean.n} clean" if new else "measured before"
        say(f"robustness {number}/{len(cells)}: {cell.name}: {said}")
    return failed
