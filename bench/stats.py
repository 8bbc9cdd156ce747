"""How certain is a mean over seeds, and is one method better than another?

Two kinds of chance act on an accuracy: the run (seed) and the test images.  Intervals and paired tests over seeds see
the first, McNemar's test and Wilson intervals the second, the two-level bootstrap both.  All accuracies are fractions
in [0, 1]. scipy is imported where it is used: `scipy.stats` takes over a second, and `--help` must not pay for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.metrics import Interval

_MOST_EXACT = 20  # 2^20 sign patterns take 8 MiB and milliseconds; nobody trains more paired seeds


@dataclass(frozen=True)
class SeedSummary:
    """Mean over n seeds; `sd` (ddof 1) and the half-width of the t-interval exist from two seeds on."""

    n: int
    mean: float
    sd: float | None
    half_width: float | None


@dataclass(frozen=True)
class Bootstrap:
    """A bootstrap interval, or None and the reason why there is none; `note` also names a fallback."""

    interval: Interval | None
    note: str


@dataclass(frozen=True)
class Paired:
    """First method minus second, seed by seed.

    `p` is the exact two-sided sign-flip probability and `smallest_p` the least that this many seeds can reach: where it
    exceeds 0.05 no result of the experiment could have been significant.  `unpaired` seeds were run for one method
    only.
    """

    seeds: tuple[int, ...]
    unpaired: tuple[int, ...]
    difference: SeedSummary
    bootstrap: Bootstrap
    p: float
    smallest_p: float


@dataclass(frozen=True)
class McNemar:
    """Images that only the first, and only the second method classifies correctly, with the exact two-sided p."""

    only_first: int
    only_second: int
    p: float


@dataclass(frozen=True)
class TwoLevel:
    """Mean over seeds and images with its percentile interval; `note` says which level was too thin to resample."""

    seeds: int
    images: int
    mean: float
    interval: Interval
    note: str


def summarise_seeds(values: Sequence[float], confidence: float = 0.95) -> SeedSummary:
    """Mean and t-interval over seeds, t_{n-1} * sd / sqrt(n) with ddof 1.  Raises ValueError without values."""
    from scipy.special import stdtrit

    array = _finite(values)
    n, mean = len(array), float(array.mean())
    if n < 2:
        return SeedSummary(n, mean, None, None)
    sd = float(array.std(ddof=1))
    return SeedSummary(n, mean, sd, float(stdtrit(n - 1, 0.5 + confidence / 2)) * sd / math.sqrt(n))


def compare_paired(first: Mapping[int, float], second: Mapping[int, float], confidence: float = 0.95) -> Paired:
    """Compare two methods on the seeds (keys) that both have run.  Raises ValueError where they share none."""
    seeds = tuple(sorted(first.keys() & second.keys()))
    if not seeds:
        raise ValueError("the two methods share no seed: nothing to pair")
    differences = [first[seed] - second[seed] for seed in seeds]
    return Paired(
        seeds=seeds,
        unpaired=tuple(sorted(first.keys() ^ second.keys())),
        difference=summarise_seeds(differences, confidence),
        bootstrap=bca_interval(differences, confidence),
        p=sign_flip_p(differences),
        smallest_p=smallest_sign_flip_p(len(seeds)),
    )


def bca_interval(values: Sequence[float], confidence: float = 0.95, resamples: int = 9999, seed: int = 0) -> Bootstrap:
    """Bias-corrected and accelerated bootstrap interval of the mean (Efron 1987; `scipy.stats.bootstrap`).

    It describes, the sign-flip test decides: with few seeds it is too narrow.  On 1,000 normal samples of each size the
    nominal 95 % interval held the true mean in 72 % of them at 3 seeds, 86 % at 5, 89 % at 8 and 92 % at 16.
    """
    array = _finite(values)
    if len(array) < 2:
        return Bootstrap(None, "one seed: nothing to resample")
    if np.ptp(array) <= 1e-12:
        mean = float(array.mean())
        return Bootstrap(Interval(mean, mean), "every seed gives the same value: the interval has no width")
    from scipy import stats

    def run(method: str) -> Interval:
        found = stats.bootstrap(
            (array,), np.mean, n_resamples=resamples, confidence_level=confidence, method=method,
            rng=np.random.default_rng(seed),
        ).confidence_interval  # fmt: skip
        return Interval(float(found.low), float(found.high))

    interval = run("BCa")
    if math.isfinite(interval.low) and math.isfinite(interval.high):
        return Bootstrap(interval, "")
    return Bootstrap(run("percentile"), "BCa is undefined for these values: percentile interval")


def sign_flip_p(differences: Sequence[float]) -> float:
    """Two-sided p of the mean under all 2^n sign patterns: exact when the differences are symmetric about 0 (Fisher
    1935).

    Raises ValueError above 20 differences, where the patterns no longer fit in memory.
    """
    array = _finite(differences)
    if len(array) > _MOST_EXACT:
        raise ValueError(f"{len(array)} differences: the exact sign-flip test takes at most {_MOST_EXACT}")
    sums = np.zeros(1)
    for value in np.abs(array):
        sums = np.concatenate([sums + value, sums - value])  # (2^i,)
    # Accuracies are k / n in floats, so equal sums differ by rounding; without slack ties would be missed and p too
    # small.
    slack = 1e-9 * float(np.abs(array).sum())
    return float(np.mean(np.abs(sums) >= abs(float(array.sum())) - slack))


def smallest_sign_flip_p(n: int) -> float:
    """The least p that n paired seeds can reach, 2^(1 - n): 0.25 at 3, 0.0625 at 5, 0.0078 at 8."""
    if n < 1:
        raise ValueError("no pairs")
    return 2.0 ** (1 - n)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Holm's step-down adjusted p-values (Holm 1979), in the order given: reject where adjusted p <= alpha."""
    if any(not 0 <= p <= 1 for p in p_values):
        raise ValueError("p-values lie in [0, 1]")
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return tuple(adjusted)


