"""How do the figures look?  One palette and one set of sizes, readable in grey print and with any colour vision.

Colours are Okabe and Ito's; markers and line styles say the same again.  Shares are drawn in one hue from white.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, PURPLE, SKY, BROWN, GREY, BLACK = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#8C6D1F", "#6E6E6E", "#000000",
)  # fmt: skip
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, BROWN, BLACK, GREY)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
LINES = ("-", "--", "-.", ":")
SHARES = "Blues"  # from white, so that print keeps the order
DPI = 150
WIDTH = 7.2  # inches, the width of a page's text
LETTERS_AN_INCH = 15.5  # of a heading
SETTINGS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same bytes everywhere
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "figure.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "lines.linewidth": 1.4,
    "lines.markersize": 4,
    "legend.frameon": False,
}


def styled() -> AbstractContextManager[None]:
    """The house style, for the time of a drawing."""
    import matplotlib

    return matplotlib.rc_context(SETTINGS)


def figure(height: float, width: float = WIDTH) -> Figure:
    """An empty figure of that many inches; drawn by Agg, whatever display there is."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(made)
    return made


def panels(count: int, columns: int, height: float, sharey: bool = True) -> tuple[Figure, list[Axes]]:
    """A figure with `count` panels of `height` inches each in rows of at most `columns`; no empty frames."""
    columns = min(columns, count)
    rows = -(-count // columns)
    made = figure(0.55 + rows * height, WIDTH)
    grid = made.subplots(rows, columns, squeeze=False, sharex=True, sharey=sharey).ravel().tolist()
    for spare in grid[count:]:
        spare.remove()
    for place, axes in enumerate(grid[:count]):
        if place + columns >= count:  # nothing stands below it
            axes.xaxis.set_tick_params(labelbottom=True)
    return made, grid[:count]


def heading(made: Figure, title: str, below: str) -> None:
    """What is shown, and below it the data, n, seeds and budget, in as many lines as the width needs."""
    letters = round(LETTERS_AN_INCH * made.get_size_inches()[0])
    lines = [line for text in (title, below) for line in textwrap.wrap(text, letters)]
    made.suptitle("\n".join(lines), x=0.01, ha="left", fontsize=SETTINGS["figure.titlesize"])


def shortened(text: str, longest: int = 30) -> str:
    """A label that leaves room for what it labels."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def light_grid(axes: Axes) -> None:
    """Lines to read values by, behind what is drawn."""
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)


def cell_text(axes: Axes, shares: Sequence[Sequence[float]], texts: Sequence[Sequence[str]], size: float) -> None:
    """A number in each field of a heat map of shares in [0, 1], white where the field is dark."""
    for row, (values, line) in enumerate(zip(shares, texts, strict=True)):
        for column, (value, text) in enumerate(zip(values, line, strict=True)):
            colour = "white" if value > 0.55 else BLACK
            axes.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)


def png(made: Figure, dpi: int = DPI) -> bytes:
    """The picture's bytes: the same for the same drawing (no time, no program's name)."""
    buffer = io.BytesIO()
    made.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()
