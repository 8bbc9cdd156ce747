"""Which departures from the paper are there, and which can be run?  Reads deviations.toml strictly, without torch."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from baselines.registry import entry
from bench.data.catalog import DATASETS
from bench.errors import UserError, unknown
from bench.recipe import Recipe
from bench.switches import Scalar, full_name, resolve, short_name

LEDGER = Path(__file__).parent / "deviations.toml"
_ID = re.compile(r"[LAT]\d+(\.[a-z_]+)?")
_TEXTS = ("id", "meaning", "paper", "code")


@dataclass(frozen=True)
class Fixed:
    """A ledger row that no switch changes: what it is, what paper and code do, and the reason."""

    id: str
    meaning: str
    paper: str
    code: str
    reason: str


@dataclass(frozen=True)
class Deviation:
    """A runnable departure from the default.

    `switches` are settings of the method in the form of a suite's variant (sorted, short names), `recipe` recipe fields
    laid over the dataset's, sorted by name.  `datasets` are those where it differs from the default, empty for all; a
    twin goes with its original.
    """

    id: str
    meaning: str
    paper: str
    code: str
    method: str
    switches: tuple[tuple[str, Scalar], ...] = ()
    recipe: tuple[tuple[str, Scalar], ...] = ()
    datasets: tuple[str, ...] = ()

    @property
    def row(self) -> str:
        """The ledger row: `L2` of `L2.mean`."""
        return self.id.partition(".")[0]


@dataclass(frozen=True)
class Ledger:
    """All rows of the ledger, in its order."""

    variants: tuple[Deviation, ...]
    fixed: tuple[Fixed, ...]

    def variant(self, name: str, where: str = "") -> Deviation:
        """The runnable departure of that id; UserError with the nearest ids for one that does not exist."""
        found = {variant.id: variant for variant in self.variants}
        if name not in found:
            raise unknown("deviation", name, found, where)
        return found[name]


@cache
def load_ledger(path: Path = LEDGER) -> Ledger:
    """The ledger of a file.  Raises UserError, with the file and the place, for anything that is not one."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path.name}: {error}") from None
    return parse_ledger(content, path.name)


def parse_ledger(content: Mapping[str, Any], where: str) -> Ledger:
    """A ledger from parsed TOML; `where` names the file in messages."""
    _known(content, ("variant", "fixed"), where)
    variants = tuple(_variant(row, place) for row, place in _rows(content, "variant", where))
    fixed = tuple(_fixed(row, place) for row, place in _rows(content, "fixed", where))
    ids = [*(row.id for row in variants), *(row.id for row in fixed)]
    if repeated := sorted({name for name in ids if ids.count(name) > 1}):
        raise UserError(f"{where}: two rows have the id '{repeated[0]}'")
    return Ledger(variants, fixed)


def _variant(row: Mapping[str, Any], where: str) -> Deviation:
    _known(row, (*_TEXTS, "method", "switches", "recipe", "datasets"), where)
    texts = {key: _text(row, key, where) for key in _TEXTS}
    method = _text(row, "method", where) if "method" in row else "dan"
    kind = entry(method, where).settings
    switches, recipe = _table(row, "switches", where), _table(row, "recipe", where)
    if not switches and not recipe:
        raise UserError(f"{where}: a variant changes something: give it switches or a recipe")
    resolve(kind, switches, where)
    resolve(Recipe, recipe, where)
    return Deviation(
        **texts,
        method=method,
        switches=tuple(sorted((short_name(full_name(kind, name)), value) for name, value in switches.items())),
        recipe=tuple(sorted(recipe.items())),
        datasets=_datasets(row.get("datasets", []), where),
    )


def _fixed(row: Mapping[str, Any], where: str) -> Fixed:
    _known(row, (*_TEXTS, "reason"), where)
    return Fixed(**{key: _text(row, key, where) for key in (*_TEXTS, "reason")})


def _rows(content: Mapping[str, Any], key: str, where: str) -> list[tuple[Mapping[str, Any], str]]:
    rows = content.get(key, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UserError(f"{where}: write each {key} as [[{key}]]")
    return [(row, f"{where}, {key} {row.get('id', number)}") for number, row in enumerate(rows, 1)]


def _text(row: Mapping[str, Any], key: str, where: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value:
        raise UserError(f"{where}: the key '{key}' is missing, or no text")
    if key == "id" and not _ID.fullmatch(value):
        raise UserError(f"{where}: id = '{value}' must be a ledger row, such as L2 or L2.mean")
    return value


def _table(row: Mapping[str, Any], key: str, where: str) -> dict[str, Scalar]:
    value = row.get(key, {})
    if not isinstance(value, dict):
        raise UserError(f'{where}: {key} must be a table, such as {{ "affinity.sigma" = "mean" }}')
    return value


def _datasets(names: Any, where: str) -> tuple[str, ...]:
    if not isinstance(names, list):
        raise UserError(f"{where}: datasets must be a list of names")
    for name in names:
        if name not in DATASETS:
            raise unknown("dataset", str(name), DATASETS, where)
    return tuple(names)


def _known(content: Mapping[str, Any], keys: tuple[str, ...], where: str) -> None:
    for key in content:
        if key not in keys:
            raise unknown("key", key, keys, where)
