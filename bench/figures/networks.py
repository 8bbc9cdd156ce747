"""Which trained networks are at hand, with the images that they are looked at with?  Needs torch.

Weights lie in `runs/cells/<cell>/weights.pt`; one of another result than the record of its cell is not used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bench.data.catalog import TWINS
from bench.data.dataset import Dataset
from bench.data.source import at_hand, open_source
from bench.data.splits import partition
from bench.errors import UserError
from bench.feed import Feed, feed
from bench.method import Method
from bench.numeric import Arithmetic, arithmetic
from bench.pretrained import starting_weights
from bench.record import Record
from bench.report.table_rows import Trained
from bench.spec import Cell, recipe_of, variant_of
from bench.trained import WEIGHTS, is_trained, load_trained
from dan.tensorfile import TensorFile, read_tensor_file
from dan.weights import WeightsError


@dataclass(frozen=True)
class Network:
    """A trained method in evaluation mode and the test images of its cell: `images` (n, S, S, 3), `labels` and `ids`
    (n,), `masks` (n, S, S, 4) for rendered faces, else None; `train_labels` are those of the training images."""

    cell: str
    seed: int
    found: Trained
    record: Record
    method: Method
    weights_sha256: str
    feed: Feed
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    ids: NDArray[np.str_]
    masks: NDArray[np.uint8] | None
    train_labels: NDArray[np.int64]

    def untrained(self) -> Method | None:
        """The same network before its first step; None where it starts from weights that are not at hand."""
        start = None
        if self.record.cell["weights"] != "none":
            shipped = starting_weights("rendered", "quick")
            if shipped.sha256 != self.record.weights_sha256:
                return None
            start = shipped.path
        from bench.cell import build

        cell = _cell(self.record)
        return build(cell, len(self.record.data.classes), self.train_labels, start, self.feed.arithmetic).eval()


@dataclass
class Networks:
    """Finds trained networks.  `data` and `roots` are where datasets lie; `notes` collects why some are not used."""

    runs: Path
    data: Path | None
    roots: Mapping[str, Path]
    notes: list[str] = field(default_factory=list)
    _opened: dict[tuple[str, str, int], Dataset | None] = field(default_factory=dict)

    def of(self, found: Trained, suite: str) -> Iterator[Network]:
        """The networks of a row, seeds in order.  A row without any leaves a note that says how to train one."""
        used = False
        for cell, (seed, record) in zip(found.cells, found.records.items(), strict=True):
            path = self.runs / "cells" / cell / WEIGHTS
            if not path.is_file():
                continue
            network = self._network(cell, seed, found, record, path)
            if network is not None:
                used = True
                yield network
        if not used:
            row = next(iter(found.cells)).rpartition("/")[0]
            again = f"--only '{row}/*' --results {self.runs / 'again'}"
            self._note(f"no weights of {row}: python -m bench.run --suite {suite} {again} trains one")

    def _network(self, cell: str, seed: int, found: Trained, record: Record, path: Path) -> Network | None:
        file = _read(path)
        method, info = load_trained(file.content, path)
        if info.key != record.key:
            self._note(f"{path} is of another result than the record of its cell")
            return None
        name, size = str(record.cell["dataset"]), int(record.recipe["image_size"] or 0)
        budget = str(record.cell["budget"])
        dataset = self._dataset(name, budget, size)
        if dataset is None:
            return None
        if dataset.digest != record.data.digest:
            self._note(f"{cell} was trained on other images of {name} than those at hand")
            return None
        limits: list[Any] = [record.recipe[limit] for limit in ("train_limit", "test_limit")]
        rows = partition(dataset.train, dataset.test, dataset.digest, str(record.cell["protocol"]), *limits)
        numbers = Arithmetic(torch.device("cpu"), False, torch.contiguous_format)
        masks = self._masks(name, budget, size, rows.test) if name in TWINS else None
        return Network(
            cell, seed, found, record, method, file.sha256, feed(dataset, "test", rows.test, numbers),
            dataset.test.images[rows.test], dataset.test.labels[rows.test], dataset.test.ids[rows.test], masks,
            dataset.train.labels[rows.train],
        )  # fmt: skip

    def _dataset(self, name: str, budget: str, size: int) -> Dataset | None:
        key = (name, budget, size)
        if key not in self._opened:
            licensed = TWINS.get(name, name)
            roots = {licensed: self.roots[licensed]} if licensed in self.roots and name not in TWINS else {}
            sources = at_hand([licensed], budget, self.data, roots, [name])
            source = next((source for source in sources if source.name == name), None)
            if source is None:
                self._note(f"the images of {name} are not at hand: give --data DIR or --root {name}=DIR")
            self._opened[key] = open_source(source, size, self.runs / "cache") if source else None
        return self._opened[key]

    def _masks(self, name: str, budget: str, size: int, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        from bench.data.twin import population, store

        return store.load(population.spec(name, budget), size, self.runs / "cache").test.masks[rows]

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


@contextmanager
def one_thread() -> Iterator[None]:
    """The arithmetic of cells (bench/numeric.py): one thread, deterministic; libraries beside torch as well."""
    from threadpoolctl import threadpool_limits

    with arithmetic("faithful", torch.device("cpu")), threadpool_limits(1):
        yield


def _read(path: Path) -> TensorFile:
    try:
        file = read_tensor_file(path)
    except WeightsError as error:
        raise UserError(str(error)) from None
    if not is_trained(file.content):
        raise UserError(f"{path} holds no weights of a cell; delete it and train the cell again")
    return file


def _cell(record: Record) -> Cell:
    """The cell of a record, as it would be run now."""
    axes = record.cell
    variant = variant_of(axes["method"], axes["variant"])
    recipe = recipe_of(axes["dataset"], axes["method"], variant, axes["budget"], axes["numeric"])
    conditions = (axes["protocol"], axes["budget"], axes["seed"], axes["weights"], recipe)
    return Cell(axes["dataset"], axes["method"], variant, *conditions)
