"""Which pages do the results make, and are those on disk still these?

    python -m bench.tables                    render every suite that has pages (or, before the first, that has results)
    python -m bench.tables --suite paper      one suite
    python -m bench.tables --check            write nothing; exit with 1 where a page differs by a byte

Reads records, failures and reported numbers, never predictions or torch.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from bench import command
from bench.atomic import write_text
from bench.cost import COSTS, Cost, read_costs
from bench.data.catalog import DATASETS
from bench.errors import UserError
from bench.markdown import Page, Section, bullets, link
from bench.report import accuracy_table, cost_table
from bench.report import reported as reported_numbers
from bench.report.reported import Reported
from bench.report.table_rows import Finished, read, rows_of
from bench.spec import Budget, Row, Suite, Table
from bench.study.tuned import Winner, budgets_line, tuned_variants, with_tuned
from bench.suite_file import load_suite, suite_names

PROJECT_RESULTS = Path(__file__).resolve().parent.parent / "results"  # printed figures and counts are facts, not runs
INDEX = "README.md"


@dataclass(frozen=True)
class Material:
    """All that pages are made of.  `tuned` are the frozen winners of studies by dataset and method, a map a budget."""

    finished: Finished
    reported: Reported
    costs: Mapping[str, Cost]
    tuned: tuple[Mapping[tuple[str, str], Winner], ...] = ()


def render(results: Path, *suites: Suite) -> tuple[Path, ...]:
    """Write the pages of these suites, remove those of their folders that nothing makes any more, and renew the index.

    Returns the pages.  Raises UserError for a damaged record or reported number; then nothing is written.
    """
    material = gather(results)
    shown = _with_shown(results, suites)
    everything = pages_of(shown, material)
    folder = results / "tables"
    own = {folder / name: page.text() for name, page in everything.items() if _is_of(name, suites)}
    listing = index(shown, everything).text()
    for path, text in own.items():
        write_text(path, text)
    for suite in suites:
        for stale in _on_disk(folder / suite.name) - own.keys():
            stale.unlink()
    write_text(folder / INDEX, listing)
    return tuple(own)


def differing(results: Path, suites: Sequence[Suite], material: Material) -> list[str]:
    """What is wrong with the pages on disk: a line for each that differs, is missing, or that nothing makes."""
    shown = _with_shown(results, suites)
    everything = pages_of(shown, material)
    folder = results / "tables"
    expected = {folder / name: page.text() for name, page in everything.items() if _is_of(name, suites)}
    expected[folder / INDEX] = index(shown, everything).text()
    found = [line for path, text in expected.items() for line in _compared(path, text)]
    extra = {path for suite in suites for path in _on_disk(folder / suite.name)} - expected.keys()
    return found + [f"{path}: nothing makes this page" for path in sorted(extra)]


def gather(results: Path) -> Material:
    """Read records, failures, reported numbers and counts; the last two are the project's where `results` has none."""
    counted = next((folder for folder in (results, PROJECT_RESULTS) if (folder / COSTS).is_file()), None)
    tuned = tuple(tuned_variants(results, budget) for budget in get_args(Budget))
    return Material(read(results), gather_reported(results), read_costs(counted) if counted else {}, tuned)


def gather_reported(results: Path) -> Reported:
    """The printed numbers of others: those of `results`, or the project's where it has none."""
    folder = results / "reported"
    return reported_numbers.load(folder if folder.is_dir() else PROJECT_RESULTS / "reported")


def pages_of(suites: Iterable[Suite], material: Material) -> dict[str, Page]:
    """Every page by its name below results/tables: `paper/comparison-rafdb-twin.md`."""
    return {f"{suite.name}/{name}.md": page for suite in suites for name, page in _pages(suite, material)}


def suites_shown(results: Path, finished: Finished) -> tuple[Suite, ...]:
    """The suites that have a folder of pages; before there is any, those with results."""
    if folders := _with_folder(results):
        return folders
    suites = (load_suite(name) for name in suite_names())
    return tuple(suite for suite in suites if any(datasets_of(table, suite, finished) for table in suite.tables))


def index(suites: Sequence[Suite], pages: Mapping[str, Page]) -> Page:
    """The page that links to the others."""
    sections = [
        Section(
            f"{suite.title} (suite `{suite.name}`)",
            bullets(
                f"{link(page.heading, name)}.  {page.status}" for name, page in pages.items() if _is_of(name, [suite])
            ),
        )
        for suite in sorted(suites, key=lambda suite: (suite.name != "paper", suite.name))
    ]
    return Page("Tables", "Every table, made from the records in `results/records`.", "", tuple(sections))


def _with_folder(results: Path) -> tuple[Suite, ...]:
    return tuple(load_suite(name) for name in suite_names() if (results / "tables" / name).is_dir())


def _with_shown(results: Path, suites: Sequence[Suite]) -> tuple[Suite, ...]:
    """These suites and the others whose pages are there: what the index lists."""
    return tuple({suite.name: suite for suite in (*_with_folder(results), *suites)}.values())


def _is_of(name: str, suites: Iterable[Suite]) -> bool:
    return name.split("/")[0] in {suite.name for suite in suites}


def _pages(suite: Suite, material: Material) -> Iterator[tuple[str, Page]]:
    for table in suite.tables:
        if table.kind == "cost":
            if material.costs:
                yield table.id, cost_table.page(table, material.costs, material.reported)
            continue
        for dataset in datasets_of(table, suite, material.finished):
            whole = _with_tuned(table, dataset, suite, material)
            page = accuracy_table.page(whole, dataset, suite, material.finished, material.reported)
            searched = _search_budgets(whole, dataset, material)
            yield f"{table.id}-{dataset}", replace(page, footers=page.footers + searched)


def _with_tuned(table: Table, dataset: str, suite: Suite, material: Material) -> Table:
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


def _compared(path: Path, text: str) -> list[str]:
    """A line that names the file and the first line in which it differs; nothing where it does not."""
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        return [f"{path}: missing"]
    if found == text.encode():
        return []
    theirs, ours = found.decode(errors="replace").split("\n"), text.split("\n")
    place = next((n for n, pair in enumerate(zip(theirs, ours, strict=False)) if pair[0] != pair[1]), None)
    if place is None:
        place = min(len(theirs), len(ours)) - 1
    return [f"{path}:{place + 1}: differs from what the results give: {ours[place].strip() or 'an empty line'}"]


def _on_disk(folder: Path) -> set[Path]:
    return set(folder.rglob("*.md")) if folder.is_dir() else set()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.tables",
        description="Render the tables from the records; nothing is trained.",
        epilog="example: python -m bench.tables --suite paper --check",
    )
    parser.add_argument("--suite", metavar="NAME", help="one suite (default: every suite that has pages, or results)")
    parser.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="default: results")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 where a file is not as rendered"
    )
    options = parser.parse_args(arguments)
    return command.finish(lambda: _run(options.results, options.suite, options.check))


def _run(results: Path, name: str | None, check: bool) -> int:
    if not results.is_dir():
        raise UserError(
            f"{results} is not a folder; run `python -m bench.run --suite paper` first, or give --results DIR"
        )
    material = gather(results)
    suites = (load_suite(name),) if name else suites_shown(results, material.finished)
    if not suites:
        raise UserError(f"{results} has no records yet; run `python -m bench.run --suite paper` first")
    if check:
        problems = differing(results, suites, material)
        print("\n".join(problems) or f"{results / 'tables'}: as rendered ({', '.join(suite.name for suite in suites)})")
        return 1 if problems else 0
    command.writable(results)
    for path in render(results, *suites):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
