"""What stands in a suite's file?  Strict TOML in, a suite out; an unknown key names the nearest one."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

from baselines.deviations import LEDGER, load_ledger
from bench.data.catalog import DATASETS
from bench.errors import UserError, unknown
from bench.spec import OWN_RECIPE, Budget, Kind, Protocol, Row, Suite, Table, variant_of

SUITES = Path(__file__).parent / "suites"


def suite_names(folder: Path = SUITES) -> list[str]:
    """The suites of a folder; recipes.toml is none."""
    return sorted(file.stem for file in folder.glob("*.toml") if file.stem != "recipes")


def load_suite(name: str, folder: Path = SUITES) -> Suite:
    """Read `<name>.toml`.  Raises UserError with file and place for anything that is not a suite."""
    path = folder / f"{name}.toml"
    if name not in suite_names(folder):
        raise unknown("suite", name, suite_names(folder))
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # no TOML, no UTF-8, or nested without end
        raise UserError(f"{path}: {error}") from None
    suite = parse_suite(content, path.name)
    if suite.name != name:
        raise UserError(f"{path.name}: name = '{suite.name}' must be the file's name, '{name}'")
    return suite


def parse_suite(content: Mapping[str, Any], where: str) -> Suite:
    """A suite from parsed TOML; `where` names the file in messages."""
    _known(content, ("name", "title", "protocol", "seeds", "tables"), where)
    name = _required(content, "name", where)
    listed = enumerate(_list(content, "tables", dict, where), 1)
    tables = tuple(_table(table, f"{where}, table {number}") for number, table in listed)
    ids = [table.id for table in tables]
    if repeated := sorted({table for table in ids if ids.count(table) > 1}):
        raise UserError(f"{where}: two tables have the id '{repeated[0]}'; a table's id is its file name")
    return Suite(
        name=name,
        title=_text_of(content, "title", where, name),
        protocol=_one_of(content.get("protocol", "paper"), get_args(Protocol), "protocol", where),
        seeds=_seeds(content.get("seeds", {}), f"{where}, seeds"),
        tables=tables,
    )


def _table(content: Mapping[str, Any], where: str) -> Table:
    _known(content, ("id", "kind", "title", "numbers", "datasets", "reference", "rows", "ledger"), where)
    identity = _required(content, "id", where)
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", identity):
        raise UserError(f"{where}: id = '{identity}' must be small letters, digits, - and _ (it is a file name)")
    kind = _one_of(_required(content, "kind", where), get_args(Kind), "kind", where)
    datasets = tuple(_list(content, "datasets", str, where))
    for dataset in datasets:
        if dataset not in DATASETS:
            raise unknown("dataset", dataset, DATASETS, where)
    listed = enumerate(_list(content, "rows", dict, where), 1)
    rows = tuple(_row(row, f"{where}, row {number}") for number, row in listed)
    if content.get("ledger") is True:
        rows += ledger_rows()
    if kind != "cost" and not (datasets and rows):
        raise UserError(f"{where}: a table of kind '{kind}' needs datasets and rows")
    table = Table(
        id=identity,
        kind=kind,
        title=_text_of(content, "title", where, identity),
        datasets=datasets,
        rows=rows,
        numbers=tuple(_list(content, "numbers", str, where)),
        reference=_text_of(content, "reference", where),
    )
    if table.reference and table.reference_row is None:
        raise unknown("reference row", table.reference, {name for row in rows for name in row.names}, where)
    return table


def _row(content: Mapping[str, Any], where: str) -> Row:
    _known(content, ("method", "variant", "label", "group", "note", "datasets", "quick", "full"), where)
    method = _required(content, "method", where)
    values = content.get("variant", {})
    if not isinstance(values, dict):
        raise UserError(f"{where}: variant must be a table of switches, such as {{ heads = 1 }}")
    variant = variant_of(method, values, where)
    label, group, note = (_text_of(content, key, where) for key in ("label", "group", "note"))
    datasets, quick = (
        tuple(_list(content, key, str, where)) if key in content else None for key in ("datasets", "quick")
    )
    full = content.get("full", True)
    if not isinstance(full, bool):
        raise UserError(f"{where}: full = {full!r} must be true or false")
    return Row(method, variant, label, group, note, datasets, quick, full)


def ledger_rows() -> tuple[Row, ...]:
    """A row for each runnable deviation of the ledger.  Another number of epochs is no rehearsal: full budget only."""
    return tuple(
        Row(
            deviation.method,
            variant_of(
                deviation.method,
                dict(deviation.switches) | {f"{OWN_RECIPE}.{name}": value for name, value in deviation.recipe},
                f"{LEDGER.name}, {deviation.id}",
            ),
            label=deviation.id,
            group=_LEDGER_PARTS[deviation.id[0]],
            note=deviation.meaning,
            datasets=deviation.datasets or None,
            quick=() if "epochs" in dict(deviation.recipe) else None,
        )
        for deviation in load_ledger().variants
    )


_LEDGER_PARTS = {"L": "Losses", "A": "Architecture", "T": "Training"}


def _seeds(content: Any, where: str) -> dict[str, tuple[int, ...]]:
    if not isinstance(content, dict):
        raise UserError(f"{where}: write [seeds] with a list for each budget, such as quick = [0, 1]")
    _known(content, get_args(Budget), where)
    return {budget: tuple(_list(content, budget, int, where)) for budget in content}


def _list(content: Mapping[str, Any], key: str, kind: type, where: str) -> list[Any]:
    values = content.get(key, [])
    if not isinstance(values, list) or not all(type(value) is kind for value in values):
        raise UserError(f"{where}: {key} = {values!r} must be a list of {_PLURAL[kind]}")
    return values


_PLURAL = {int: "whole numbers", str: "strings", dict: "tables, written [[...]] in TOML"}


def _required(content: Mapping[str, Any], key: str, where: str) -> str:
    if key not in content:
        raise UserError(f"{where}: the key '{key}' is missing")
    return _text_of(content, key, where)


def _text_of(content: Mapping[str, Any], key: str, where: str, default: str = "") -> str:
    value = content.get(key, default)
    if not isinstance(value, str):
        raise UserError(f"{where}: {key} = {value!r} must be a string")
    return value


def _known(content: Mapping[str, Any], keys: Iterable[str], where: str) -> None:
    keys = tuple(keys)
    for key in content:
        if key not in keys:
            raise unknown("key", key, keys, where)


def _one_of(value: Any, choices: tuple[str, ...], kind: str, where: str) -> Any:
    if value not in choices:
        raise unknown(kind, str(value), choices, where)
    return value
