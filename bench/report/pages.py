"""Which pages do the results make?  Each suite's tables, its verdicts, what its stored answers say, and the index."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from bench.cost import COSTS, Cost, read_costs
from bench.data.catalog import DATASETS
from bench.markdown import Page, Section, bullets, link
from bench.report import (
    accuracy_table,
    all_verdicts,
    cost_table,
    heads_table,
    pictures,
    predictions_page,
    robustness_page,
    verdicts_page,
    weights_page,
)
from bench.report import reported as reported_numbers
from bench.report.reported import Reported
from bench.report.stored import Stored
from bench.report.table_rows import Finished, read, rows_of
from bench.spec import Budget, Row, Suite, Table
from bench.study.tuned import Winner, budgets_line, tuned_variants, with_tuned
from bench.suite_file import load_suite, suite_names

PROJECT_RESULTS = Path(__file__).resolve().parents[2] / "results"  # printed figures and counts are facts, not runs
PREDICTIONS, VERDICTS, FIGURES, WEIGHTS = "predictions", "verdicts", "figures", "weights"  # names of pages


@dataclass(frozen=True)
class Material:
    """All that pages are made of.  `tuned` are the frozen winners of studies by dataset and method, a map a budget."""

    results: Path
    finished: Finished
    reported: Reported
    costs: Mapping[str, Cost]
    stored: Stored
    tuned: tuple[Mapping[tuple[str, str], Winner], ...] = ()


def gather(results: Path) -> Material:
    """Read records, failures, reported numbers and counts; the last two are the project's where `results` has none."""
    counted = next((folder for folder in (results, PROJECT_RESULTS) if (folder / COSTS).is_file()), None)
    tuned = tuple(tuned_variants(results, budget) for budget in get_args(Budget))
    costs = read_costs(counted) if counted else {}
    return Material(results, read(results), gather_reported(results), costs, Stored(results), tuned)


def gather_reported(results: Path) -> Reported:
    """The printed numbers of others: those of `results`, or the project's where it has none."""
    folder = results / "reported"
    return reported_numbers.load(folder if folder.is_dir() else PROJECT_RESULTS / "reported")


def pages_of(suites: Iterable[Suite], material: Material) -> dict[str, Page]:
    """Every page by its name below results/tables: `paper/comparison-rafdb-twin.md`."""
    return {f"{suite.name}/{name}.md": page for suite in suites for name, page in _pages(suite, material)}


def suites_shown(results: Path, finished: Finished) -> tuple[Suite, ...]:
    """The suites that have a folder of pages; before there is any, those with results."""
    if folders := with_folder(results):
        return folders
    suites = (load_suite(name) for name in suite_names())
    return tuple(suite for suite in suites if any(datasets_of(table, suite, finished) for table in suite.tables))


def index(suites: Sequence[Suite], pages: Mapping[str, Page]) -> Page:
    """The page that links to the others."""
    sections = [
        Section(
            f"{suite.title} (suite `{suite.name}`)",
            bullets(
                f"{link(page.heading, name)}.  {page.status}" for name, page in pages.items() if is_of(name, [suite])
            ),
        )
        for suite in sorted(suites, key=lambda suite: (suite.name != "paper", suite.name))
    ]
    return Page("Tables", "Every table, made from the records in `results/records`.", "", tuple(sections))


def with_folder(results: Path) -> tuple[Suite, ...]:
    return tuple(load_suite(name) for name in suite_names() if (results / "tables" / name).is_dir())


def with_shown(results: Path, suites: Sequence[Suite]) -> tuple[Suite, ...]:
    """These suites and the others whose pages are there: what the index lists."""
    return tuple({suite.name: suite for suite in (*with_folder(results), *suites)}.values())


def is_of(name: str, suites: Iterable[Suite]) -> bool:
    return name.split("/")[0] in {suite.name for suite in suites}