def mcnemar(first_correct: ArrayLike, second_correct: ArrayLike) -> McNemar:
    """Exact McNemar test of two methods on the same images (boolean, one entry per image, same order).

    Pooling seeds repeats each image, and repeats are not independent: test one seed at a time, or use the two-level
    bootstrap.
    """
    from scipy.special import bdtr  # scipy.stats.binomtest says the same a second later

    first, second = _correctness(first_correct), _correctness(second_correct)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"two flat arrays of the same images are needed, not {first.shape} and {second.shape}")
    b, c = int(np.sum(first & ~second)), int(np.sum(~first & second))
    return McNemar(b, c, min(1.0, 2 * float(bdtr(min(b, c), b + c, 0.5))))


def two_level_bootstrap(scores: ArrayLike, confidence: float = 0.95, resamples: int = 2000, seed: int = 0) -> TwoLevel:
    """Percentile interval of the mean of a (seeds, images) matrix when both seeds and images are drawn again.

    Pass correctness (0 or 1) for an accuracy, or the difference of two correctness matrices (-1, 0, 1) for a comparison
    that is paired in both directions.  Seeds and images are crossed, so a draw is a pair of multinomial weights (Owen
    2007, "The pigeonhole bootstrap"), which is conservative: it counts the seed-by-image noise more than once.
    """
    matrix = np.asarray(scores, dtype=np.float64)  # (S, N)
    if matrix.ndim != 2 or matrix.size == 0:
        raise ValueError(f"scores must be (seeds, images) and not empty, not {matrix.shape}")
    seeds, images = matrix.shape
    draws = [
        np.einsum("rn,rn->r", over_seeds @ matrix, over_images) / (seeds * images)
        for over_seeds, over_images in _weights(seeds, images, resamples, seed)
    ]
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.concatenate(draws), [tail, 1 - tail])
    note = "one seed: only the images were resampled" if seeds == 1 else ""
    return TwoLevel(seeds, images, float(matrix.mean()), Interval(float(low), float(high)), note)


@lru_cache(maxsize=32)  # drawing is nine tenths of the work, and rows of one size share it; 2 MB each
def _weights(seeds: int, images: int, resamples: int, seed: int) -> list[tuple[NDArray[np.uint16], NDArray[np.uint16]]]:
    """How often each resample draws each seed (R, S) and each image (R, N), 200 resamples at a time."""
    random = np.random.default_rng(seed)
    found = []
    for start in range(0, resamples, 200):
        rows = min(200, resamples - start)
        over_seeds = random.multinomial(seeds, np.full(seeds, 1 / seeds), size=rows)
        over_images = random.multinomial(images, np.full(images, 1 / images), size=rows)
        found.append((over_seeds.astype(np.uint16), over_images.astype(np.uint16)))
    return found


def detectable_between_splits(n: int, base: float, power: float = 0.8, alpha: float = 0.05) -> float | None:
    """The least gain over accuracy `base` that two independent samples of n images show with this power.

    Two-sided z-test of two proportions (Fleiss, Levin and Paik 2003, eq. 4.14, without continuity correction).  A
    paired test on the same images can see less.  None where even a perfect method would not be told apart.
    """
    from scipy.optimize import brentq
    from scipy.special import ndtr, ndtri

    if n < 1 or not 0 < base < 1:
        raise ValueError(f"n must be positive and the base accuracy inside (0, 1), not {n} and {base}")
    critical = float(ndtri(1 - alpha / 2))

    def excess(gain: float) -> float:
        other, middle = base + gain, base + gain / 2
        null = math.sqrt(2 * middle * (1 - middle))
        spread = math.sqrt(base * (1 - base) + other * (1 - other))
        return float(ndtr((gain * math.sqrt(n) - critical * null) / spread)) - power

    largest = 1 - base
    return float(brentq(excess, 0.0, largest)) if excess(largest) > 0 else None


def detectable_between_seeds(n: int, sd: float, power: float = 0.8, alpha: float = 0.05) -> float | None:
    """The least mean difference that a paired two-sided t-test over n seeds shows with this power, in the unit of `sd`.

    `sd` is that of the paired differences (ddof 1).  None below two seeds.
    """
    from scipy.optimize import brentq
    from scipy.special import ncfdtr, stdtrit

    if sd < 0:
        raise ValueError("a standard deviation is not negative")
    if n < 2:
        return None
    critical = float(stdtrit(n - 1, 1 - alpha / 2))

    def excess(effect: float) -> float:
        # |t| > critical is t^2 > critical^2, noncentral F(1, n - 1).  scipy's noncentral t gives NaN here (n = 2, shift
        # 11).
        return float(1 - ncfdtr(1, n - 1, n * effect**2, critical**2)) - power

    largest = 1.0
    while excess(largest) < 0:
        largest *= 2
    return sd * float(brentq(excess, 0.0, largest))


def _finite(values: Sequence[float]) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not len(array) or not np.isfinite(array).all():
        raise ValueError("a flat, non-empty sequence of finite numbers is needed")
    return array


def _correctness(values: ArrayLike) -> NDArray[np.bool_]:
    array = np.asarray(values)
    if array.dtype != np.bool_ and not np.isin(array, (0, 1)).all():
        raise ValueError("correctness is boolean, or 0 and 1")
    return array.astype(np.bool_)
