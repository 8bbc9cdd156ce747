"""How good are these predictions?  Pure functions on integer labels, confusion matrices and probabilities.

Accuracies are fractions in [0, 1]; percentages exist only in markdown.py.  Everything that a table prints derives from
the confusion matrix, hence from integers, in one pass over the test split: an average of batch averages is wrong as
soon as the last batch or a class is short (ledger T8: 85.32 printed, 82.75 right).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Tally:
    """Integer results on a split; `class_correct` and `class_n` are in the class order of the dataset."""

    correct: int
    n: int
    class_correct: tuple[int, ...]
    class_n: tuple[int, ...]


@dataclass(frozen=True)
class Interval:
    """A confidence interval; both ends have the unit of what they enclose."""

    low: float
    high: float


def confusion_matrix(labels: ArrayLike, predictions: ArrayLike, num_classes: int) -> Counts:
    """Counts (C, C): rows are true classes, columns predicted ones.

    Raises ValueError where the arrays differ in length, are no integers, or hold a class outside 0..C-1.
    """
    true, predicted = _classes(labels, num_classes, "labels"), _classes(predictions, num_classes, "predictions")
    if len(true) != len(predicted):
        raise ValueError(f"{len(true)} labels but {len(predicted)} predictions")
    flat = np.bincount(true * num_classes + predicted, minlength=num_classes**2)
    return flat.reshape(num_classes, num_classes).astype(np.int64)  # (C, C)


def tally(confusion: Counts) -> Tally:
    """Correct and n, overall and per class."""
    per_class, sizes = np.diagonal(confusion), confusion.sum(axis=1)  # (C,), (C,)
    return Tally(
        correct=int(per_class.sum()),
        n=int(sizes.sum()),
        class_correct=tuple(int(k) for k in per_class),
        class_n=tuple(int(k) for k in sizes),
    )


def accuracy(confusion: Counts) -> float:
    """Share of images on the diagonal.  Raises ValueError on an empty split."""
    total = int(confusion.sum())
    if total == 0:
        raise ValueError("no image was scored: accuracy is undefined")
    return int(np.trace(confusion)) / total


def recalls(confusion: Counts) -> Floats:
    """Recall of each class, (C,); NaN where the split has no image of the class."""
    sizes = confusion.sum(axis=1)
    return np.divide(np.diagonal(confusion), sizes, out=np.full(len(sizes), np.nan), where=sizes > 0)


def balanced_accuracy(confusion: Counts) -> float:
    """Mean recall over the classes present (scikit-learn's `balanced_accuracy_score`)."""
    if not confusion.any():
        raise ValueError("no image was scored: balanced accuracy is undefined")
    return float(np.nanmean(recalls(confusion)))


def macro_f1(confusion: Counts) -> float:
    """Mean F1 over the classes that occur as a label or as a prediction; a class never hit counts 0 (scikit-learn's
    default)."""
    hits = np.diagonal(confusion)
    occurring = confusion.sum(axis=0) + confusion.sum(axis=1)  # true + predicted images of each class, (C,)
    present = occurring > 0
    if not present.any():
        raise ValueError("no image was scored: F1 is undefined")
    return float(np.mean(2 * hits[present] / occurring[present]))


def worst_class_recall(confusion: Counts) -> tuple[int, float]:
    """The class with the lowest recall among those present, and that recall; the first class of equals."""
    if not confusion.any():
        raise ValueError("no image was scored: there is no worst class")
    worst = int(np.nanargmin(recalls(confusion)))
    return worst, float(recalls(confusion)[worst])


def expected_calibration_error(probabilities: ArrayLike, labels: ArrayLike, bins: int = 15) -> float:
    """Mean gap between confidence and accuracy, weighted by bin size (Guo et al. 2017, eq. 3; its 15 equal bins).

    `probabilities` is (N, C) with rows that sum to 1; bin m holds the confidences in ((m - 1) / bins, m / bins].
    """
    table, true = _probabilities(probabilities, labels)
    confidence = table.max(axis=1)  # (N,)
    hit = table.argmax(axis=1) == true  # (N,)
    edges = np.linspace(0.0, 1.0, bins + 1)
    index = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    # n_m |acc_m - conf_m| is |sum of hits - sum of confidences| of the bin, so empty bins need no special case.
    gaps = np.bincount(index, weights=hit - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(true))


def negative_log_likelihood(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Mean of -log p(true class) in nats; +inf where a true class was given probability 0."""
    table, true = _probabilities(probabilities, labels)
    with np.errstate(divide="ignore"):
        return float(-np.log(table[np.arange(len(true)), true]).mean())


def wilson_interval(correct: int, n: int, confidence: float = 0.95) -> Interval:
    """Wilson score interval of a proportion (Wilson 1927), equal to scipy's
    `binomtest(...).proportion_ci(method="wilson")`.

    Written out because that import alone costs a second, and tables print one of these in every row.
    """
    from scipy.special import ndtri

    if not 0 <= correct <= n or n == 0:
        raise ValueError(f"{correct} correct of {n} is no proportion")
    z = float(ndtri(0.5 + confidence / 2))
    p = correct / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * float(np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))) / (1 + z**2 / n)
    # At 0 and n one end is the proportion itself; the float formula misses it by an ulp.
    return Interval(0.0 if correct == 0 else centre - half, 1.0 if correct == n else centre + half)


def _classes(values: ArrayLike, num_classes: int, name: str) -> Counts:
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and not np.issubdtype(array.dtype, np.integer)):
        raise ValueError(f"{name} must be a flat array of integers, not {array.dtype} of shape {array.shape}")
    if array.size and (array.min() < 0 or array.max() >= num_classes):
        raise ValueError(f"{name} span {array.min()}..{array.max()}, outside the classes 0..{num_classes - 1}")
    return array.astype(np.int64)


def _probabilities(probabilities: ArrayLike, labels: ArrayLike) -> tuple[Floats, Counts]:
    table = np.asarray(probabilities, dtype=np.float64)
    if table.ndim != 2 or not len(table):
        raise ValueError(f"probabilities must be (N, C) with N >= 1, not {table.shape}")
    true = _classes(labels, table.shape[1], "labels")
    if len(true) != len(table):
        raise ValueError(f"{len(table)} rows of probabilities but {len(true)} labels")
    # Rows stored as float16 or float32 sum to 1 only roughly; logits do not sum to 1 at all, which is what this
    # catches.
    if not (np.all(table >= 0) and np.allclose(table.sum(axis=1), 1.0, atol=5e-3)):
        raise ValueError("rows of probabilities must be non-negative and sum to 1 (were these logits?)")
    return table, true
