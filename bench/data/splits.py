"""Which images are trained on, validated on and tested on?  Subsets are a function of the data, never of a cell's
seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.data.dataset import Split
from bench.seeds import stream_seed

VALIDATION_FOLDS = 10  # the honest protocol validates on a tenth of the training images
TEST_FLOOR = (
    40  # a limited test split keeps this many of each class where it has them, or rare classes are not measured
)

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Partition:
    """Rows of the official train split (`train`, `val`) and of the official test split (`test`), ascending; no row
    twice."""

    train: Rows
    val: Rows
    test: Rows


def partition(
    train: Split, test: Split, digest: str, protocol: str, train_limit: int | None, test_limit: int | None
) -> Partition:
    """The rows that a cell uses, as a function of the dataset's `digest`.

    Under `paper` all official training images are trained on and `val` is empty; under `honest` a stratified tenth of
    them is held out, whole groups (identities, films) at a time where groups are known.  Limits are those of the
    recipe.
    """
    rows = np.arange(len(train), dtype=np.int64)
    val = np.empty(0, dtype=np.int64)
    if protocol == "honest":
        rows, val = hold_out(train.labels, train.groups, digest)
        if train_limit is not None:
            val = val[capped(train.labels[val], max(1, train_limit // (VALIDATION_FOLDS - 1)), f"{digest}/val")]
    return Partition(
        train=rows[capped(train.labels[rows], train_limit, f"{digest}/train")],
        val=val,
        test=proportional(test.labels, test_limit, f"{digest}/test"),
    )


def hold_out(labels: Rows, groups: Rows, digest: str) -> tuple[Rows, Rows]:
    """Split rows into (train, validation), stratified by label; a group is never on both sides, -1 is no group."""
    if (groups < 0).all():
        val = np.concatenate(
            [
                shuffled(rows, f"{digest}/validation/{label}")[: round(len(rows) / VALIDATION_FOLDS)]
                for label, rows in _by_class(labels)
            ]
        )
    else:
        from sklearn.model_selection import StratifiedGroupKFold

        alone = np.arange(len(groups)) + groups.max() + 1
        state = stream_seed(digest, "validation") % 2**32
        folds = StratifiedGroupKFold(VALIDATION_FOLDS, shuffle=True, random_state=state)
        _, val = next(folds.split(labels, labels, np.where(groups < 0, alone, groups)))
    held = np.zeros(len(labels), dtype=bool)
    held[val] = True
    return np.flatnonzero(~held), np.flatnonzero(held)


def capped(labels: Rows, most: int | None, stream: str) -> Rows:
    """At most `most` rows, ascending: every class keeps up to the same number, so that rare classes stay whole."""
    counts = np.bincount(labels)
    if most is None or len(labels) <= most:
        return np.arange(len(labels))
    cap = next(cap for cap in range(int(counts.max()), -1, -1) if np.minimum(counts, cap).sum() <= most)
    return _take(labels, np.minimum(counts, cap), stream)


def proportional(labels: Rows, most: int | None, stream: str) -> Rows:
    """About `most` rows, ascending, in the classes' own proportions, but at least TEST_FLOOR of each class (or all it
    has)."""
    counts = np.bincount(labels)
    if most is None or len(labels) <= most:
        return np.arange(len(labels))
    quota = np.rint(counts * most / len(labels)).astype(np.int64)
    return _take(labels, np.minimum(counts, np.maximum(quota, TEST_FLOOR)), stream)


def shuffled(rows: Rows, stream: str) -> Rows:
    """`rows` in an order that `stream` names."""
    words = np.random.Philox(key=stream_seed(stream)).random_raw(len(rows))
    return rows[np.argsort(words, kind="stable")]


def _take(labels: Rows, quota: Rows, stream: str) -> Rows:
    kept = [shuffled(rows, f"{stream}/{label}")[: quota[label]] for label, rows in _by_class(labels)]
    return np.sort(np.concatenate(kept))


def _by_class(labels: Rows) -> list[tuple[int, Rows]]:
    return [(int(label), np.flatnonzero(labels == label)) for label in np.unique(labels)]
