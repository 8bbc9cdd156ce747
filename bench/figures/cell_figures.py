"""What does a single cell look like?  The figures that its run in MLflow carries: confusion matrix, learning curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from baselines.registry import METHODS
from bench import store
from bench.data.catalog import DATASETS, TWINS, title
from bench.errors import UserError
from bench.figures import style
from bench.figures.confusion import matrix_figure, shares
from bench.figures.learning_curves import by_epoch, draw_curves
from bench.markdown import count
from bench.metrics import confusion_matrix
from bench.record import Record
from bench.report.table_rows import HEADLINE
from bench.spec import slug

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 100  # of pictures that are looked at in MLflow's page


def made(results: Path, cell: str, record: Record) -> Mapping[str, Callable[[], bytes | None]]:
    """What makes each picture of a cell, by its name in MLflow; empty where its predictions are not there.

    Nothing is read or drawn before a maker is called: most cells are in MLflow already.  A maker gives None where there
    is nothing to draw from.
    """
    if not store.predictions_path(results, cell).is_file():
        return {}
    return {
        "figures/confusion.png": partial(_picture, partial(confusion_figure, results, cell, record)),
        "figures/learning.png": partial(_picture, partial(learning_figure, record)),
    }


def confusion_figure(results: Path, cell: str, record: Record) -> Figure:
    """The confusion matrix of the epoch that the cell's protocol reports."""
    arrays = store.load_predictions(results, cell)
    selection = HEADLINE[record.cell["protocol"]]
    answers = arrays[f"logits_{selection.replace('-', '_')}"].argmax(axis=1)
    names = record.data.classes
    confusion = confusion_matrix(arrays["labels"].astype(np.int64), answers, len(names))
    what = f"Confusion matrix of {_name(record)}, {selection} epoch"
    return matrix_figure(shares(confusion), names, confusion.sum(axis=1), what, where(record))


def learning_figure(record: Record) -> Figure:
    """Accuracy and loss after each epoch."""
    made = style.figure(2.9)
    left, right = made.subplots(1, 2)
    draw_curves(left, [by_epoch(record)])
    left.set(xlabel="epoch", ylabel="accuracy in %")
    left.legend()
    epochs = [log.epoch for log in record.epochs]
    right.plot(epochs, [log.loss for log in record.epochs], "-o", color=style.BLACK, label="training loss")
    parts = sorted({part for log in record.epochs for part in log.parts})
    for place, part in enumerate(parts):
        values = [log.parts.get(part, np.nan) for log in record.epochs]
        look = {"linestyle": style.LINES[1 + place % 3], "marker": style.MARKERS[1 + place % 7]}
        right.plot(epochs, values, color=style.COLOURS[place % 6], markersize=3, label=part.replace("_", " "), **look)
    right.set(xlabel="epoch", ylabel="loss, before its weight")
    right.set_xticks(left.get_xticks(), labels=[f"{tick:g}" for tick in left.get_xticks()])
    right.set_xlim(left.get_xlim())
    right.legend(frameon=True, framealpha=0.85, edgecolor="none")
    style.light_grid(right)
    style.heading(made, f"Learning curves of {_name(record)}", where(record))
    return made


def where(record: Record) -> str:
    """Data, n, seed and budget of one cell."""
    name = str(record.cell["dataset"])
    data = title(name) if name in DATASETS or name in TWINS else name
    quick = "rehearsal (quick budget)" if record.cell["budget"] == "quick" else "full budget"
    return f"{data}, n = {count(record.data.n_test)} test images, seed {record.cell['seed']}, {quick}"


def _name(record: Record) -> str:
    method = str(record.cell["method"])
    variant = slug(tuple(record.cell["variant"].items()))
    known = METHODS[method].title if method in METHODS else method
    return known if variant == "default" else f"{known}, {variant}"


def _picture(draw: Callable[[], Figure]) -> bytes | None:
    try:
        with style.styled():
            return style.png(draw(), DPI)
    except UserError:  # damaged predictions: bench.audit names them, and the other runs are projected none the less
        return None
