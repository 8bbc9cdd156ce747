"""Which printed figures can a suite speak of, which row of ours stands beside each, and what is the verdict?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from baselines.registry import METHODS
from bench.data.catalog import DATASETS
from bench.report.judged import on_figure
from bench.report.protocols_table import counterpart, honest_rows
from bench.report.reported import Accuracy, Reported
from bench.report.table_rows import HEADLINE, Finished, Trained, rows_of
from bench.report.verdict import Verdict
from bench.spec import Suite, variant_of

TEXT = "text"  # the table of claims in the paper's text; other names are what others print


@dataclass(frozen=True)
class Judged:
    """One printed accuracy, the row of ours that stands beside it (None: none was run), the same row under the honest
    protocol, and the verdict."""

    figure: Accuracy
    trained: Trained | None
    honest: Trained | None
    verdict: Verdict

    @property
    def name(self) -> str:
        """The figure as reasons call it."""
        return f"{self.row} {self.figure.figure}"

    @property
    def row(self) -> str:
        """The figure's row in the paper."""
        group = f"{self.figure.group} " if self.figure.group else ""
        cited = f" [{self.figure.citation}]" if self.figure.citation else ""
        return f"{group}{self.figure.label}{cited}"


def judged(suite: Suite, finished: Finished, reported: Reported) -> tuple[Judged, ...]:
    """The verdict on every printed accuracy that the tables of this suite can speak of: the paper's numbered tables,
    its text, then what others print on the same datasets."""
    numbers = {number.removeprefix("Table ") for table in suite.tables for number in table.numbers}
    datasets = {dataset for table in suite.tables for dataset in table.datasets}
    numbered = [row for row in reported.accuracies if row.table.isdigit() and row.table in numbers]
    others = [row for row in reported.accuracies if not row.table.isdigit() and row.dataset in datasets]
    ordered = [*numbered, *sorted(others, key=lambda row: row.table != TEXT)] if numbered else []
    return tuple(_judge(figure, suite, finished) for figure in ordered)


def of_the_paper(found: Iterable[Judged]) -> list[Judged]:
    """The verdicts on what the paper itself prints."""
    return [each for each in found if each.figure.table.isdigit() or each.figure.table == TEXT]


def _judge(figure: Accuracy, suite: Suite, finished: Finished) -> Judged:
    trained, honest = _row_for(figure, suite, finished)
    return Judged(figure, trained, honest, on_figure(figure, trained, HEADLINE[suite.protocol]))


def _row_for(figure: Accuracy, suite: Suite, finished: Finished) -> tuple[Trained | None, Trained | None]:
    """The row with records that re-trains a figure, on its own dataset or else on the twin, and its honest
    counterpart."""
    if figure.method not in METHODS:
        return None, None
    variant = variant_of(figure.method, dict(figure.variant), figure.file)
    places = (figure.dataset, DATASETS[figure.dataset].twin)
    for dataset in (place for place in places if place in finished.datasets):
        assert dataset is not None
        for spec in suite.tables:
            if figure.dataset not in spec.datasets:
                continue
            found = [
                row
                for row in rows_of(spec, dataset, suite, finished)
                if row.records and (row.row.method, row.row.variant) == (figure.method, variant)
            ]
            if found:
                others = honest_rows(spec, dataset, suite, finished) if suite.protocol == "paper" else {}
                return found[0], counterpart(found[0], others)
    return None, None
