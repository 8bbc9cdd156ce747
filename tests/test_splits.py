"""Who is trained on, validated on, tested on?"""

from __future__ import annotations

import numpy as np
import pytest

from bench.data.dataset import Split
from bench.data.splits import TEST_FLOOR, capped, hold_out, partition, proportional


def split(labels, groups=None):
    labels = np.asarray(labels, dtype=np.int64)
    groups = np.full(len(labels), -1) if groups is None else np.asarray(groups)
    return Split(
        np.zeros((len(labels), 2, 2, 3), np.uint8), labels, groups, np.array([f"{i:016d}" for i in range(len(labels))])
    )


LABELS = np.repeat([0, 1, 2, 3], [500, 300, 60, 7])


def test_the_paper_protocol_trains_on_every_official_training_image():
    rows = partition(split(LABELS), split(LABELS), "d", "paper", None, None)
    assert rows.train.tolist() == list(range(len(LABELS)))
    assert rows.val.size == 0
    assert rows.test.tolist() == list(range(len(LABELS)))


def test_the_honest_protocol_holds_out_a_tenth_of_each_class():
    train, val = hold_out(LABELS, np.full(len(LABELS), -1), "d")
    assert sorted([*train, *val]) == list(range(len(LABELS)))
    assert np.bincount(LABELS[val], minlength=4).tolist() == [50, 30, 6, 1]


def test_no_group_is_on_both_sides_of_the_honest_split():
    groups = np.arange(len(LABELS)) // 3
    groups[-20:] = -1
    train, val = hold_out(LABELS, groups, "d")
    assert not set(groups[train]) & set(groups[val]) - {-1}
    assert 0.05 < len(val) / len(LABELS) < 0.15


def test_the_split_depends_on_the_data_and_on_nothing_else():
    first = hold_out(LABELS, np.full(len(LABELS), -1), "d")[1]
    assert first.tolist() == hold_out(LABELS, np.full(len(LABELS), -1), "d")[1].tolist()
    assert first.tolist() != hold_out(LABELS, np.full(len(LABELS), -1), "other")[1].tolist()


@pytest.mark.parametrize("most", [10, 100, 400, 866])
def test_a_capped_subset_takes_from_the_largest_classes_only(most):
    counts = np.bincount(LABELS[capped(LABELS, most, "s")], minlength=4)
    assert counts.sum() <= most
    cap = counts.max()
    assert all(kept in (cap, there) for kept, there in zip(counts, (500, 300, 60, 7), strict=True))
    assert np.minimum((500, 300, 60, 7), cap + 1).sum() > most, "a larger cap would still have fitted"


def test_a_proportional_subset_keeps_proportions_and_a_floor():
    counts = np.bincount(LABELS[proportional(LABELS, 400, "s")], minlength=4)
    assert counts.tolist() == [round(500 * 400 / 867), round(300 * 400 / 867), TEST_FLOOR, 7]


def test_no_limit_keeps_everything_in_order():
    assert capped(LABELS, None, "s").tolist() == list(range(len(LABELS)))
    assert proportional(LABELS, 10_000, "s").tolist() == list(range(len(LABELS)))
