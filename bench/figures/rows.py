"""Which rows of a suite does a figure show, and how are they called?  Reads records; nothing of torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from baselines.registry import entry
from bench import store
from bench.cost import Cost
from bench.data.catalog import DATASETS, title
from bench.markdown import count, plural, spans
from bench.report.heads_table import asked
from bench.report.table_rows import HEADLINE, Finished, Trained, rows_of
from bench.spec import Suite, Table, slug


@dataclass(frozen=True)
class View:
    """What the figures of a suite are made of; `results` is where predictions are read from."""

    suite: Suite
    finished: Finished
    results: Path
    costs: Mapping[str, Cost]

    @property
    def selection(self) -> str:
        """Which epoch's answers are shown: the one that the suite reports, never the oracle's."""
        return HEADLINE[self.suite.protocol]


@dataclass(frozen=True)
class Shown:
    """A table on one dataset: its rows that have records, each once, under the table's own conditions."""

    table: Table
    dataset: str
    rows: tuple[Trained, ...]

    @property
    def reference(self) -> Trained | None:
        """The row that the others are compared with."""
        return next((found for found in self.rows if found.row == self.table.reference_row), None)


def shown(view: View, *kinds: str) -> Iterator[Shown]:
    """The suite's tables of these kinds on every dataset with results."""
    for table in view.suite.tables:
        if table.kind not in kinds:
            continue
        for dataset in [name for named in table.datasets for name in (named, DATASETS[named].twin) if name]:
            if dataset not in view.finished.datasets:
                continue
            first: dict[tuple[str, str], Trained] = {}
            rows = rows_of(table, dataset, view.suite, view.finished)
            for found in asked(rows) if table.kind == "heads" else rows:
                if found.records:
                    first.setdefault((found.row.method, slug(found.row.variant)), found)
            if first:
                yield Shown(table, dataset, tuple(first.values()))


def references(view: View) -> Iterator[Trained]:
    """The reference row of each comparison, once a dataset."""
    seen = set()
    for found in shown(view, "comparison"):
        if found.reference is not None and found.dataset not in seen:
            seen.add(found.dataset)
            yield found.reference


def label(found: Trained) -> str:
    """How a row is called in a figure."""
    if found.row.label:
        return found.row.label
    variant = f", {slug(found.row.variant)}" if found.row.variant else ""
    return f"{entry(found.row.method).title}{variant}"


def circumstances(found: Trained, only: int | None = None) -> str:
    """`RAF-DB (basic) twin (rendered faces), n = 300 test images, seeds 0-1, rehearsal (quick budget)`; `only` is the
    seed where a single one is shown."""
    assert found.conditions is not None
    seeds = sorted(found.records) if only is None else [only]
    parts = [
        title(found.dataset),
        f"n = {count(found.conditions.n_test)} test images",
        f"seed{'s' * (len(seeds) > 1)} {spans(seeds)}",
        "rehearsal (quick budget)" if found.conditions.budget == "quick" else "full budget",
    ]
    return ", ".join(parts)


def epoch_reported(view: View) -> str:
    """Which epoch's answers are shown, for a caption."""
    return {"last": "Last epoch", "best-val": "The epoch that is best on validation"}[view.selection]


def over_seeds(found: Trained) -> str:
    """`pooled over 2 seeds`, or which single seed it is."""
    seeds = sorted(found.records)
    return f"pooled over {plural(len(seeds), 'seed')}" if len(seeds) > 1 else f"seed {seeds[0]} alone"


def answers(view: View, found: Trained) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.float64]]]:
    """Seed, labels (n,) and logits (n, C) of each record of a row, seeds in order."""
    for cell, seed in sorted(zip(found.cells, found.records, strict=True), key=lambda pair: pair[1]):
        arrays = store.load_predictions(view.results, cell)
        logits = arrays[f"logits_{view.selection.replace('-', '_')}"]
        yield seed, arrays["labels"].astype(np.int64), logits.astype(np.float64)


def classes(found: Trained) -> tuple[str, ...]:
    """The classes in the order of the logits."""
    return next(iter(found.records.values())).data.classes
