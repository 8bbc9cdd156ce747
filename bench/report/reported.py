"""Which numbers did others print?  Reads results/reported/*.toml; a misspelt key is an error, never a number left out.

One file a table.  Keys of the file's head (`dataset`, `n_paper`, ...) hold for each of its rows unless a row says
otherwise. Figures are strings, because "89.70" and "89.7" are different claims: the printed digits decide which counts
fit.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from bench.errors import UserError, unknown
from bench.report.granularity import scaled
from bench.switches import Scalar

DATASETS = ("affectnet7", "affectnet8", "rafdb", "sfew")
Variant = tuple[tuple[str, Scalar], ...]
RowType = TypeVar("RowType", "Accuracy", "Cost")


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """One printed accuracy in per cent.

    `citation` is the paper's reference number, None where the paper ran the method itself.  `method` and `variant` name
    the row of this harness that re-trains it.  `retrained` says whether we do, `why` why not.  `n_paper` are the test
    sizes that the paper states (SFEW: two, without saying which was scored); `n_evidence` is the size that the printed
    digits or the released files point to, and `evidence` the argument.  `runs` is the number of training runs behind
    the figure, `spread` what follows its +-.  `backbone`, `pretraining` and `selection` (last, best-val, best-test) are
    as reported, None where not known. `source` is a citation or a link.
    """

    file: str
    table: str
    label: str
    dataset: str
    figure: str
    retrained: bool
    group: str = ""
    citation: str | None = None
    method: str | None = None
    variant: Variant = ()
    why: str = ""
    n_paper: tuple[int, ...] = ()
    n_evidence: int | None = None
    evidence: str = ""
    runs: int = 1
    spread: str | None = None
    backbone: str | None = None
    pretraining: str | None = None
    selection: str | None = None
    source: str
    note: str = ""

    @property
    def sizes(self) -> tuple[int, ...]:
        """Test sizes that the figure may have been measured on: the evidence where there is any, else what the paper
        states."""
        return (self.n_evidence,) if self.n_evidence is not None else self.n_paper


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Printed parameters (millions) and operations (billions); `classes`, `image_size` (pixels) and `configuration` are
    what has to be counted for the printed digits to come out."""

    file: str
    table: str
    label: str
    parameters_millions: str
    operations_billions: str
    retrained: bool
    citation: str | None = None
    method: str | None = None
    variant: Variant = ()
    why: str = ""
    classes: int | None = None
    image_size: int | None = None
    configuration: str = ""
    source: str
    note: str = ""


@dataclass(frozen=True)
class Reported:
    """All printed numbers, in the order of their files and rows; `titles` are the captions by table."""

    accuracies: tuple[Accuracy, ...]
    costs: tuple[Cost, ...]
    titles: Mapping[str, str]

    def table(self, number: str) -> tuple[Accuracy, ...]:
        """The accuracies of one table, in its order."""
        return tuple(row for row in self.accuracies if row.table == number)


def load(folder: Path, methods: Collection[str] | None = None) -> Reported:
    """Read every file of the folder.

    Raises UserError, with the file and the row, for text that is no TOML, unknown or missing keys, values of the wrong
    kind, and (where `methods` is given) a re-trained row whose method does not exist.
    """
    files = sorted(folder.glob("*.toml"))
    if not files:
        raise UserError(f"{folder}: no reported numbers (*.toml) found; point --results at a folder that has reported/")
    accuracies: list[Accuracy] = []
    costs: list[Cost] = []
    titles: dict[str, str] = {}
    for file in files:
        head, rows_of_accuracy, rows_of_cost = _read(file)
        accuracies += _rows(Accuracy, "accuracy", file.name, head, rows_of_accuracy, methods)
        costs += _rows(Cost, "cost", file.name, head, rows_of_cost, methods)
        if head["table"] in titles:
            raise UserError(f"{file.name}: table '{head['table']}' is already in another file")
        titles[head["table"]] = head["title"]
    return Reported(tuple(accuracies), tuple(costs), titles)


