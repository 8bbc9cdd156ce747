"""Which random numbers does a cell use?  Named streams: each seed is a SHA-256 of what it is for, never a state."""

from __future__ import annotations

import hashlib

import numpy as np


def stream_seed(*axes: str | int) -> int:
    """The 64-bit seed of the stream that `axes` name, such as ("order", seed, epoch).

    The encoding writes the kind and the length of every axis, so different axes never spell the same bytes:
    ("a", "bc"), ("ab", "c"), ("1",) and (1,) are four streams.  Raises TypeError for anything but text and integers.
    """
    digest = hashlib.sha256(b"".join(_encode(axis) for axis in axes)).digest()
    return int.from_bytes(digest[:8], "big")


def _encode(axis: str | int) -> bytes:
    if isinstance(axis, bool) or not isinstance(axis, (str, int, np.integer)):
        raise TypeError(f"a stream is named by text and integers, not by {axis!r}")
    kind, text = (b"s", axis) if isinstance(axis, str) else (b"i", str(int(axis)))
    content = text.encode()
    return b"%s%d:%s" % (kind, len(content), content)


def order(seed: int, epoch: int, n: int) -> np.ndarray:
    """The order in which an epoch visits `n` samples: a permutation of range(n), equal for every method."""
    # The rank of random words, not Generator.permutation: NumPy promises stable words (NEP 19), not stable shuffles.
    return np.argsort(_words("order", seed, epoch, n), kind="stable")


def balanced_order(seed: int, epoch: int, labels: np.ndarray) -> np.ndarray:
    """One epoch of inverse-frequency sampling with replacement: N positions of `labels`, each with weight 1 / n_class.

    `labels` (N,) are integers.  Every class that occurs is equally likely, and so is every sample within its class
    (the official AffectNet sampler; FIDELITY T3).
    """
    labels = np.asarray(labels)
    n = len(labels)
    if n == 0:
        return np.empty(0, np.int64)
    _, counts = np.unique(labels, return_counts=True)
    members = np.argsort(labels, kind="stable")  # positions, grouped by class in ascending order
    starts = np.cumsum(counts) - counts
    # Two draws, class then member, give exactly 1 / (C n_class) without a running sum of 287,651 rounded weights.
    unit = _units(_words("balanced", seed, epoch, 2 * n)).reshape(2, n)
    chosen = (unit[0] * len(counts)).astype(np.int64)
    member = (unit[1] * counts[chosen]).astype(np.int64)
    return members[starts[chosen] + member]


def repeats(order: np.ndarray) -> np.ndarray:
    """How often each entry of `order` (n,) stood in it before: all 0 in a permutation.

    A sampler with replacement shows an image several times in an epoch; each time is augmented anew, as a data loader
    does.
    """
    place = np.argsort(order, kind="stable")  # equal entries side by side, in their order
    same = order[place]
    first = np.searchsorted(same, same, side="left")
    found = np.empty(len(order), np.int64)
    found[place] = np.arange(len(order)) - first
    return found


def init_seed(seed: int, method: str) -> int:
    """The seed of a model's initial weights: the only stream that knows the method's name."""
    return stream_seed("init", _checked(seed, "seed"), method)


def step_seed(seed: int, epoch: int) -> int:
    """The seed of what is random within the steps of an epoch, such as dropout; set again when the epoch begins."""
    return stream_seed("step", _checked(seed, "seed"), _checked(epoch, "epoch"))


def _words(stream: str, seed: int, epoch: int, count: int) -> np.ndarray:
    """`count` random 64-bit words of a stream."""
    key = stream_seed(stream, _checked(seed, "seed"), _checked(epoch, "epoch"))
    return np.random.Philox(key=key).random_raw(_checked(count, "count"))


def _units(words: np.ndarray) -> np.ndarray:
    """Words to float64 in [0, 1): the upper 53 bits, which is all that a float64 of that range holds."""
    return (words >> np.uint64(11)) * 2.0**-53


def _checked(value: int, name: str) -> int:
    if value < 0:
        raise ValueError(f"{name} must not be negative, got {value}")
    return int(value)
