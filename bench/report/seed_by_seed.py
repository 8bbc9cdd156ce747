"""What lies behind a mean?  The accuracy of every seed, and which seeds have learnt nothing but one class."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from bench.markdown import MISSING, Column, percent, table
from bench.report.table_lines import Line
from bench.report.table_rows import Trained

MARK = "†"
KEY = (
    f"{MARK} All right answers of this seed are of one class: its training collapsed.  It counts in every mean, "
    "interval and difference."
)


def section(lines: Sequence[Line], selection: str) -> str:
    """The rows with several seeds or a collapsed one, a column for each seed; nothing where there is no such row."""
    shown = [(line.name, line.trained) for line in lines if line.trained and _worth_showing(line.trained, selection)]
    seeds = sorted({seed for _, trained in shown for seed in trained.records})
    columns = (Column("Row", "left"), *(Column(f"Seed {seed}") for seed in seeds), Column("Median"))
    rows = []
    for name, trained in shown:
        found = trained.accuracies(selection)
        middle = percent(median(found.values())) if len(found) > 1 else ""
        rows.append((name, *(_cell(trained, seed, selection) for seed in seeds), middle))
    if not rows:
        return ""
    return table(columns, rows) + (f"\n\n{KEY}" if any(MARK in cell for row in rows for cell in row) else "")


def collapsed(trained: Trained, selection: str) -> tuple[int, ...]:
    """The seeds of a row whose right answers are all of one class."""
    return tuple(
        seed
        for seed, record in sorted(trained.records.items())
        if selection in record.scores and record.scores[selection].collapsed
    )


def _worth_showing(trained: Trained, selection: str) -> bool:
    return len(trained.accuracies(selection)) > 1 or bool(collapsed(trained, selection))


def _cell(trained: Trained, seed: int, selection: str) -> str:
    record = trained.records.get(seed)
    if record is None or selection not in record.scores:
        return MISSING
    score = record.scores[selection]
    return percent(score.accuracy) + (f" {MARK}" if score.collapsed else "")
