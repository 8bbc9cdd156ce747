"""Which random numbers belong to an image or to an identity?  Uniform draws of a Philox stream with its own key.

Everything is built from raw 64-bit words, so that no distribution code of NumPy, which may change, is relied on.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from enum import IntEnum
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")

_BLOCK = 256
_MASK = 2**64 - 1


class Domain(IntEnum):
    """What a stream is for.  Separate streams keep the scene independent of the expression by construction."""

    IDENTITY = 1
    EXPRESSION = 2
    SCENE = 3
    PIXELS = 4
    POPULATION = 5
    TEXTURE = 6


class Stream:
    """Uniform draws keyed by (seed, domain, index); the n-th draw depends on nothing else."""

    def __init__(self, seed: int, domain: Domain, index: int = 0) -> None:
        key = np.array([seed & _MASK, (int(domain) << 48) | index], np.uint64)
        self._generator = np.random.Philox(key=key)
        self._block: list[float] = []

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """A number in [low, high), from the upper 53 bits of a word."""
        if not self._block:
            words = self._generator.random_raw(_BLOCK)
            self._block = ((words >> np.uint64(11)).astype(np.float64) * 2.0**-53).tolist()[::-1]
        return low + (high - low) * self._block.pop()

    def chance(self, probability: float) -> bool:
        """True with that probability."""
        return self.uniform() < probability

    def bell(self, sigma: float = 1.0) -> float:
        """Mean 0, standard deviation `sigma`, |x| < 4.25 sigma: the sum of six uniforms (Irwin-Hall)."""
        return sigma * math.sqrt(2.0) * (sum(self.uniform() for _ in range(6)) - 3.0)

    def choice(self, options: Sequence[T]) -> T:
        """One of the options, all equally likely."""
        return options[min(int(self.uniform() * len(options)), len(options) - 1)]

    def permutation(self, n: int) -> list[int]:
        """The numbers 0 .. n-1 in random order (Fisher-Yates)."""
        order = list(range(n))
        for i in range(n - 1, 0, -1):
            j = min(int(self.uniform() * (i + 1)), i)
            order[i], order[j] = order[j], order[i]
        return order

    def grains(self, n: int) -> NDArray[np.uint16]:
        """n 16-bit words, for noise on pixels.  Take them from a stream of their own: they skip the current block."""
        return self._generator.random_raw((n + 3) // 4).astype("<u8").view("<u2")[:n]


def derive_seed(name: str, seed: int) -> int:
    """The 64-bit key of a twin: two twins with the same user seed share no identity and no image."""
    return int.from_bytes(hashlib.sha256(f"{name}:{seed}".encode()).digest()[:8], "little")