def _pages(suite: Suite, material: Material) -> Iterator[tuple[str, Page]]:
    for table in suite.tables:
        if table.kind == "cost":
            if material.costs:
                yield table.id, cost_table.page(table, material.costs, material.reported)
            continue
        if table.kind == "robustness":
            for dataset in datasets_of(table, suite, material.finished):
                inputs = (dataset, suite, material.finished, material.reported, material.results)
                yield f"{table.id}-{dataset}", robustness_page.page(table, *inputs)
            continue
        if table.kind == "heads":
            for dataset in datasets_of(table, suite, material.finished):
                if not any(row.records for row in heads_table.asked(rows_of(table, dataset, suite, material.finished))):
                    continue
                page = heads_table.page(table, dataset, suite, material.finished, material.results)
                yield f"{table.id}-{dataset}", page
            continue
        for dataset in datasets_of(table, suite, material.finished):
            whole = with_tuned_rows(table, dataset, suite, material)
            page = accuracy_table.page(whole, dataset, suite, material.finished, material.reported)
            searched = _search_budgets(whole, dataset, material)
            yield f"{table.id}-{dataset}", replace(page, footers=page.footers + searched)
    for dataset, tables in tables_by_dataset(suite, material).items():
        page = predictions_page.page(tables, dataset, suite, material.finished, material.reported, material.stored)
        if any(section.body for section in page.sections):
            yield f"{PREDICTIONS}-{dataset}", page
    started = {
        dataset: worth
        for dataset, tables in tables_by_dataset(suite, material).items()
        if (worth := weights_page.worth(tables, dataset, suite, material.finished))
    }
    if started:
        yield WEIGHTS, weights_page.page(started, material.finished)
    if drawn := pictures.pictures(material.results, suite.name, material.finished.records):
        yield FIGURES, pictures.page(suite, drawn)
    if all_verdicts.judged(suite, material.finished, material.reported):
        yield VERDICTS, verdicts_page.page(suite, material.finished, material.reported, material.costs)


def accuracy_tables(suite: Suite) -> tuple[Table, ...]:
    """The tables of a suite whose numbers are the accuracies of records."""
    return tuple(table for table in suite.tables if table.kind in ("comparison", "ablation", "curve"))


def tables_by_dataset(suite: Suite, material: Material) -> dict[str, list[Table]]:
    """The accuracy tables of each dataset with results, with the rows of tuned winners."""
    found: dict[str, list[Table]] = {}
    for table in accuracy_tables(suite):
        for dataset in datasets_of(table, suite, material.finished):
            found.setdefault(dataset, []).append(with_tuned_rows(table, dataset, suite, material))
    return found


def with_tuned_rows(table: Table, dataset: str, suite: Suite, material: Material) -> Table:
    """The table with the rows of tuned winners that were trained under the suite's protocol."""
    whole = table
    for winners in material.tuned:
        whole = with_tuned(whole, dataset, winners)
    trained = {found.row for found in rows_of(whole, dataset, suite, material.finished) if found.records}
    return replace(whole, rows=tuple(row for row in whole.rows if row in table.rows or row in trained))


def _search_budgets(table: Table, dataset: str, material: Material) -> tuple[str, ...]:
    """Whether the tuned rows of a table were searched equally long; nothing where there is none."""
    found = [
        winners[dataset, row.method]
        for winners in material.tuned
        for row in table.rows
        if _is_tuned(row, dataset, winners)
    ]
    line = budgets_line({winner.method: winner.trials for winner in found})
    return (line,) if line else ()


def _is_tuned(row: Row, dataset: str, winners: Mapping[tuple[str, str], Winner]) -> bool:
    winner = winners.get((dataset, row.method))
    return winner is not None and bool(row.variant) and row.variant == winner.variant


def datasets_of(table: Table, suite: Suite, finished: Finished) -> tuple[str, ...]:
    """The datasets of a table, and their twins, on which at least one of its rows has a record or a failure."""
    named = [name for dataset in table.datasets for name in (dataset, DATASETS[dataset].twin) if name]
    return tuple(
        name
        for name in named
        if name in finished.datasets
        and any(row.records or row.failures for row in rows_of(table, name, suite, finished))
    )
