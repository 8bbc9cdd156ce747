"""Are the draws of a stream its own, and as random as they claim?"""

from __future__ import annotations

import statistics

import numpy as np
import pytest

from bench.data.twin.stream import Domain, Stream, derive_seed


def test_uniform_draws_are_the_upper_53_bits_of_philox_words():
    generator = np.random.Generator(np.random.Philox(key=np.array([7, (3 << 48) | 11], np.uint64)))
    stream = Stream(7, Domain.SCENE, 11)
    assert [stream.uniform() for _ in range(600)] == generator.random(600).tolist()


@pytest.mark.parametrize("other", [(8, Domain.SCENE, 11), (7, Domain.IDENTITY, 11), (7, Domain.SCENE, 12)])
def test_another_seed_domain_or_index_is_another_stream(other):
    assert Stream(7, Domain.SCENE, 11).uniform() != Stream(*other).uniform()


def test_bell_has_the_mean_spread_and_bounds_that_it_claims():
    stream = Stream(1, Domain.SCENE)
    draws = [stream.bell(2.0) for _ in range(20_000)]
    assert abs(statistics.fmean(draws)) < 0.05
    assert abs(statistics.stdev(draws) - 2.0) < 0.05
    assert max(map(abs, draws)) < 4.25 * 2.0


def test_choice_is_even():
    stream = Stream(2, Domain.SCENE)
    counts = np.bincount([stream.choice(range(5)) for _ in range(10_000)], minlength=5)
    assert np.abs(counts - 2000).max() < 5 * (10_000 * 0.2 * 0.8) ** 0.5


def test_permutation_holds_each_number_once_and_moves_them():
    order = Stream(3, Domain.POPULATION).permutation(1000)
    assert sorted(order) == list(range(1000))
    assert sum(k == value for k, value in enumerate(order)) < 10


def test_grains_do_not_depend_on_how_many_are_asked_for():
    assert Stream(4, Domain.PIXELS).grains(1000)[:10].tolist() == Stream(4, Domain.PIXELS).grains(10).tolist()


def test_derived_seeds_differ_by_twin_and_by_seed():
    assert len({derive_seed(name, seed) for name in ("rafdb-twin", "sfew-twin") for seed in range(10)}) == 20
