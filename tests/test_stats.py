"""Do the statistics agree with scipy, closed forms and brute force, and do they keep their error rates?"""

from __future__ import annotations

import itertools
import math
from statistics import NormalDist

import numpy as np
import pytest
from scipy import stats as oracle

from bench import stats


def false_alarms_allowed(trials: int, rate: float = 0.05) -> int:
    """How many rejections a test that keeps its rate exceeds with probability 0.001 only."""
    return int(oracle.binom.ppf(0.999, trials, rate))


def runs(
    random: np.random.Generator, seeds: int, gain: float = 0.0, images: int = 400
) -> tuple[np.ndarray, np.ndarray]:
    """Correctness (seeds, images) of two methods on the same images; every seed shifts its run, `gain` the second
    method."""
    ease = random.normal(1.5, 1.5, images)  # some images are easy for everyone
    shift = random.normal(0, 0.15, (2, seeds, 1))
    chance = 1 / (1 + np.exp(-(ease + shift)))  # (2, S, N)
    chance[1] = np.clip(chance[1] + gain, 0, 1)
    first, second = random.random(chance.shape) < chance
    return first, second


@pytest.mark.parametrize("n", [2, 3, 5, 8])
def test_the_interval_over_seeds_is_the_t_interval_of_scipy(n: int) -> None:
    values = np.random.default_rng(n).normal(0.89, 0.004, n)
    found = stats.summarise_seeds(values, 0.95)
    low, high = oracle.t.interval(0.95, n - 1, loc=values.mean(), scale=oracle.sem(values))
    assert found.half_width is not None
    assert (found.mean - found.half_width, found.mean + found.half_width) == pytest.approx((low, high), abs=1e-12)
    assert found.sd == pytest.approx(np.std(values, ddof=1))


def test_one_seed_has_no_interval() -> None:
    assert stats.summarise_seeds([0.9]) == stats.SeedSummary(1, 0.9, None, None)


def test_the_t_interval_misses_in_one_of_twenty_experiments() -> None:
    random, trials = np.random.default_rng(0), 2000
    misses = 0
    for _ in range(trials):
        found = stats.summarise_seeds(random.normal(0.5, 0.1, 3))
        misses += abs(found.mean - 0.5) > (found.half_width or 0)
    assert oracle.binom.ppf(0.001, trials, 0.05) <= misses <= false_alarms_allowed(trials)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("kind", ["counts", "floats", "with zeros"])
