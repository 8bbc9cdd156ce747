"""Which records belong to one row of a table?  Those that share all but the seed; any other record is another row."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from baselines.registry import entry
from bench import store
from bench.errors import UserError
from bench.record import Record
from bench.spec import Row, Suite, Table, has_other_recipe, slug
from bench.switches import Scalar

HEADLINE = {"paper": "last", "honest": "best-val"}  # never the oracle
ORACLE = "best-test"
T = TypeVar("T")


@dataclass(frozen=True)
class Conditions:
    """What the records of one row share besides method and variant.

    `weights_sha256` is the digest of the trunk's starting weights.  `n_test` of `n_expected` test images were scored.
    """

    protocol: str
    budget: str
    weights: str
    weights_sha256: str | None
    numeric: str
    data_digest: str
    n_test: int
    n_expected: int
    recipe: tuple[tuple[str, Scalar], ...]
    settings: tuple[tuple[str, Scalar], ...]


@dataclass
class Seeds:
    """What is on disk for one dataset, method and variant: by seed, under the conditions that a cell's name states."""

    records: dict[tuple[str, int], Record] = field(default_factory=dict)
    failures: dict[tuple[str, int], str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Finished:
    """All that a results folder holds.  `rows` is keyed by the head of a cell's name, `dataset/method/variant`.

    `known` keeps what was derived from it: tables, verdicts and the audit ask for the same rows many times.
    """

    records: Mapping[str, Record]
    rows: Mapping[str, Seeds]
    known: dict[Any, Any] = field(default_factory=dict)

    def once(self, key: Any, derive: Callable[[], T]) -> T:
        """What `derive()` gave the first time that this key was asked for."""
        if key not in self.known:
            self.known[key] = derive()
        return self.known[key]

    @property
    def datasets(self) -> frozenset[str]:
        """The datasets with at least one record or failure."""
        return frozenset(name.split("/")[0] for name in self.rows)


@dataclass(frozen=True)
class Trained:
    """One re-trained row: its records by seed, and the reasons of the seeds that failed.

    `folder` is the part of the cells' names that states their conditions, empty where nothing was run; `conditions` is
    None where no seed has a record.  `planned` are the suite's seeds under this row's budget.
    """

    row: Row
    dataset: str
    folder: str
    conditions: Conditions | None
    records: Mapping[int, Record]
    failures: Mapping[int, str]
    planned: tuple[int, ...]

    @property
    def wanted(self) -> tuple[int, ...]:
        """Every seed that was planned or run."""
        return tuple(sorted({*self.planned, *self.records, *self.failures}))

    @property
    def cells(self) -> dict[str, Record]:
        """The records by cell name."""
        head = f"{_head(self.row, self.dataset)}/{self.folder}"
        return {f"{head}/s{seed}": record for seed, record in self.records.items()}

    @property
    def not_run(self) -> tuple[int, ...]:
        return tuple(seed for seed in self.wanted if seed not in self.records and seed not in self.failures)

    def accuracies(self, selection: str) -> dict[int, float]:
        """Accuracy by seed under a selection, where the records have it."""
        return {
            seed: record.scores[selection].accuracy
            for seed, record in self.records.items()
            if selection in record.scores
        }


def read(results: Path) -> Finished:
    """Everything in `results/records`.  Raises UserError at the first damaged record."""
    folder = results / "records"
    records = dict(store.scan(results))
    rows: dict[str, Seeds] = {}
    for name, record in records.items():
        head, conditions, seed = _address(name)
        rows.setdefault(head, Seeds()).records[conditions, seed] = record
    for path in sorted(folder.rglob(f"*{store.FAILED}")) if folder.is_dir() else ():
        name = path.relative_to(folder).as_posix().removesuffix(store.FAILED)
        failure = store.load_failure(results, name)
        if failure is not None and name not in records:
            head, conditions, seed = _address(name)
            rows.setdefault(head, Seeds()).failures[conditions, seed] = failure.reason
    return Finished(records, rows)


def conditions_of(record: Record) -> Conditions:
    """The conditions under which a record was made."""
    return Conditions(
        protocol=record.cell["protocol"],
        budget=record.cell["budget"],
        weights=record.cell["weights"],
        weights_sha256=record.weights_sha256,
        numeric=record.cell["numeric"],
        data_digest=record.data.digest,
        n_test=record.data.n_test,
        n_expected=record.data.n_test_expected,
        recipe=tuple(sorted((name, value) for name, value in record.recipe.items() if name != "numeric")),
        settings=tuple(sorted(record.settings.items())),
    )


def rows_of(table: Table, dataset: str, suite: Suite, finished: Finished) -> tuple[Trained, ...]:
    """The re-trained rows of a table on one dataset, in the suite's order; a row without any result is among them."""

    def derive() -> tuple[Trained, ...]:
        main = main_conditions(table, dataset, suite, finished)
        rows = (row for row in table.rows if row.belongs(dataset))
        return tuple(found for row in rows for found in _split(row, dataset, suite, finished, main))

    return finished.once(("rows", *_asked(table, dataset, suite)), derive)


def main_conditions(table: Table, dataset: str, suite: Suite, finished: Finished) -> Conditions | None:
    """The conditions of most records of a table, full budget before quick, without settings; None where is no record.

    Rows under the shared recipe on the shared trunk speak for the table, where there are any.
    """
    return finished.once(("main", *_asked(table, dataset, suite)), lambda: _elect(table, dataset, suite, finished))


def _asked(table: Table, dataset: str, suite: Suite) -> tuple[Any, ...]:
    """What of a table, a dataset and a suite decides which rows there are."""
    return table, dataset, suite.protocol, tuple(sorted(suite.seeds.items()))


def _elect(table: Table, dataset: str, suite: Suite, finished: Finished) -> Conditions | None:
    votes: tuple[Counter[Conditions], ...] = (Counter(), Counter(), Counter())
    for row in table.rows:
        shared_recipe = not has_other_recipe(row.variant)
        shared_trunk = entry(row.method).trunk == "resnet18"
        records = _records(row, dataset, suite, finished)
        found = [replace(_conditions(name, record, finished), settings=()) for name, record in records]
        votes[0 if shared_recipe and shared_trunk else 1 if shared_recipe else 2].update(found)
    counted = next((counter for counter in votes if counter), Counter())
    return max(counted, key=lambda main: (main.budget == "full", counted[main], repr(main)), default=None)


def same_images(first: Trained, second: Trained) -> bool:
    """Whether two rows were trained and scored on the same images, so that their seeds pair."""
    one, other = first.conditions, second.conditions
    return one is not None and other is not None and _images(one) == _images(other)


def _split(row: Row, dataset: str, suite: Suite, finished: Finished, main: Conditions | None) -> list[Trained]:
    """A row's records, one `Trained` for each set of conditions, the table's own conditions first."""
    head = _head(row, dataset)
    on_disk = finished.rows.get(head, Seeds())
    groups: dict[tuple[Conditions, str], dict[int, Record]] = {}
    for (folder, seed), record in sorted(on_disk.records.items()):
        if folder.startswith(f"{suite.protocol}-"):
            name = f"{head}/{folder}/s{seed}"
            groups.setdefault((_conditions(name, record, finished), folder), {})[seed] = record
    failed: dict[str, dict[int, str]] = {}
    for (folder, seed), reason in sorted(on_disk.failures.items()):
        if folder.startswith(f"{suite.protocol}-"):
            failed.setdefault(folder, {})[seed] = reason
    found = []
    for shared, folder in sorted(groups, key=lambda group: _order(group[0], main)):
        planned = suite.seeds.get(shared.budget, ())
        found.append(Trained(row, dataset, folder, shared, groups[shared, folder], failed.pop(folder, {}), planned))
    for folder, reasons in failed.items():
        found.append(Trained(row, dataset, folder, None, {}, reasons, suite.seeds.get(folder.split("-")[1], ())))
    wanted = suite.seeds.get(main.budget, ()) if main and row.runs(dataset, main.budget) else ()
    return found or [Trained(row, dataset, "", None, {}, {}, wanted)]


def _conditions(name: str, record: Record, finished: Finished) -> Conditions:
    return finished.once(("conditions", name), lambda: conditions_of(record))


def _records(row: Row, dataset: str, suite: Suite, finished: Finished) -> list[tuple[str, Record]]:
    """The row's records under the suite's protocol, with their cells' names."""
    head = _head(row, dataset)
    records = finished.rows.get(head, Seeds()).records.items()
    return [
        (f"{head}/{folder}/s{seed}", record)
        for (folder, seed), record in records
        if folder.startswith(f"{suite.protocol}-")
    ]


def _head(row: Row, dataset: str) -> str:
    return f"{dataset}/{row.method}/{slug(row.variant)}"


def _address(name: str) -> tuple[str, str, int]:
    """`rafdb/dan/default/paper-quick-none-faithful/s0` -> (`rafdb/dan/default`, `paper-quick-none-faithful`, 0)."""
    head, conditions, seed = name.rsplit("/", 2) if name.count("/") == 4 else ("", "", "")
    if not re.fullmatch(r"s\d+", seed):
        raise UserError(f"records/{name}: no cell has this address; move the file out of the folder")
    return head, conditions, int(seed[1:])


def _order(shared: Conditions, main: Conditions | None) -> tuple[Any, ...]:
    """Sorts the conditions that are most like the table's first."""
    unlike = sum(getattr(shared, each.name) != getattr(main, each.name) for each in fields(Conditions)) if main else 0
    return unlike, repr(shared)


def _images(shared: Conditions) -> tuple[Any, ...]:
    return shared.data_digest, shared.protocol, shared.budget, shared.n_test