def _read(file: Path) -> tuple[dict[str, Any], Any, Any]:
    try:
        head = tomllib.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # no TOML, no UTF-8, or nested without end
        raise UserError(f"{file}: not readable as TOML: {error}") from error
    rows_of_accuracy, rows_of_cost = head.pop("accuracy", []), head.pop("cost", [])
    known = {"title", *_names(Accuracy), *_names(Cost), "table"}
    for key in head:
        if key not in known:
            raise unknown("key", key, {*known, "accuracy", "cost"}, file.name)
    for key in ("table", "title"):
        if not isinstance(head.get(key), str):
            raise UserError(f"{file.name}: '{key}' is missing or no string")
    return head, rows_of_accuracy, rows_of_cost


def _rows(
    kind: type[RowType], key: str, file: str, head: Mapping[str, Any], rows: Any, methods: Collection[str] | None
) -> list[RowType]:
    if not (isinstance(rows, list) and all(isinstance(row, dict) for row in rows)):
        raise UserError(f"{file}: '{key}' must be a list of tables, written [[{key}]]")
    return [_row(kind, f"{file}, {key} {place}", file, head, row, methods) for place, row in enumerate(rows, start=1)]


def _row(
    kind: type[RowType],
    where: str,
    file: str,
    head: Mapping[str, Any],
    row: Mapping[str, Any],
    methods: Collection[str] | None,
) -> RowType:
    names = _names(kind)
    for key in row:
        if key not in names:
            raise unknown("key", key, names, where)
    where = f"{where} ('{row.get('label', '')}')"
    values = {key: value for key, value in head.items() if key in names} | dict(row)
    required = [field.name for field in dataclasses.fields(kind) if field.default is dataclasses.MISSING]
    if missing := [name for name in required if name in names and name not in values]:
        raise UserError(f"{where}: missing {', '.join(missing)}")
    checked = {key: _value(key, value, where) for key, value in values.items()}
    made: RowType = kind(file=file, table=head["table"], **checked)
    _check(made, where, methods)
    return made


def _value(key: str, value: Any, where: str) -> Any:
    """The value as its field holds it."""
    if key == "variant":
        if not isinstance(value, dict) or not all(isinstance(v, bool | int | float | str) for v in value.values()):
            raise UserError(f"{where}: variant must be a table of switches, such as {{ heads = 1 }}")
        return tuple(sorted(value.items()))
    if key == "n_paper":
        sizes = value if isinstance(value, list) else [value]
        return tuple(_positive(key, size, where) for size in sizes)
    if key in ("n_evidence", "runs", "classes", "image_size"):
        return _positive(key, value, where)
    if key == "retrained":
        if not isinstance(value, bool):
            raise UserError(f"{where}: retrained = {value!r} must be true or false")
        return value
    if not isinstance(value, str):
        raise UserError(f"{where}: {key} = {value!r} must be a string")
    if key in ("figure", "spread", "parameters_millions", "operations_billions"):
        try:
            scaled(value)
        except ValueError as error:
            raise UserError(f"{where}: {key}: {error}") from error
    if key == "dataset" and value not in DATASETS:
        raise unknown("dataset", value, DATASETS, where)
    return value


def _positive(key: str, value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UserError(f"{where}: {key} = {value!r} must be a positive integer")
    return value


def _check(row: Accuracy | Cost, where: str, methods: Collection[str] | None) -> None:
    if row.retrained and row.method is None:
        raise UserError(f"{where}: retrained = true needs the method that re-trains it")
    if not row.retrained and not row.why:
        raise UserError(f'{where}: retrained = false needs the reason, why = "..."')
    if row.variant and row.method is None:
        raise UserError(f"{where}: a variant needs its method")
    if row.retrained and methods is not None and row.method not in methods:
        raise unknown("method", str(row.method), methods, where)


def _names(kind: type) -> set[str]:
    """The keys that a row may have; file and table come from the file itself."""
    return {field.name for field in dataclasses.fields(kind)} - {"file", "table"}
