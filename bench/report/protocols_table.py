"""How much does the choice of the epoch matter?  Last, best on validation and best on test, protocols side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bench.markdown import MISSING, Column, percent, table
from bench.report.table_lines import Line
from bench.report.table_rows import ORACLE, Conditions, Finished, Trained, rows_of
from bench.spec import Row, Suite, Table
from bench.stats import summarise_seeds

KEY = (
    "Each protocol trains its own networks: `paper` on the whole training split, `honest` on what its validation split "
    "leaves.  Oracle columns are chosen on the test split and nobody can know them beforehand."
)


def section(lines: Sequence[Line], spec: Table, dataset: str, suite: Suite, finished: Finished) -> str:
    """The rows of a paper-protocol table beside the same rows under the honest protocol; nothing where none was run."""
    if suite.protocol != "paper":
        return ""
    others = honest_rows(spec, dataset, suite, finished)
    rows = []
    for line in lines:
        other = counterpart(line.trained, others) if line.trained else None
        if line.trained and other:
            rows.append(
                (line.name, *_cells(line.trained, ("last", ORACLE)), *_cells(other, ("last", "best-val", ORACLE)))
            )
    columns = (
        Column("Row", "left"),
        Column("paper: last"),
        Column("oracle"),
        Column("honest: last"),
        Column("best val"),
        Column("oracle"),
    )
    return f"{table(columns, rows)}\n\n{KEY}" if rows else ""


def honest_rows(spec: Table, dataset: str, suite: Suite, finished: Finished) -> Mapping[Row, Sequence[Trained]]:
    """A table's rows as they were trained under the honest protocol."""
    found: dict[Row, list[Trained]] = {}
    for trained in rows_of(spec, dataset, replace(suite, protocol="honest"), finished):
        found.setdefault(trained.row, []).append(trained)
    return found


def counterpart(trained: Trained, others: Mapping[Row, Sequence[Trained]]) -> Trained | None:
    """The one of these rows that differs in its protocol only; None where there is none."""
    return next((found for found in others.get(trained.row, ()) if _same(trained, found)), None)


def _same(first: Trained, second: Trained) -> bool:
    """Whether the same row was trained twice, the protocol being all that differs."""
    if first.conditions is None or second.conditions is None:
        return False
    return _without_protocol(first.conditions) == _without_protocol(second.conditions)


def _without_protocol(conditions: Conditions) -> Conditions:
    return replace(conditions, protocol="")


def _cells(trained: Trained, selections: Sequence[str]) -> list[str]:
    found = [list(trained.accuracies(selection).values()) for selection in selections]
    return [percent(summarise_seeds(values).mean) if values else MISSING for values in found]
