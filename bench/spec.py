"""What does a suite ask for?  Strict TOML in, frozen cells and tables out; an unknown key names the nearest known one."""

from __future__ import annotations

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
    """One re-trained row of a table: a method under named switch settings, with the label that the table prints."""

    method: str
    variant: Variant = ()
    label: str = ""
    group: str = ""


@dataclass(frozen=True)
class Table:
    """One table of a suite.  `reported` names the file of printed numbers beside which ours stand; `datasets` are licensed or
    open names (a twin stands in where the licensed one is absent); `number` is the paper's table or figure."""

    id: str
    kind: Kind
    title: str
    number: str
    datasets: tuple[str, ...]
    rows: tuple[Row, ...]


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
    return recipe(dataset, budget, own | {"numeric": numeric})


def load_suite(name: str, folder: Path = SUITES) -> Suite:
    """Read `<name>.toml`.  Raises UserError with file and place for anything that is not a suite."""
    path = folder / f"{name}.toml"
    if not path.is_file() or name == "recipes":
        raise unknown("suite", name, (file.stem for file in folder.glob("*.toml") if file.stem != "recipes"))
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path}: {error}") from None
    return parse_suite(content, path.name)


def parse_suite(content: Mapping[str, Any], where: str) -> Suite:
    """A suite from parsed TOML; `where` names the file in messages."""
    _known(content, ("name", "title", "protocol", "seeds", "tables"), where)
    tables = tuple(_table(table, f"{where}, table {number}") for number, table in enumerate(content.get("tables", ()), 1))
    seeds = content.get("seeds", {})
    _known(seeds, get_args(Budget), f"{where}, seeds")
    return Suite(
        name=str(content["name"]),
        title=str(content.get("title", content["name"])),
        protocol=_one_of(content.get("protocol", "paper"), get_args(Protocol), "protocol", where),
        seeds={budget: tuple(int(seed) for seed in values) for budget, values in seeds.items()},
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
    _known(content, ("id", "kind", "title", "number", "datasets", "rows"), where)
    for key in ("id", "kind", "datasets"):
        if key not in content:
            raise UserError(f"{where}: the key '{key}' is missing")
    for dataset in content["datasets"]:
        if dataset not in DATASETS:
            raise unknown("dataset", dataset, DATASETS, where)
    return Table(
        id=str(content["id"]),
        kind=_one_of(content["kind"], get_args(Kind), "kind", where),
        title=str(content.get("title", content["id"])),
        number=str(content.get("number", "")),
        datasets=tuple(content["datasets"]),
        rows=tuple(_row(row, f"{where}, row {number}") for number, row in enumerate(content.get("rows", ()), 1)),
    )


def _row(content: Mapping[str, Any], where: str) -> Row:
    _known(content, ("method", "variant", "label", "group"), where)
    if "method" not in content:
        raise UserError(f"{where}: the key 'method' is missing")
    variant = variant_of(content["method"], content.get("variant", {}), where)
    return Row(content["method"], variant, str(content.get("label", "")), str(content.get("group", "")))


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
