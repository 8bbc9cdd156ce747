"""Do the heads attend to different regions?  Drawn from the numbers of the head-diversity lab, without weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from bench.figures import style
from bench.figures.chart import Chart, table
from bench.figures.rows import View, circumstances, label, shown
from bench.heads import lab
from bench.heads.lab import MEASURES, Entry, Heads
from bench.report.table_rows import Trained

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLES = {
    "cosine": "cosine\n(1: the same map)",
    "overlap": "overlap of the top 20 %\n(1: the same fields)",
    "jensen_shannon": "Jensen-Shannon distance\n(0: the same map)",
    "centre": "distance of centres\n(in sides of the map)",
}
STATES = (("trained", "o", style.BLUE), ("before training", "s", style.ORANGE))


def charts(view: View) -> Iterator[Chart]:
    """Measures of every network of each table of the lab, and where on a rendered face each head looks."""
    for found in shown(view, "heads"):
        known = list(entries(view, found.rows))
        several = [(row, entry) for row, entry in known if entry.heads > 1]
        if several:
            yield _diversity(found.table.id, several)
            if any(entry.trained.attention for _, entry in several):
                yield _regions(found.table.id, several)


def entries(view: View, rows: Sequence[Trained]) -> Iterator[tuple[Trained, Entry]]:
    """The first seed of each row that the lab knows."""
    for row in rows:
        known = (lab.current(view.results, cell, record) for cell, record in row.cells.items())
        entry = next((entry for entry in known if entry is not None), None)
        if entry is not None:
            yield row, entry


def states(entry: Entry) -> Iterator[tuple[str, Heads]]:
    """The network as trained and, where it is known, before its first step."""
    yield STATES[0][0], entry.trained
    if entry.untrained is not None:
        yield STATES[1][0], entry.untrained


def _diversity(table_id: str, known: Sequence[tuple[Trained, Entry]]) -> Chart:
    rows = [
        (label(row), state, measure, spread.mean, spread.low, spread.high, entry.n)
        for row, entry in known
        for state, heads in states(entry)
        for measure, spread in heads.measures.items()
    ]
    first, entry = known[0]
    what = "How different are the maps of the heads?"
    where = circumstances(first, _seed(entry))
    return Chart(
        f"{table_id}-{first.dataset}",
        what,
        f"{what}  {where}; maps of {entry.map_size[0]} x {entry.map_size[1]} fields.  Points are means over images of "
        "the mean over pairs of heads, bars reach from the lower to the upper quartile of the images.  Dotted: the "
        "overlap of heads that ignore each other.",
        tuple(entry.cell for _, entry in known),
        table(("row", "state", "measure", "mean", "lower_quartile", "upper_quartile", "n"), rows),
        partial(_diversity_figure, known, what, where),
    )


def _diversity_figure(known: Sequence[tuple[Trained, Entry]], what: str, where: str) -> Figure:
    made = style.figure(1.35 + 0.36 * len(known))
    grid = made.subplots(1, len(MEASURES), sharey=True)
    for axes, measure in zip(grid, MEASURES, strict=True):
        for place, (_, entry) in enumerate(known):
            for (name, heads), (_, marker, colour), shift in zip(states(entry), STATES, (-0.12, 0.12), strict=False):
                spread = heads.measures[measure]
                axes.plot([spread.low, spread.high], [place + shift] * 2, color=colour, linewidth=1, alpha=0.6)
                axes.plot(
                    spread.mean, place + shift, marker, color=colour, label=name if place == 0 else None, markersize=5
                )
        axes.set_title(TITLES[measure])
        axes.set_xlim(left=0, right=1.02 if measure in ("cosine", "overlap") else None)
        style.light_grid(axes)
    chance = {entry.chance for _, entry in known}
    for value in chance:
        grid[MEASURES.index("overlap")].axvline(value, color=style.BLACK, linestyle=":", linewidth=1)
    grid[0].set_yticks(range(len(known)), [label(row) for row, _ in known])
    grid[0].set_ylim(len(known) - 0.5, -0.5)
    handles, names = grid[0].get_legend_handles_labels()
    made.legend(handles, names, loc="outside lower center", ncols=2)
    style.heading(made, what, where)
    return made


def _regions(table_id: str, known: Sequence[tuple[Trained, Entry]]) -> Chart:
    panels = [
        (label(row), state, heads, entry)
        for row, entry in known
        for state, heads in states(entry)
        if heads.attention is not None
    ]
    rows = [
        (name, state, head + 1, region, heads.area[place], heads.attention[head][place], lift[head, place])
        for name, state, heads, entry in panels
        if heads.area is not None and heads.attention is not None and (lift := _lift(heads)) is not None
        for head in range(entry.heads)
        for place, region in enumerate(entry.regions)
    ]
    first, entry = known[0]
    what = "Where on the face does each head look?"
    where = circumstances(first, _seed(entry))
    return Chart(
        f"regions{table_id.removeprefix('diversity')}-{first.dataset}",
        what,
        f"{what}  {where}, of which {entry.trained.region_images} show a moving region.  A field is the share of a "
        "head's attention on the pixels that the renderer moved, over the share of the image that they cover: 1 is "
        "attention that ignores the face.  A head that has specialised has a profile unlike the other heads'.",
        tuple(entry.cell for _, entry in known),
        table(("row", "state", "head", "region", "area", "attention", "lift"), rows),
        partial(_regions_figure, panels, what, where),
    )


def _regions_figure(panels: Sequence[tuple[str, str, Heads, Entry]], what: str, where: str) -> Figure:
    tallest = [max(entry.heads for *_, entry in panels[first : first + 2]) for first in range(0, len(panels), 2)]
    heights = [heads + 1.6 for heads in tallest]  # with room for a heading of two lines
    made = style.figure(0.7 + 0.27 * sum(heights))
    grid = made.subplots(len(heights), 2, squeeze=False, height_ratios=heights)
    highest = max(1.5, *(float(np.nanmax(_lift(heads))) for _, _, heads, _ in panels))
    for axes, (name, state, heads, entry) in zip(grid.ravel(), panels, strict=False):
        _draw_lift(axes, heads, entry, highest)
        axes.set_title(f"{name}, {state}\nbits of head on region: {heads.information:.3f}")
    for spare in grid.ravel()[len(panels) :]:
        spare.remove()
    style.heading(made, what, where)
    return made


def _draw_lift(axes: Axes, heads: Heads, entry: Entry, highest: float) -> None:
    lift = _lift(heads)
    axes.imshow(lift, cmap=style.SHARES, vmin=0, vmax=highest, aspect="auto")
    style.cell_text(axes, (lift / highest).tolist(), [[f"{value:.2f}" for value in row] for row in lift], 7)
    axes.set_xticks(range(len(entry.regions)), entry.regions)
    axes.set_yticks(range(entry.heads), [f"head {head + 1}" for head in range(entry.heads)])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _lift(heads: Heads) -> np.ndarray:
    lift = heads.lift
    assert lift is not None
    return lift


def _seed(entry: Entry) -> int:
    return int(entry.cell.rpartition("/s")[2])
