"""How precise are a class's answers at each recall (the paper's Figure 7)?  One against the rest, by scikit-learn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.figures import style
from bench.figures.chart import Chart, table
from bench.figures.rows import View, answers, circumstances, classes, epoch_reported, label, references
from bench.report.table_rows import Trained

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 4


@dataclass(frozen=True)
class Curve:
    """Precision at falling thresholds, both in [0, 1]; `average` is the average precision (AP)."""

    recall: NDArray[np.float64]
    precision: NDArray[np.float64]
    average: float


def charts(view: View) -> Iterator[Chart]:
    """The curves of the reference row on each dataset."""
    for found in references(view):
        yield _chart(view, found)


def curves(labels: NDArray[np.int64], logits: NDArray[np.float64]) -> dict[int, Curve]:
    """The curve of each class that has an image, by class; the score of a class is its softmax probability."""
    from scipy.special import softmax
    from sklearn.metrics import average_precision_score, precision_recall_curve

    probabilities = softmax(logits, axis=1)  # (n, C)
    found = {}
    for label_ in range(logits.shape[1]):
        own, scores = labels == label_, probabilities[:, label_]
        if own.any():
            precision, recall, _ = precision_recall_curve(own, scores, drop_intermediate=True)
            found[label_] = Curve(recall[::-1], precision[::-1], float(average_precision_score(own, scores)))
    return found


def _chart(view: View, found: Trained) -> Chart:
    names = classes(found)
    by_seed = {seed: curves(labels, logits) for seed, labels, logits in answers(view, found)}
    sizes = next(iter(found.records.values())).data.test_per_class
    rows = [
        (names[kind], seed, curve.average, recall, precision)
        for seed, of_class in by_seed.items()
        for kind, curve in of_class.items()
        for recall, precision in zip(curve.recall.tolist(), curve.precision.tolist(), strict=True)
    ]
    what = f"Precision and recall of each class, {label(found)}"
    caption = (
        f"{what}, on {circumstances(found)}.  {epoch_reported(view)}.  One class against the rest; a thin line is a "
        "seed, AP the mean of the seeds' average precision, and the dashed line the share of the class, which random "
        "scores reach."
    )
    return Chart(
        f"precision-recall-{found.dataset}",
        what,
        caption,
        tuple(found.cells),
        table(("class", "seed", "average_precision", "recall", "precision"), rows),
        partial(_figure, by_seed, names, sizes, what, circumstances(found)),
    )


def _figure(
    by_seed: Mapping[int, Mapping[int, Curve]], names: Sequence[str], sizes: Sequence[int], what: str, where: str
) -> Figure:
    made, grid = style.panels(len(names), COLUMNS, 1.75)
    for kind, axes in enumerate(grid):
        own = [of_class[kind] for of_class in by_seed.values() if kind in of_class]
        for curve in own:
            axes.plot(curve.recall, curve.precision, color=style.BLUE, linewidth=1.2, alpha=max(0.35, 1 / len(own)))
        axes.axhline(sizes[kind] / sum(sizes), color=style.ORANGE, linestyle="--", linewidth=1)
        mean = f"AP {np.mean([curve.average for curve in own]):.2f}" if own else "no image"
        axes.set_title(f"{names[kind]}, n = {sizes[kind]}: {mean}")
        axes.set(xlim=(0, 1), ylim=(0, 1.02))
        style.light_grid(axes)
    for axes in grid[::COLUMNS]:
        axes.set_ylabel("precision")
    for axes in grid[-COLUMNS:]:
        axes.set_xlabel("recall")
    style.heading(made, what, where)
    return made
