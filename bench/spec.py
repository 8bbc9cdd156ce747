"""What does a suite ask for?  Strict TOML in, frozen cells and tables out; an unknown key names the nearest one."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from baselines.registry import entry
from bench.data.catalog import DATASETS, TWINS
from bench.errors import UserError, unknown
from bench.recipe import Recipe, recipe
from bench.switches import Scalar, full_name, resolve, short_name

SUITES = Path(__file__).parent / "suites"
Protocol = Literal["paper", "honest"]
Budget = Literal["quick", "full"]
Kind = Literal["comparison", "ablation", "curve", "cost"]
Variant = tuple[tuple[str, Scalar], ...]
OWN_RECIPE = "recipe"  # the reserved switch: `recipe=own` trains under the recipe of the method's authors


@dataclass(frozen=True)
class Row:
    """One re-trained row of a table: a method under named switch settings, its label and its footnote in print."""

    method: str
    variant: Variant = ()
    label: str = ""
    group: str = ""
    note: str = ""


@dataclass(frozen=True)
class Table:
    """One table of a suite, rendered once for each dataset that has results.

    `id` is its file name.  `datasets` are licensed or open names (a twin stands in where the licensed one is absent);
    a cost table has none.  `numbers` are the paper's tables or figures that it stands beside (`Table 3`); for a dataset
    the one of them with figures on that dataset counts.  `reference` names the row that the others are compared with,
    by its label or, as published, its method; empty for none.
    """

    id: str
    kind: Kind
    title: str
    datasets: tuple[str, ...]
    rows: tuple[Row, ...]
    numbers: tuple[str, ...] = ()
    reference: str = ""

    @property
    def reference_row(self) -> Row | None:
        """The row that the others are compared with."""
        return next((row for row in self.rows if self.reference and self.reference in _names(row)), None)


@dataclass(frozen=True)
class Suite:
    """Tables as data.  `seeds` by budget."""

    name: str
    title: str
    protocol: Protocol
    seeds: Mapping[str, tuple[int, ...]]
    tables: tuple[Table, ...]


@dataclass(frozen=True)
class Cell:
    """One training run: dataset x method x variant x protocol x budget x seed, with all that can change its number."""

    dataset: str
    method: str
    variant: Variant
    protocol: str
    budget: str
    seed: int
    weights: str
    recipe: Recipe

    @property
    def row(self) -> str:
        """What the seeds of one table row share: `rafdb/dan/heads=1/paper-quick-none-faithful`."""
        conditions = f"{self.protocol}-{self.budget}-{self.weights}-{self.recipe.numeric}"
        return f"{self.dataset}/{self.method}/{slug(self.variant)}/{conditions}"

    @property
    def name(self) -> str:
        """The cell's address, used by --only and as its path below records/."""
        return f"{self.row}/s{self.seed}"


def slug(variant: Variant) -> str:
    """`heads=1,partition.form=none`; `default` for the method as published."""
    return ",".join(f"{name}={_text(value)}" for name, value in variant) or "default"


def variant_of(method: str, values: Mapping[str, Scalar], where: str = "") -> Variant:
    """Checked, sorted and shortened switch settings.  Raises UserError for an unknown switch or an impossible value."""
    kind = entry(method, where).settings
    named = {name: value for name, value in values.items() if name != OWN_RECIPE}
    resolve(kind, named, where)
    if values.get(OWN_RECIPE, "own") != "own" or (OWN_RECIPE in values and not entry(method).own_recipe):
        raise UserError(f"{where}: {method} accepts recipe = 'own' only where its authors' recipe is known")
    return tuple(sorted((short_name(full_name(kind, name)), value) for name, value in values.items()))


def settings_of(method: str, variant: Variant) -> Any:
    """The method's settings with the variant's switches set."""
    return resolve(entry(method).settings, {name: value for name, value in variant if name != OWN_RECIPE})


def recipe_of(dataset: str, method: str, variant: Variant, budget: str, numeric: str) -> Recipe:
    """The shared recipe, or the authors' own laid over it where the variant says so."""
    own = dict(entry(method).own_recipe) if (OWN_RECIPE, "own") in variant else {}
    if own and budget == "quick":
        own = _rehearsed(own, recipe(dataset, budget).epochs)
    return recipe(dataset, budget, own | {"numeric": numeric})


def _rehearsed(own: dict[str, Any], epochs: int) -> dict[str, Any]:
    """An own recipe squeezed into a rehearsal's epochs: the schedule keeps its shape, the rehearsal its batch size."""
    squeeze = own.pop("epochs", epochs) / epochs
    own.pop("batch_size", None)
    if "step_size" in own:
        own["step_size"] = max(1, round(own["step_size"] / squeeze))
    if own.get("scheduler") == "exponential":
        own["gamma"] **= squeeze
    return own


def load_suite(name: str, folder: Path = SUITES) -> Suite:
    """Read `<name>.toml`.  Raises UserError with file and place for anything that is not a suite."""
    path = folder / f"{name}.toml"
    if not path.is_file() or name == "recipes":
        raise unknown("suite", name, (file.stem for file in folder.glob("*.toml") if file.stem != "recipes"))
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
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


def cells_of(
    suite: Suite, datasets: Iterable[str], budget: str, seeds: Iterable[int], weights: str, numeric: str
) -> tuple[Cell, ...]:
    """The cells of a suite on the datasets at hand, each once, in the order of the tables; seeds innermost."""
    present, seeds = tuple(datasets), tuple(seeds)
    found: dict[str, Cell] = {}
    for table in suite.tables:
        for dataset in stand_ins(table.datasets, present):
            for row in table.rows:
                start = weights if entry(row.method).trunk == "resnet18" else "none"
                shared = recipe_of(dataset, row.method, row.variant, budget, numeric)
                for seed in seeds:
                    cell = Cell(dataset, row.method, row.variant, suite.protocol, budget, seed, start, shared)
                    found.setdefault(cell.name, cell)
    return tuple(found.values())


def stand_ins(wanted: Iterable[str], present: Iterable[str]) -> tuple[str, ...]:
    """The datasets at hand for those that a table names: the dataset itself, else its twin, else nothing."""
    present = set(present)
    twins = {licensed: twin for twin, licensed in TWINS.items()}
    candidates = (name if name in present else twins.get(name, name) for name in wanted)
    return tuple(name for name in candidates if name in present)


def _table(content: Mapping[str, Any], where: str) -> Table:
    _known(content, ("id", "kind", "title", "numbers", "datasets", "reference", "rows"), where)
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
        raise unknown("reference row", table.reference, {name for row in rows for name in _names(row)}, where)
    return table


def _row(content: Mapping[str, Any], where: str) -> Row:
    _known(content, ("method", "variant", "label", "group", "note"), where)
    method = _required(content, "method", where)
    values = content.get("variant", {})
    if not isinstance(values, dict):
        raise UserError(f"{where}: variant must be a table of switches, such as {{ heads = 1 }}")
    variant = variant_of(method, values, where)
    return Row(method, variant, *(_text_of(content, key, where) for key in ("label", "group", "note")))


def _names(row: Row) -> set[str]:
    """What a row can be called: its label, and its method where it is the method as published."""
    return {name for name in (row.label, "" if row.variant else row.method) if name}


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


def _text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else "none" if value is None else str(value)
