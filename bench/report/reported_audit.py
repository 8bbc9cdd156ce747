"""Can the printed figures have been measured on the test sizes that they are said to be measured on?"""

from __future__ import annotations

from bench.markdown import MISSING, Column, bullets, count, table
from bench.report.granularity import attainable, explain
from bench.report.reported import Accuracy, Reported


def listing(reported: Reported) -> str:
    """Every printed accuracy that is no k / n of its stated test size, with the size that its digits point to."""
    columns = (
        Column("Table", "left"), Column("Row", "left"), Column("Figure"), Column("Stated n"), Column("Fits n"),
    )  # fmt: skip
    odd = [row for row in reported.accuracies if _judgeable(row) and not _fits_stated(row)]
    rows = [(row.table, row.label, row.figure, " or ".join(map(count, row.n_paper)), _evidence(row)) for row in odd]
    reasons = dict.fromkeys(explain(row.figure, n) for row in odd for n in row.n_paper)
    judged = sum(map(_judgeable, reported.accuracies))
    head = f"{len(odd)} of {judged} printed accuracies are no k/n of their stated test size."
    return f"{head}\n\n{table(columns, rows)}\n\n{bullets(reasons)}" if odd else head


def problems(reported: Reported) -> list[str]:
    """Our own claims that do not hold: a test size given as evidence on which the figure is not attainable."""
    return [
        f"reported/{row.file}, '{row.label}': not n_evidence = {row.n_evidence}: {explain(row.figure, row.n_evidence)}"
        for row in reported.accuracies
        if row.n_evidence is not None and row.runs == 1 and not attainable(row.figure, row.n_evidence).possible
    ]


def _judgeable(row: Accuracy) -> bool:
    """A mean of several runs need not be a k / n, and without a stated size there is nothing to hold it against."""
    return row.runs == 1 and bool(row.n_paper)


def _fits_stated(row: Accuracy) -> bool:
    return any(attainable(row.figure, n).rounded for n in row.n_paper)


def _evidence(row: Accuracy) -> str:
    if row.n_evidence is None:
        return MISSING
    found = attainable(row.figure, row.n_evidence)
    return f"{count(row.n_evidence)}{'' if found.rounded else ' (truncated)' if found.possible else ' (no)'}"
