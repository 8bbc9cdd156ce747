"""What is a figure of a suite?  A picture, the numbers behind it, and which cells it was made from."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Source = Literal["records", "weights"]
Value = str | int | float | None


@dataclass(frozen=True)
class Chart:
    """A figure before it is drawn.

    `stem` names its files (`<stem>.png`, `<stem>.csv`).  `title` says in a few words what is shown, `caption` in a
    sentence or two with data, n, seeds and budget.  `cells` are the cells whose results it shows; `csv` is the data
    behind it.  `draw` makes the picture from the same numbers.  `source` is `weights` where it needs trained weights,
    which no clone of the results has.
    """

    stem: str
    title: str
    caption: str
    cells: tuple[str, ...]
    csv: str
    draw: Callable[[], Figure]
    source: Source = "records"


def table(head: Sequence[str], rows: Iterable[Sequence[Value]]) -> str:
    """CSV text; floats with six significant digits, so that a last bit of arithmetic changes no byte."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([_text(value) for value in row] for row in rows)
    return text.getvalue()


def _text(value: Value) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
