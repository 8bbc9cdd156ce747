"""Is a twin's population that of the licensed dataset, scaled, with no person in both splits?"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.data.catalog import DATASETS
from bench.data.catalog import TWINS as CATALOGUED
from bench.data.twin.population import TWINS, digest, official_counts, roster, scale, spec
from bench.errors import UserError


def test_there_is_a_twin_of_each_licensed_dataset():
    assert set(TWINS) == set(CATALOGUED)


@pytest.mark.parametrize("name", TWINS)
@pytest.mark.parametrize("budget", ["quick", "full"])
def test_counts_lie_within_one_image_of_the_official_proportions(name, budget):
    twin = spec(name, budget)
    for counts, official in zip((twin.train_counts, twin.test_counts), official_counts(name), strict=True):
        for got, whole in zip(counts, official, strict=True):
            assert abs(got - Fraction(whole * sum(counts), sum(official))) < 1


@pytest.mark.parametrize("name", TWINS)
def test_at_the_official_size_all_counts_are_the_official_ones(name):
    train, test = official_counts(name)
    twin = spec(name, "full", count=sum(train) + sum(test))
    assert (twin.train_counts, twin.test_counts) == (train, test)


def test_full_renders_rafdb_and_sfew_whole_and_a_twentieth_of_affectnet():
    assert len(spec("rafdb-twin", "full")) == 15_339
    assert len(spec("sfew-twin", "full")) == 891 + 431
    affectnet = spec("affectnet7-twin", "full")
    assert affectnet.train_size == 283_901 // 20 and affectnet.test_counts == (500,) * 7


@pytest.mark.parametrize("name", TWINS)
def test_quick_tests_each_class_on_a_few_images(name):
    assert min(spec(name, "quick").test_counts) >= 5


@given(st.lists(st.integers(1, 5000), min_size=2, max_size=8), st.integers(0, 3000))
@settings(max_examples=200, deadline=None)
def test_scaling_is_the_largest_remainder_method(official, extra):
    total = len(official) + extra
    counts = scale(tuple(official), total)
    assert sum(counts) == total and min(counts) >= 1
    quotas = [Fraction(count * total, sum(official)) for count in official]
    if min(quotas) >= 1:  # no class needs the floor: plain Hare quota, ties to the class that stands first
        expected = [int(quota) for quota in quotas]
        for k in sorted(range(len(quotas)), key=lambda k: (expected[k] - quotas[k], k))[: total - sum(expected)]:
            expected[k] += 1
        assert list(counts) == expected


@pytest.mark.parametrize("name", TWINS)
def test_no_identity_is_in_both_splits(name):
    twin = spec(name, "quick")
    people = roster(twin).identities
    assert not set(people[: twin.train_size]) & set(people[twin.train_size :])


@pytest.mark.parametrize("name", TWINS)
def test_the_roster_holds_the_counts_of_the_spec(name):
    twin = spec(name, "quick")
    labels = roster(twin).labels
    assert tuple(np.bincount(labels[: twin.train_size])) == twin.train_counts
    assert tuple(np.bincount(labels[twin.train_size :])) == twin.test_counts


def test_classes_are_in_the_licensed_datasets_order():
    assert spec("sfew-twin", "quick").classes == DATASETS["sfew"].classes
    assert spec("affectnet7-twin", "quick").classes == DATASETS["affectnet8"].classes[:7]


def test_the_digest_names_everything_that_the_pixels_depend_on():
    twin = spec("rafdb-twin", "quick")
    others = [
        digest(twin, 65),
        digest(replace(twin, seed=1), 64),
        digest(replace(twin, preset="hard"), 64),
        digest(replace(twin, train_counts=twin.train_counts[::-1]), 64),
    ]
    assert len({digest(twin, 64), *others}) == 5
    assert digest(spec("rafdb-twin", "quick"), 64) == digest(twin, 64)


@pytest.mark.parametrize(
    "arguments",
    [
        {"name": "rafdb-twn", "budget": "quick"},
        {"name": "rafdb-twin", "budget": "fast"},
        {"name": "rafdb-twin", "budget": "quick", "count": 20},
        {"name": "rafdb-twin", "budget": "quick", "count": 15_340},
        {"name": "rafdb-twin", "budget": "quick", "preset": "medium"},
        {"name": "rafdb-twin", "budget": "quick", "seed": -1},
    ],
)
def test_a_wrong_argument_is_one_clear_line(arguments):
    with pytest.raises(UserError) as problem:
        spec(**arguments)
    assert "\n" not in str(problem.value)
