"""Do confidences mean what they say, and does one temperature mend them?  On logits, in nats and fractions."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.metrics import expected_calibration_error

Floats = NDArray[np.float64]
COLDEST, HOTTEST = 0.05, 20.0  # the search ends here: a split without an error is best at temperature 0


def probabilities(logits: ArrayLike, temperature: float = 1.0) -> Floats:
    """Softmax of logits / temperature, (n, C)."""
    from scipy.special import softmax

    return np.asarray(softmax(np.asarray(logits, dtype=np.float64) / temperature, axis=1))


def nll(logits: ArrayLike, labels: ArrayLike, temperature: float = 1.0) -> float:
    """Mean of -log softmax(logits / temperature)[label] in nats; finite for finite logits, as no probability is
    rounded to 0 on the way."""
    from scipy.special import log_softmax

    scores = log_softmax(np.asarray(logits, dtype=np.float64) / temperature, axis=1)  # (n, C)
    true = np.asarray(labels, dtype=np.int64)
    return float(-scores[np.arange(len(true)), true].mean())


def ece(logits: ArrayLike, labels: ArrayLike, temperature: float = 1.0) -> float:
    """Expected calibration error of softmax(logits / temperature), 15 equal bins."""
    return expected_calibration_error(probabilities(logits, temperature), np.asarray(labels, dtype=np.int64))


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """The temperature with the least NLL (Guo et al. 2017, section 4.2), within [0.05, 20].

    Fit on validation images and apply to test images: fitted on the images that it is judged on, it flatters itself.
    NLL is convex in 1 / T, so the search over log T has one valley.
    """
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda log_t: nll(logits, labels, float(np.exp(log_t))),
        bounds=(float(np.log(COLDEST)), float(np.log(HOTTEST))),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return float(np.exp(found.x))
