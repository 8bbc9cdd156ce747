"""Which of the paper's figures can this test split produce at all?  A percentage must be some k of n (FIDELITY 1)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.data.catalog import TWINS
from bench.report.granularity import attainable
from bench.report.reported import load

REPORTED = Path(__file__).parents[2] / "results" / "reported"
_PAPER = frozenset({"1", "2", "3", "4", "5", "6", "text"})
"""Tables of the paper itself; other files hold other people's runs."""


@dataclass(frozen=True)
class FigureAtSize:
    """One printed accuracy and the counts of correct images out of n that print as it, if any."""

    table: str
    label: str
    figure: str
    n: int
    counts: tuple[int, ...]
    truncated_only: bool

    @property
    def verdict(self) -> str:
        if not self.counts:
            return "not attainable at this n"
        return "attainable only if truncated" if self.truncated_only else "attainable"


def figures_at(dataset: str, n: int, reported: Path) -> list[FigureAtSize]:
    """The paper's own accuracies on `dataset`, held against a test split of `n` images.

    Empty for datasets that the paper does not use and for twins, where no printed figure can be expected.
    """
    if n < 1 or dataset in TWINS or not reported.is_dir():
        return []
    rows = [
        row
        for row in load(reported).accuracies
        if row.dataset == dataset and row.citation is None and row.table in _PAPER
    ]
    return [_at(row.table, row.label, row.figure, n) for row in rows]


def _at(table: str, label: str, figure: str, n: int) -> FigureAtSize:
    found = attainable(figure, n)
    return FigureAtSize(table, label, figure, n, found.counts_rounded or found.counts_truncated, not found.rounded)
