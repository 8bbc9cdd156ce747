"""What does a suite ask for?  Tables, their rows, and the cells that fill them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from baselines.registry import entry
from bench.data.catalog import TWINS
from bench.errors import UserError
from bench.recipe import Recipe, recipe
from bench.switches import Scalar, full_name, resolve, short_name

Protocol = Literal["paper", "honest"]
Budget = Literal["quick", "full"]
Kind = Literal["comparison", "ablation", "curve", "cost", "robustness", "heads"]
Variant = tuple[tuple[str, Scalar], ...]
# The reserved switches: `recipe=own` trains under the recipe of the method's authors, `recipe.epochs=10` changes one
# field.
OWN_RECIPE = "recipe"


@dataclass(frozen=True)
class Row:
    """One re-trained row of a table: a method under named switch settings, its label and its footnote in print.

    `datasets` limits the row to some of the table's datasets; `quick` are those on which a rehearsal trains it too.
    None is no limit.  A twin goes with its original.  `full` is false for a row that only a rehearsal trains.
    """

    method: str
    variant: Variant = ()
    label: str = ""
    group: str = ""
    note: str = ""
    datasets: tuple[str, ...] | None = None
    quick: tuple[str, ...] | None = None
    full: bool = True

    @property
    def names(self) -> set[str]:
        """What the row can be called: its label, and its method where it is the method as published."""
        return {name for name in (self.label, "" if self.variant else self.method) if name}

    def belongs(self, dataset: str) -> bool:
        """Whether the row stands in a table on this dataset."""
        return self.datasets is None or TWINS.get(dataset, dataset) in self.datasets

    def runs(self, dataset: str, budget: str) -> bool:
        """Whether the row is trained on this dataset under this budget."""
        rehearsed = self.quick is None or TWINS.get(dataset, dataset) in self.quick
        return self.belongs(dataset) and (rehearsed if budget == "quick" else self.full)


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
        return next((row for row in self.rows if self.reference and self.reference in row.names), None)


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
    resolve(kind, _switches(values.items()), where)
    resolve(Recipe, _fields(values.items()), where)
    if values.get(OWN_RECIPE, "own") != "own" or (OWN_RECIPE in values and not entry(method).own_recipe):
        raise UserError(f"{where}: {method} accepts recipe = 'own' only where its authors' recipe is known")
    return tuple(sorted((short_name(full_name(kind, name)), value) for name, value in values.items()))


@cache  # they are frozen, and the cells of a row share them
def settings_of(method: str, variant: Variant) -> Any:
    """The method's settings with the variant's switches set."""
    return resolve(entry(method).settings, _switches(variant))


def recipe_of(dataset: str, method: str, variant: Variant, budget: str, numeric: str) -> Recipe:
    """The shared recipe, with the authors' own or single fields laid over it where the variant says so."""
    own = dict(entry(method).own_recipe) if (OWN_RECIPE, "own") in variant else {}
    if own and budget == "quick":
        own = _rehearsed(own, recipe(dataset, budget).epochs)
    return recipe(dataset, budget, own | {"numeric": numeric} | _fields(variant))


def has_other_recipe(variant: Variant) -> bool:
    """Whether the variant leaves the shared recipe."""
    return OWN_RECIPE in dict(variant) or bool(_fields(variant))


def _rehearsed(own: dict[str, Any], epochs: int) -> dict[str, Any]:
    """An own recipe squeezed into a rehearsal's epochs: the schedule keeps its shape, the rehearsal its batch size."""
    squeeze = own.pop("epochs", epochs) / epochs
    own.pop("batch_size", None)
    if "step_size" in own:
        own["step_size"] = max(1, round(own["step_size"] / squeeze))
    if own.get("scheduler") == "exponential":
        own["gamma"] **= squeeze
    return own


def cells_of(
    suite: Suite,
    datasets: Iterable[str],
    budget: str,
    seeds: Iterable[int],
    weights: str,
    numeric: str,
    rows: Callable[[Table, str], tuple[Row, ...]] = lambda table, dataset: table.rows,
) -> tuple[Cell, ...]:
    """The cells of a suite on the datasets at hand, each once, in the order of the tables; seeds innermost.

    `rows` are the rows of a table on a dataset, where there are more than the suite's own (tuned ones).
    """
    present, seeds = tuple(datasets), tuple(seeds)
    found: dict[str, Cell] = {}
    for table in suite.tables:
        for dataset in stand_ins(table.datasets, present):
            for row in rows(table, dataset):
                if not row.runs(dataset, budget):
                    continue
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


def _text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else "none" if value is None else str(value)


def _switches(values: Iterable[tuple[str, Scalar]]) -> dict[str, Scalar]:
    """The settings of the method among a variant's switches."""
    return {name: value for name, value in values if name != OWN_RECIPE and not name.startswith(f"{OWN_RECIPE}.")}


def _fields(values: Iterable[tuple[str, Scalar]]) -> dict[str, Scalar]:
    """The recipe's fields among a variant's switches: `recipe.epochs` -> `epochs`."""
    prefix = f"{OWN_RECIPE}."
    return {name.removeprefix(prefix): value for name, value in values if name.startswith(prefix)}
