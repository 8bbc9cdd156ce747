"""Which classes are taken for which (the paper's Figure 6), and which method finds which class?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.data.catalog import title
from bench.figures import style
from bench.figures.chart import Chart, table
from bench.figures.rows import (
    Shown,
    View,
    answers,
    circumstances,
    classes,
    epoch_reported,
    label,
    over_seeds,
    references,
    shown,
)
from bench.markdown import count, plural
from bench.metrics import confusion_matrix, recalls
from bench.report.table_rows import Trained

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FEWEST_METHODS = 3  # fewer are read from the table as well


def charts(view: View) -> Iterator[Chart]:
    """A confusion matrix of the reference on each dataset; the recalls of all methods where there are several."""
    for found in references(view):
        yield _matrix(view, found)
    for compared in shown(view, "comparison"):
        if len(compared.rows) >= FEWEST_METHODS:
            yield _recalls(view, compared)


def shares(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Each row of a confusion matrix as shares of its sum, (C, C); zeros where a class has no image."""
    sizes = confusion.sum(axis=1, keepdims=True)
    return np.divide(confusion, sizes, out=np.zeros(confusion.shape), where=sizes > 0)


def _matrix(view: View, found: Trained) -> Chart:
    names = classes(found)
    pooled = np.zeros((len(names), len(names)), np.int64)
    for _, labels, logits in answers(view, found):
        pooled += confusion_matrix(labels, logits.argmax(axis=1), len(names))
    seeds = len(found.records)
    sizes = pooled.sum(axis=1) // seeds  # test images of each class
    rows = [
        (names[true], names[answer], int(pooled[true, answer]), int(pooled[true].sum()), shares(pooled)[true, answer])
        for true in range(len(names))
        for answer in range(len(names))
    ]
    what = f"Confusion matrix of {label(found)}"
    caption = (
        f"{what} on {circumstances(found)}.  {epoch_reported(view)}.  Rows are the perceived expression labels, "
        f"columns the answers, in % of the row, {over_seeds(found)}; n counts the test images of a class once."
    )
    return Chart(
        f"confusion-{found.dataset}",
        what,
        caption,
        tuple(found.cells),
        table(("label", "answer", "count", "row_count", "share"), rows),
        partial(matrix_figure, shares(pooled), names, sizes, what, circumstances(found)),
    )


def matrix_figure(
    values: NDArray[np.float64], names: Sequence[str], sizes: NDArray[np.int64], what: str, where: str
) -> Figure:
    """A heat map of shares (C, C) with the percentage in each field; `sizes` (C,) are test images a class."""
    made = style.figure(4.9, 5.6)
    axes = made.subplots()
    image = axes.imshow(values, cmap=style.SHARES, vmin=0, vmax=1)
    style.cell_text(axes, values.tolist(), [[f"{100 * value:.1f}" for value in row] for row in values], 7.5)
    rows = [f"{name}\nn = {count(int(size))}" for name, size in zip(names, sizes, strict=True)]
    _ticks(axes, names, rows)
    axes.set_xlabel("answer")
    axes.set_ylabel("perceived expression label")
    made.colorbar(image, ax=axes, label="share of the row", shrink=0.8, format=lambda value, _: f"{100 * value:.0f} %")
    style.heading(made, what, where)
    return made


def _recalls(view: View, compared: Shown) -> Chart:
    names = classes(compared.rows[0])
    means = np.stack([_mean_recalls(view, found) for found in compared.rows])  # (rows, C)
    labels = [label(found) for found in compared.rows]
    rows = [
        (labels[row], names[column], len(compared.rows[row].records), means[row, column])
        for row in range(len(labels))
        for column in range(len(names))
    ]
    first = compared.rows[0]
    assert first.conditions is not None
    what = f"Recall of each class, {plural(len(labels), 'method')}"
    numbers = sorted({len(found.records) for found in compared.rows})
    seeds = f"{' or '.join(map(str, numbers))} seed{'s' * (numbers != [1])} a method"
    quick = "rehearsal (quick budget)" if first.conditions.budget == "quick" else "full budget"
    where = f"{title(compared.dataset)}, n = {count(first.conditions.n_test)} test images, {seeds}, {quick}"
    sizes = np.array(next(iter(first.records.values())).data.test_per_class)
    return Chart(
        f"recall-{compared.table.id}-{compared.dataset}",
        what,
        f"{what}: {where}.  {epoch_reported(view)}.  A field is the share of a class's images that a method finds, in "
        "%, its mean over seeds; the last column is their mean over classes, the balanced accuracy.",
        tuple(cell for found in compared.rows for cell in found.cells),
        table(("method", "class", "seeds", "recall"), rows),
        partial(recalls_figure, means, names, labels, sizes, what, where),
    )


def recalls_figure(
    means: NDArray[np.float64],
    names: Sequence[str],
    labels: Sequence[str],
    sizes: NDArray[np.int64],
    what: str,
    where: str,
) -> Figure:
    """A heat map of recalls (methods, C) with a last column of their means."""
    values = np.column_stack([means, np.nanmean(means, axis=1)])  # (methods, C + 1)
    made = style.figure(1.5 + 0.3 * len(labels), style.WIDTH)
    axes = made.subplots()
    axes.imshow(values, cmap=style.SHARES, vmin=0, vmax=1, aspect="auto")
    style.cell_text(axes, values.tolist(), [[f"{100 * value:.0f}" for value in row] for row in values], 7)
    columns = [f"{name}\nn = {count(int(size))}" for name, size in zip(names, sizes, strict=True)]
    axes.set_xticks(range(len(columns) + 1), [*columns, "mean"])
    axes.set_yticks(range(len(labels)), [style.shortened(text) for text in labels])
    axes.axvline(len(names) - 0.5, color="white", linewidth=4)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("class (fields are recalls in %)")
    style.heading(made, what, where)
    return made


def _mean_recalls(view: View, found: Trained) -> NDArray[np.float64]:
    width = len(classes(found))
    each = [
        recalls(confusion_matrix(labels, logits.argmax(axis=1), width)) for _, labels, logits in answers(view, found)
    ]
    return np.mean(each, axis=0)


def _ticks(axes, columns: Sequence[str], rows: Sequence[str]) -> None:  # type: ignore[no-untyped-def]
    axes.set_xticks(range(len(columns)), columns, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