def test_the_sign_flip_test_agrees_with_flipping_every_sign(n: int, kind: str) -> None:
    random = np.random.default_rng(n)
    counts = random.integers(-9, 12, n)
    if kind == "with zeros":
        counts[: n // 2] = 0
    exact = sum(
        abs(sum(s * int(c) for s, c in zip(signs, counts, strict=True))) >= abs(int(counts.sum()))
        for signs in itertools.product((1, -1), repeat=n)
    )
    # Integers decide the ties of the oracle; the test sees the same differences as rounded fractions of 3,068.
    values = counts if kind == "counts" else [(2700 + int(c)) / 3068 - 2700 / 3068 for c in counts]
    assert stats.sign_flip_p(values) == exact / 2**n


@pytest.mark.parametrize("n", [3, 5, 8])
def test_the_sign_flip_test_agrees_with_the_permutation_test_of_scipy(n: int) -> None:
    values = np.random.default_rng(10 + n).normal(0.4, 1, n)
    expected = oracle.permutation_test((values,), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
    assert stats.sign_flip_p(values) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("n", "least"), [(3, 0.25), (5, 0.0625), (8, 0.0078125)])
def test_the_smallest_reachable_p_is_reached_when_every_seed_agrees(n: int, least: float) -> None:
    assert stats.smallest_sign_flip_p(n) == least == stats.sign_flip_p(np.linspace(0.01, 0.02, n))


def test_seeds_beyond_the_exact_test_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 20"):
        stats.sign_flip_p([0.1] * 21)


def test_two_equal_methods_are_told_apart_in_at_most_five_of_a_hundred_experiments() -> None:
    random, trials = np.random.default_rng(2), 400
    by_seed = by_image = by_both = 0
    for trial in range(trials):
        first, second = runs(random, seeds=8)
        by_seed += stats.sign_flip_p(first.mean(axis=1) - second.mean(axis=1)) <= 0.05
        # One draw of chances is one trained model each: equal models, so the images alone decide.
        chance = random.random(400)
        by_image += stats.mcnemar(random.random(400) < chance, random.random(400) < chance).p <= 0.05
        interval = stats.two_level_bootstrap(first.astype(int) - second, resamples=200, seed=trial).interval
        by_both += not interval.low <= 0 <= interval.high
    assert max(by_seed, by_image, by_both) <= false_alarms_allowed(trials)
    assert by_seed > 0 and by_image > 0, "a test that never rejects proves nothing"


def test_a_planted_gain_of_six_points_is_found() -> None:
    random, trials = np.random.default_rng(3), 40
    by_seed = by_image = by_both = 0
    for trial in range(trials):
        worse, better = runs(random, seeds=8, gain=0.06, images=1500)
        by_seed += stats.sign_flip_p(better.mean(axis=1) - worse.mean(axis=1)) <= 0.05
        # McNemar speaks of two trained models, not of methods: here without the shift that each seed gives.
        chance = random.beta(4, 1.5, 1500)
        by_image += stats.mcnemar(random.random(1500) < chance + 0.06, random.random(1500) < chance).p <= 0.05
        by_both += stats.two_level_bootstrap(better.astype(int) - worse, resamples=200, seed=trial).interval.low > 0
    assert min(by_seed, by_image, by_both) >= 0.8 * trials


def test_a_comparison_pairs_the_seeds_that_both_methods_have() -> None:
    first = {0: 0.90, 1: 0.91, 2: 0.89, 7: 0.5}
    second = {2: 0.88, 1: 0.88, 0: 0.88, 9: 0.99}
    found = stats.compare_paired(first, second)
    assert (found.seeds, found.unpaired) == ((0, 1, 2), (7, 9))
    assert found.difference.mean == pytest.approx(0.02)
    assert (found.p, found.smallest_p) == (0.25, 0.25)
    assert found.bootstrap.interval is not None and found.bootstrap.interval.low > 0


def test_methods_without_a_common_seed_are_not_compared() -> None:
    with pytest.raises(ValueError, match="share no seed"):
        stats.compare_paired({0: 0.9}, {1: 0.9})


def test_the_bootstrap_interval_is_that_of_scipy_and_repeats() -> None:
    values = np.random.default_rng(4).normal(0.01, 0.02, 8)
    found = stats.bca_interval(values, resamples=2000, seed=5)
    expected = oracle.bootstrap(
        (values,), np.mean, n_resamples=2000, method="BCa", rng=np.random.default_rng(5)
    ).confidence_interval
    assert found == stats.bca_interval(values, resamples=2000, seed=5)
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((expected.low, expected.high))


def test_degenerate_bootstraps_say_what_they_are() -> None:
    assert stats.bca_interval([0.1]).interval is None
    assert "one seed" in stats.bca_interval([0.1]).note
    same = stats.bca_interval([0.02, 0.02, 0.02])
    assert same.interval is not None and same.interval.low == same.interval.high == pytest.approx(0.02)
    assert "same value" in same.note


def test_an_undefined_bca_interval_falls_back_to_percentiles(monkeypatch: pytest.MonkeyPatch) -> None:
    real = oracle.bootstrap

    def undefined(*args: object, method: str, **options: object) -> object:
        found = real(*args, method="percentile", **options)
        if method == "BCa":
            nothing = type(found.confidence_interval)(math.nan, math.nan)
            return type("Result", (), {"confidence_interval": nothing})()
        return found

    monkeypatch.setattr(oracle, "bootstrap", undefined)
    found = stats.bca_interval([0.01, 0.02, 0.05])
    assert "percentile" in found.note
    assert found.interval is not None and found.interval.low < found.interval.high == pytest.approx(0.05)


@pytest.mark.parametrize("seed", range(5))
def test_holm_agrees_with_stepping_down_by_hand(seed: int) -> None:
    p_values = np.random.default_rng(seed).random(6) ** 4
    adjusted = stats.holm(p_values)
    for alpha in (0.001, 0.01, 0.05, 0.2, 0.9):
        rejected: set[int] = set()
        for rank, index in enumerate(np.argsort(p_values)):
            if p_values[index] > alpha / (6 - rank):
                break
            rejected.add(int(index))
        assert {i for i, p in enumerate(adjusted) if p <= alpha} == rejected


def test_holm_keeps_the_order_given_and_caps_at_one() -> None:
    assert stats.holm([0.04, 0.01, 0.03]) == pytest.approx((0.06, 0.03, 0.06))
    assert stats.holm([0.9, 0.8]) == (1.0, 1.0)
    assert stats.holm([]) == ()


@pytest.mark.parametrize(("b", "c"), [(0, 0), (5, 0), (3, 3), (10, 25), (1, 200)])
def test_mcnemar_is_the_binomial_tail_of_the_discordant_images(b: int, c: int) -> None:
    first = [1] * b + [0] * c + [1] * 20 + [0] * 5
    second = [0] * b + [1] * c + [1] * 20 + [0] * 5
    tail = sum(math.comb(b + c, k) for k in range(min(b, c) + 1)) / 2 ** (b + c)
    assert stats.mcnemar(first, second) == stats.McNemar(b, c, pytest.approx(min(1.0, 2 * tail)))


def test_the_two_level_bootstrap_agrees_with_drawing_rows_and_columns() -> None:
    random = np.random.default_rng(6)
    matrix = random.random((5, 60)) < np.linspace(0.6, 0.9, 5)[:, None]
    found = stats.two_level_bootstrap(matrix, resamples=4000)
    means = [
        np.mean([[matrix[s, i] for i in columns] for s in rows])
        for rows, columns in ((random.integers(5, size=5), random.integers(60, size=60)) for _ in range(1500))
    ]
    assert found.mean == matrix.mean() and (found.seeds, found.images) == (5, 60)
    assert (found.interval.low, found.interval.high) == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=0.015)


