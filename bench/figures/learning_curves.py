"""How did training go?  Accuracy on training and test images by epoch, a panel a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.data.catalog import title
from bench.figures import style
from bench.figures.chart import Chart, table
from bench.figures.rows import Shown, View, label, shown
from bench.markdown import count
from bench.record import Record
from bench.report.table_rows import Trained

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 4
SPLITS = {
    "train": ("training images, as augmented", style.ORANGE, "--", "s"),
    "val": ("validation images", style.GREEN, ":", "^"),
    "test": ("test images", style.BLUE, "-", "o"),
}


def charts(view: View) -> Iterator[Chart]:
    """One figure for each table and dataset."""
    for found in shown(view, "comparison", "ablation", "curve"):
        yield _chart(found)


def by_epoch(record: Record) -> dict[str, NDArray[np.float64]]:
    """Accuracy after each epoch, (epochs,), on each split that the record has."""
    found = {
        "train": np.array([log.train_correct / log.train_n for log in record.epochs]),
        "test": np.array(record.test_correct_by_epoch) / record.data.n_test,
    }
    if record.data.n_val:
        found["val"] = np.array([(log.val_correct or 0) / record.data.n_val for log in record.epochs])
    return found


def _chart(found: Shown) -> Chart:
    rows = []
    for row in found.rows:
        for seed, record in sorted(row.records.items()):
            splits = by_epoch(record)
            for place, log in enumerate(record.epochs):
                accuracies = [float(splits[name][place]) if name in splits else None for name in SPLITS]
                rows.append((label(row), seed, log.epoch, log.loss, *accuracies))
    first = found.rows[0]
    assert first.conditions is not None
    what = f"Learning curves: {found.table.title[0].lower()}{found.table.title[1:]}"
    numbers = sorted({len(row.records) for row in found.rows})
    seeds = f"{' or '.join(map(str, numbers))} seed{'s' * (numbers != [1])} a row"
    quick = "rehearsal (quick budget)" if first.conditions.budget == "quick" else "full budget"
    where = f"{title(found.dataset)}, n = {count(first.conditions.n_test)} test images, {seeds}, {quick}"
    return Chart(
        f"learning-{found.table.id}-{found.dataset}",
        what,
        f"{what}; {where}.  Accuracy after each epoch: means over seeds, bands from the lowest to the highest seed.  "
        "Nothing is chosen by the test curve.  The losses are in the CSV.",
        tuple(cell for row in found.rows for cell in row.cells),
        table(("row", "seed", "epoch", "loss", *(f"{name}_accuracy" for name in SPLITS)), rows),
        partial(_figure, found.rows, what, where),
    )


def _figure(rows: Sequence[Trained], what: str, where: str) -> Figure:
    made, grid = style.panels(len(rows), COLUMNS, 1.6)
    for row, axes in zip(rows, grid, strict=True):
        draw_curves(axes, [by_epoch(record) for record in row.records.values()])
        axes.set_title(style.shortened(label(row)))
    for axes in grid[::COLUMNS]:
        axes.set_ylabel("accuracy in %")
    for axes in grid[-COLUMNS:]:
        axes.set_xlabel("epoch")
    handles, names = grid[0].get_legend_handles_labels()
    made.legend(handles, names, loc="outside lower center", ncols=3)
    style.heading(made, what, where)
    return made


def draw_curves(axes: Axes, seeds: Sequence[Mapping[str, NDArray[np.float64]]]) -> None:
    """Mean over seeds with a band from lowest to highest, each split in its own colour, line and marker."""
    from matplotlib.ticker import MaxNLocator

    for name, (text, colour, line, marker) in SPLITS.items():
        if not all(name in splits for splits in seeds):
            continue
        shortest = min(len(splits[name]) for splits in seeds)
        values = 100 * np.stack([splits[name][:shortest] for splits in seeds])  # (seeds, epochs)
        epochs = np.arange(1, shortest + 1)
        axes.fill_between(epochs, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.18, linewidth=0)
        axes.plot(
            epochs, values.mean(axis=0), line, color=colour, marker=marker, markersize=3, markevery=_every(shortest),
            label=text,
        )  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    style.light_grid(axes)


def _every(epochs: int) -> int:
    return max(1, epochs // 10)
