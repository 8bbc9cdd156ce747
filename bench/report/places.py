"""Which cells of which pages show a record's numbers?  So that the audit can name what a wrong number touches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from bench.report import all_verdicts, front_page
from bench.report.accuracy_table import TITLES
from bench.report.pages import (
    PREDICTIONS,
    VERDICTS,
    WEIGHTS,
    Material,
    accuracy_tables,
    datasets_of,
    tables_by_dataset,
    with_tuned_rows,
)
from bench.report.predictions_rows import lines_of
from bench.report.table_lines import layout
from bench.report.table_rows import HEADLINE, ORACLE
from bench.report.weights_page import worth
from bench.spec import Suite

VERDICT_TITLES = {"last": "Last", ORACLE: "Best-test (oracle)"}


@dataclass(frozen=True)
class Place:
    """One line of a page: the cells whose records its numbers are made of, and the column that shows each
    selection."""

    page: str
    line: str
    cells: frozenset[str]
    columns: Mapping[str, str]

    def shows(self, cell: str, selection: str) -> str:
        """Where on the page a record's selection (empty: all of them) stands; empty where it does not."""
        if cell not in self.cells or (selection and selection not in self.columns):
            return ""
        column = f"column '{self.columns[selection]}'" if selection else "every column"
        return f"{self.page}, row '{self.line}', {column}"


def places(suites: Iterable[Suite], material: Material) -> list[Place]:
    """Every line of every page that shows numbers of ours."""
    suites = tuple(suites)
    found = [place for suite in suites for place in (*_tables(suite, material), *_verdicts(suite, material))]
    found += [place for suite in suites for place in (*_predictions(suite, material), *_weights(suite, material))]
    return found + list(_front(suites, material))


def _tables(suite: Suite, material: Material) -> Iterator[Place]:
    for table in accuracy_tables(suite):
        for dataset in datasets_of(table, suite, material.finished):
            whole = with_tuned_rows(table, dataset, suite, material)
            for line in layout(whole, dataset, suite, material.finished, material.reported).lines:
                if line.trained and line.trained.records:
                    cells = frozenset(line.trained.cells)
                    yield Place(f"tables/{suite.name}/{table.id}-{dataset}.md", line.name, cells, TITLES)


def _verdicts(suite: Suite, material: Material) -> Iterator[Place]:
    page = f"tables/{suite.name}/{VERDICTS}.md"
    for each in all_verdicts.judged(suite, material.finished, material.reported):
        if each.trained:
            yield Place(page, each.name, frozenset(each.trained.cells), VERDICT_TITLES)
        if honest := each.trained if suite.protocol == "honest" else each.honest:
            yield Place(page, each.name, frozenset(honest.cells), {"best-val": "Honest"})


def _predictions(suite: Suite, material: Material) -> Iterator[Place]:
    headline = HEADLINE[suite.protocol]
    for dataset, tables in tables_by_dataset(suite, material).items():
        lines, _, _ = lines_of(tables, dataset, suite, material.finished, material.reported)
        for line in lines:
            assert line.trained is not None
            page = f"tables/{suite.name}/{PREDICTIONS}-{dataset}.md"
            yield Place(page, line.name, frozenset(line.trained.cells), {headline: "Accuracy"})


def _weights(suite: Suite, material: Material) -> Iterator[Place]:
    headline = HEADLINE[suite.protocol]
    for dataset, tables in tables_by_dataset(suite, material).items():
        for each in worth(tables, dataset, suite, material.finished):
            for trained, column in ((each.random, "Random"), (each.given, "Given")):
                name = f"{each.name}, {dataset}"
                yield Place(f"tables/{suite.name}/{WEIGHTS}.md", name, frozenset(trained.cells), {headline: column})


def _front(suites: Iterable[Suite], material: Material) -> Iterator[Place]:
    suite = front_page.main_suite(tuple(suites))
    comparison = front_page.comparison_of(suite)
    if suite is None or comparison is None:
        return
    for dataset in datasets_of(comparison, suite, material.finished):
        whole = with_tuned_rows(comparison, dataset, suite, material)
        for line in layout(whole, dataset, suite, material.finished, material.reported).lines:
            if line.trained and line.trained.records:
                yield Place("README.md", f"{line.name}, {dataset}", frozenset(line.trained.cells), TITLES)