def test_with_one_seed_only_the_images_are_drawn_again() -> None:
    correct = np.arange(500) < 450
    found = stats.two_level_bootstrap(correct[None], resamples=4000)
    assert "one seed" in found.note
    half_width = 1.96 * math.sqrt(0.9 * 0.1 / 500)
    assert (found.interval.high - found.interval.low) / 2 == pytest.approx(half_width, rel=0.06)


@pytest.mark.parametrize(("n", "base"), [(3068, 0.8625), (3999, 0.5684), (425, 0.5129)])
def test_a_detectable_gain_between_splits_is_detected_four_times_in_five(n: int, base: float) -> None:
    gain = stats.detectable_between_splits(n, base)
    assert gain is not None
    random, trials = np.random.default_rng(7), 20000
    first = random.binomial(n, base, trials) / n
    second = random.binomial(n, base + gain, trials) / n
    middle = (first + second) / 2
    z = (second - first) / np.sqrt(2 * middle * (1 - middle) / n)
    assert np.mean(np.abs(z) > NormalDist().inv_cdf(0.975)) == pytest.approx(0.8, abs=0.015)


def test_no_gain_is_detectable_on_a_handful_of_images() -> None:
    assert stats.detectable_between_splits(10, 0.9) is None


@pytest.mark.parametrize("n", [2, 3, 5, 8, 20])
def test_a_detectable_gain_between_seeds_is_detected_four_times_in_five(n: int) -> None:
    gain = stats.detectable_between_seeds(n, sd=0.01)
    assert gain is not None
    values = np.random.default_rng(8).normal(gain, 0.01, (20000, n))
    assert np.mean(oracle.ttest_1samp(values, 0, axis=1).pvalue <= 0.05) == pytest.approx(0.8, abs=0.015)


def test_one_seed_detects_nothing() -> None:
    assert stats.detectable_between_seeds(1, 0.01) is None


@pytest.mark.parametrize("values", [[], [math.nan, 0.1], [[0.1, 0.2]], [math.inf]])
def test_values_that_have_no_mean_are_refused(values: list) -> None:
    with pytest.raises(ValueError, match="finite"):
        stats.summarise_seeds(values)


def test_correctness_is_not_mistaken_for_class_numbers() -> None:
    with pytest.raises(ValueError, match="boolean"):
        stats.mcnemar([0, 3, 1], [0, 1, 1])


def test_a_whole_table_of_equal_methods_is_called_different_at_most_once_in_twenty() -> None:
    random, trials, rows = np.random.default_rng(11), 500, 4
    alarms = uncorrected = 0
    for _ in range(trials):
        # Every row is compared with the same reference, so its tests are not independent: Holm has to stand that.
        reference = random.normal(0, 0.01, 8)
        p_values = [stats.sign_flip_p(random.normal(0, 0.01, 8) - reference) for _ in range(rows)]
        alarms += min(stats.holm(p_values)) <= 0.05
        uncorrected += min(p_values) <= 0.05
    assert 0 < alarms <= false_alarms_allowed(trials)
    assert uncorrected > false_alarms_allowed(trials), "without the correction the table would raise false alarms"


def test_one_planted_gain_among_equal_methods_is_the_one_that_is_found() -> None:
    random, trials = np.random.default_rng(12), 100
    found = false = 0
    for _ in range(trials):
        p_values = [stats.sign_flip_p(random.normal(gain, 0.01, 8)) for gain in (0.03, 0, 0)]
        adjusted = stats.holm(p_values)
        found += adjusted[0] <= 0.05
        false += min(adjusted[1:]) <= 0.05
    assert found >= 0.9 * trials and false <= false_alarms_allowed(trials)
