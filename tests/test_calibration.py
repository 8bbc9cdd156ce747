"""Do NLL, ECE and the fitted temperature agree with scikit-learn, plain loops and a planted temperature?"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.metrics import log_loss

from bench import calibration


def sample(seed: int, n: int = 4000, classes: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels drawn from their softmax: perfectly calibrated by construction."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (n, classes))
    chance = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return logits, np.array([random.choice(classes, p=row) for row in chance])


def test_nll_is_the_log_loss_of_scikit_learn_at_every_temperature() -> None:
    logits, labels = sample(0, n=300)
    for temperature in (0.3, 1.0, 4.0):
        scaled = np.exp(logits / temperature)
        expected = log_loss(labels, scaled / scaled.sum(axis=1, keepdims=True), labels=range(5))
        assert calibration.nll(logits, labels, temperature) == pytest.approx(expected, abs=1e-12)


def test_nll_of_a_confident_mistake_is_finite() -> None:
    assert calibration.nll([[2000.0, 0.0]], [1]) == pytest.approx(2000.0)


def test_ece_agrees_with_a_loop_over_bins() -> None:
    logits, labels = sample(1, n=500)
    table = calibration.probabilities(logits * 2)
    gap = 0.0
    for low in range(15):
        rows = [row for row in range(500) if low / 15 < table[row].max() <= (low + 1) / 15]
        if rows:
            hit = np.mean([table[row].argmax() == labels[row] for row in rows])
            gap += len(rows) / 500 * abs(hit - np.mean([table[row].max() for row in rows]))
    assert calibration.ece(logits * 2, labels) == pytest.approx(gap, abs=1e-12)


@pytest.mark.parametrize("planted", [0.5, 1.0, 3.0])
def test_a_planted_temperature_is_found_and_mends_the_calibration(planted: float) -> None:
    logits, labels = sample(2)
    found = calibration.fit_temperature(logits * planted, labels)
    assert found == pytest.approx(planted, rel=0.08)
    assert calibration.ece(logits * planted, labels, found) < 0.03


def test_the_temperature_has_the_least_nll_by_another_optimiser() -> None:
    logits, labels = sample(3, n=200)
    found = calibration.fit_temperature(logits * 3, labels)
    other = minimize(lambda log_t: calibration.nll(logits * 3, labels, math.exp(log_t[0])), [0.0], method="Nelder-Mead")
    assert found == pytest.approx(math.exp(other.x[0]), rel=1e-3)


def test_a_split_without_an_error_ends_cold_and_inside_the_bounds() -> None:
    found = calibration.fit_temperature(np.eye(4) * 0.5, range(4))
    assert calibration.COLDEST <= found < 0.06
