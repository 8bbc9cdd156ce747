"""Do the metrics agree with scikit-learn, scipy and plain loops?"""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn import metrics as oracle

from bench import metrics


def sample(seed: int, n: int = 300, classes: int = 7, absent: tuple[int, ...] = ()) -> tuple[np.ndarray, np.ndarray]:
    """Unbalanced labels and predictions that are right about half of the time; `absent` classes have no label."""
    random = np.random.default_rng(seed)
    present = [c for c in range(classes) if c not in absent]
    labels = random.choice(present, size=n, p=np.arange(1, len(present) + 1) / sum(range(1, len(present) + 1)))
    predictions = np.where(random.random(n) < 0.5, labels, random.integers(classes, size=n))
    return labels, predictions


def probabilities(seed: int, n: int = 200, classes: int = 5) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    table = random.dirichlet(np.full(classes, 0.4), size=n)
    return table, np.array([random.choice(classes, p=row) for row in table])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("absent", [(), (2,), (0, 6)])
def test_every_figure_of_a_confusion_matrix_agrees_with_scikit_learn(seed: int, absent: tuple[int, ...]) -> None:
    labels, predictions = sample(seed, absent=absent)
    confusion = metrics.confusion_matrix(labels, predictions, 7)
    assert np.array_equal(confusion, oracle.confusion_matrix(labels, predictions, labels=range(7)))
    assert metrics.accuracy(confusion) == pytest.approx(oracle.accuracy_score(labels, predictions), abs=1e-15)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of classes that are predicted but never true
        balanced = oracle.balanced_accuracy_score(labels, predictions)
        f1 = oracle.f1_score(labels, predictions, average="macro")
    assert metrics.balanced_accuracy(confusion) == pytest.approx(balanced, abs=1e-15)
    assert metrics.macro_f1(confusion) == pytest.approx(f1, abs=1e-15)
    present = sorted(set(labels))
    recall = oracle.recall_score(labels, predictions, labels=present, average=None)
    worst, lowest = metrics.worst_class_recall(confusion)
    assert (worst, lowest) == (present[int(np.argmin(recall))], pytest.approx(recall.min()))


def test_rows_of_the_confusion_matrix_are_true_classes() -> None:
    confusion = metrics.confusion_matrix([0, 0, 1], [1, 1, 1], 2)
    assert confusion.tolist() == [[0, 2], [0, 1]]


def test_macro_f1_leaves_out_a_class_that_neither_occurs_nor_is_predicted() -> None:
    labels, predictions = [0, 0, 1, 1], [0, 1, 1, 1]
    assert metrics.macro_f1(metrics.confusion_matrix(labels, predictions, 5)) == pytest.approx(
        oracle.f1_score(labels, predictions, average="macro")
    )


def test_a_tally_holds_the_integers_that_a_loop_counts() -> None:
    labels, predictions = sample(3)
    found = metrics.tally(metrics.confusion_matrix(labels, predictions, 7))
    hits, sizes = [0] * 7, [0] * 7
    for true, predicted in zip(labels.tolist(), predictions.tolist(), strict=True):
        sizes[true] += 1
        hits[true] += true == predicted
    assert found == metrics.Tally(sum(hits), len(labels), tuple(hits), tuple(sizes))
    assert all(type(value) is int for value in (found.correct, found.n, *found.class_correct, *found.class_n))


def test_balanced_accuracy_is_not_the_mean_of_batch_values() -> None:
    labels, predictions = sample(1, n=97)
    whole = metrics.balanced_accuracy(metrics.confusion_matrix(labels, predictions, 7))
    starts = range(0, 97, 32)
    by_batch = [
        metrics.balanced_accuracy(metrics.confusion_matrix(labels[s : s + 32], predictions[s : s + 32], 7))
        for s in starts
    ]
    assert whole != pytest.approx(float(np.mean(by_batch)), abs=1e-4)


@pytest.mark.parametrize("bins", [1, 10, 15])
@pytest.mark.parametrize("seed", range(4))
def test_calibration_error_agrees_with_a_loop_over_bins(seed: int, bins: int) -> None:
    table, labels = probabilities(seed)
    total = 0.0
    for m in range(bins):
        inside = [i for i in range(len(labels)) if m / bins < max(table[i]) <= (m + 1) / bins]
        if inside:
            right = sum(int(np.argmax(table[i])) == labels[i] for i in inside) / len(inside)
            confidence = sum(max(table[i]) for i in inside) / len(inside)
            total += len(inside) / len(labels) * abs(right - confidence)
    assert metrics.expected_calibration_error(table, labels, bins) == pytest.approx(total, abs=1e-12)


def test_calibration_error_of_sure_predictions_is_their_error_rate() -> None:
    sure = np.eye(4)[[0, 1, 2, 3, 0]]
    assert metrics.expected_calibration_error(sure, [0, 1, 2, 3, 1]) == pytest.approx(0.2)


@pytest.mark.parametrize("seed", range(4))
def test_negative_log_likelihood_agrees_with_scikit_learn(seed: int) -> None:
    table, labels = probabilities(seed)
    assert metrics.negative_log_likelihood(table, labels) == pytest.approx(
        oracle.log_loss(labels, table, labels=range(5))
    )


def test_negative_log_likelihood_is_infinite_where_the_truth_was_excluded() -> None:
    assert metrics.negative_log_likelihood([[1.0, 0.0]], [1]) == math.inf


@pytest.mark.parametrize(
    ("correct", "n"), [(0, 1), (1, 1), (0, 425), (425, 425), (226, 425), (2752, 3068), (2483, 3999)]
)
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_the_wilson_interval_is_that_of_scipy(correct: int, n: int, confidence: float) -> None:
    expected = binomtest(correct, n).proportion_ci(confidence, method="wilson")
    found = metrics.wilson_interval(correct, n, confidence)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(
    ("figure", "n", "points"), [(0.8970, 3068, 1.08), (0.6209, 3999, 1.50), (0.6569, 3500, 1.57), (0.5318, 436, 4.68)]
)
def test_the_half_widths_of_the_fidelity_notes_come_out(figure: float, n: int, points: float) -> None:
    interval = metrics.wilson_interval(round(figure * n), n)
    assert 100 * (interval.high - interval.low) / 2 == pytest.approx(points, abs=0.03)


@pytest.mark.parametrize(
    ("labels", "predictions", "says"),
    [
        ([0, 1], [0], "2 labels but 1"),
        ([0, 7], [0, 0], "span 0..7"),
        ([0, -1], [0, 0], "span -1..0"),
        ([0.0, 1.0], [0, 0], "integers"),
        ([[0, 1]], [0, 0], "flat"),
    ],
)
def test_labels_that_are_no_classes_are_refused(labels: list, predictions: list, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        metrics.confusion_matrix(labels, predictions, 7)


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "macro_f1", "worst_class_recall"])
def test_an_empty_split_has_no_figures(metric: str) -> None:
    with pytest.raises(ValueError, match="no image was scored"):
        getattr(metrics, metric)(metrics.confusion_matrix([], [], 3))


def test_logits_are_not_taken_for_probabilities() -> None:
    with pytest.raises(ValueError, match="logits"):
        metrics.negative_log_likelihood([[2.0, -1.0, 0.5]], [0])


def test_half_precision_probabilities_are_accepted() -> None:
    table, labels = probabilities(0)
    half = metrics.negative_log_likelihood(np.maximum(table, 1e-4).astype(np.float16), labels)
    assert half == pytest.approx(metrics.negative_log_likelihood(np.maximum(table, 1e-4), labels), rel=0.01)
