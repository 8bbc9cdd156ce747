"""How long do the plan and the pages of thousands of cells take?  Copies of one record; nothing is trained.

The records are real in size: one of this project's, its log drawn out to the paper's 40 epochs, with its predictions.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bench import store
from bench.errors import UserError
from bench.key import inputs
from bench.plan import plan
from bench.record import Record
from bench.report import accuracy_table, pages
from bench.spec import Cell, Row, Suite, Table, cells_of, variant_of

TWINS = ("rafdb-twin", "affectnet7-twin", "sfew-twin")  # each has the template's seven classes
SEEDS = tuple(range(8))
EPOCHS = 40
FEWEST = len(TWINS) * len(SEEDS)
TEMPLATE = "rafdb-twin/dan/default/paper-quick-rendered-faithful/s0"


@dataclass(frozen=True)
class Timing:
    """Seconds of wall time that `what` took for `cells` cells: the median, smallest and largest over the rounds."""

    what: str
    cells: int
    median: float
    low: float
    high: float
    rounds: int


def timings(count: int, rounds: int, say: Callable[[str], None]) -> tuple[Timing, ...]:
    """Plan, scan and render about `count` cells (whole rows of eight seeds on three twins).

    Raises UserError where the project's results lack the record that is copied.
    """
    if count < FEWEST:
        raise UserError(f"--cells {count}: at least {FEWEST}, one row of {len(SEEDS)} seeds on {len(TWINS)} twins")
    suite = many(count // FEWEST)
    cells = cells_of(suite, TWINS, "quick", SEEDS, "rendered", "faithful")
    template = store.load(pages.PROJECT_RESULTS, TEMPLATE)
    if template is None:
        raise UserError(f"{pages.PROJECT_RESULTS} lacks the record {TEMPLATE}, copies of which would be timed")
    data = dict.fromkeys(TWINS, template.data.digest)
    weights = {"rendered": template.weights_sha256, "none": None}
    found: list[Timing] = []

    def timed(what: str, of: int, work: Callable[[], object]) -> None:
        seconds = []
        for _ in range(rounds):
            began = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - began)
        found.append(Timing(what, of, statistics.median(seconds), min(seconds), max(seconds), rounds))
        say(f"{what}, {of} cells: {found[-1].median:.2f} s")

    with tempfile.TemporaryDirectory(prefix="cells-") as place:
        results, runs = Path(place) / "results", Path(place) / "runs"
        timed("plan, nothing done", len(cells), lambda: plan(cells, data, weights, results, runs))
        for share in (4, 2, 1):
            part = cells[: len(cells) // share]
            say(f"writing {len(part)} records")
            write(results, part, template, weights)
            timed("read and verify every record", len(part), lambda: sum(1 for _ in store.scan(results)))
        timed("plan, all done", len(cells), lambda: plan(cells, data, weights, results, runs))
        timed("tables", len(cells), lambda: tables(suite, results))
        timed("tables, predictions and verdicts", len(cells), lambda: everything(suite, results))
    return tuple(found)


def many(rows: int) -> Suite:
    """A suite of one table with so many rows: DAN under as many weights of its affinity loss."""
    listed = tuple(
        Row("dan", variant_of("dan", {"loss.lambda1": number / 100}), f"row {number}") for number in range(rows)
    )
    originals = ("rafdb", "affectnet7", "sfew")
    table = Table("comparison", "comparison", "Many rows", originals, listed, ("Table 3",), listed[0].label)
    return Suite("many", "Many cells", "paper", {"quick": SEEDS, "full": SEEDS}, (table,))


def write(results: Path, cells: tuple[Cell, ...], template: Record, weights: Mapping[str, str | None]) -> None:
    """Give each cell a copy of the record, as its own, and of its predictions.  Not durably: it is thrown away."""
    predictions = store.predictions_path(pages.PROJECT_RESULTS, TEMPLATE).read_bytes()
    log = template.epochs[-1]
    epochs = tuple(replace(log, epoch=epoch) for epoch in range(1, EPOCHS + 1))
    for cell in cells:
        own = inputs(cell, template.data.digest, weights[cell.weights])
        axes = {**template.cell, "dataset": cell.dataset, "variant": dict(cell.variant), "seed": cell.seed}
        record = replace(
            template, key=own.key, cell=axes, settings=own.cell["settings"], recipe=own.cell["recipe"], epochs=epochs
        )
        for path, content in (
            (store.record_path(results, cell.name), record.to_json().encode()),
            (store.predictions_path(results, cell.name), predictions),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def tables(suite: Suite, results: Path) -> int:
    """Characters of the accuracy tables of a results folder, read and rendered anew."""
    material = pages.gather(results)
    return sum(
        len(accuracy_table.page(table, dataset, suite, material.finished, material.reported).text())
        for table in suite.tables
        for dataset in pages.datasets_of(table, suite, material.finished)
    )


def everything(suite: Suite, results: Path) -> int:
    """Characters of all pages of a results folder, read and rendered anew."""
    return sum(len(page.text()) for page in pages.pages_of([suite], pages.gather(results)).values())
