"""Can a printed percentage be a number of correct images out of n at all?

A printed accuracy such as "62.09" must be some k / n.  With n images only n + 1 fractions exist, so a figure with two
decimals either names k exactly or cannot have been measured on n images.  All arithmetic is on integers: no float
decides a tie.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

_FIGURE = re.compile(r"(\d+)(?:\.(\d+))?")


@dataclass(frozen=True)
class Attainable:
    """The counts k for which k / n prints as a figure, by the way the printer shortened it."""

    figure: str
    n: int
    counts_half_even: tuple[int, ...]
    counts_half_up: tuple[int, ...]
    counts_truncated: tuple[int, ...]

    @property
    def counts_rounded(self) -> tuple[int, ...]:
        """Counts under rounding; a tie (62.125 to two digits) may go to either side, so both rules count."""
        return tuple(sorted({*self.counts_half_even, *self.counts_half_up}))

    @property
    def rounded(self) -> bool:
        """Whether some count rounds to the figure."""
        return bool(self.counts_rounded)

    @property
    def possible(self) -> bool:
        """Whether some count rounds or truncates to the figure."""
        return self.rounded or bool(self.counts_truncated)


def scaled(figure: str) -> tuple[int, int]:
    """The figure as an integer and its number of decimals: "62.09" is (6209, 2).

    Raises ValueError where the text is no plain decimal ("89.7 %", "1e2", "-3").
    """
    match = _FIGURE.fullmatch(figure)
    if match is None:
        raise ValueError(f"'{figure}' is no plain decimal figure such as 89.70")
    whole, decimals = match[1], match[2] or ""
    return int(whole + decimals), len(decimals)


def attainable(figure: str, n: int) -> Attainable:
    """Which k of n images print as the percentage `figure` at its own number of decimals.  n >= 1."""
    if n < 1:
        raise ValueError(f"n must be at least 1, not {n}")
    value, decimals = scaled(figure)
    scale = 100 * 10**decimals  # k / n prints `value` when scale * k / n shortens to it
    # Half-up: value - 1/2 <= scale k / n < value + 1/2; times 2 n the ends are integers.
    low, high = (2 * value - 1) * n, (2 * value + 1) * n
    half_up = _multiples(low, high - 1, 2 * scale, n)
    # Half-even: an even value takes both of its ties, an odd value neither.
    ties = 0 if value % 2 == 0 else 1
    half_even = _multiples(low + ties, high - ties, 2 * scale, n)
    truncated = _multiples(value * n, (value + 1) * n - 1, scale, n)
    return Attainable(figure, n, half_even, half_up, truncated)


def sizes_that_fit(figures: Iterable[str], smallest: int, largest: int, truncated: bool = False) -> tuple[int, ...]:
    """The test sizes n in [smallest, largest] on which every figure is some k / n, rounded (or truncated)."""
    wanted = tuple(figures)
    return tuple(n for n in range(smallest, largest + 1) if all(_fits(figure, n, truncated) for figure in wanted))


def nearest(figure: str, n: int) -> tuple[Fraction, Fraction]:
    """The two neighbouring fractions k / n around a figure; equal where the figure is one of them, clipped to [0,
    1]."""
    value, decimals = scaled(figure)
    exact = Fraction(value * n, 100 * 10**decimals)
    below = min(exact.numerator // exact.denominator, n)
    above = min(-(-exact.numerator // exact.denominator), n)
    return Fraction(below, n), Fraction(above, n)


def explain(figure: str, n: int) -> str:
    """One line for a table's footer: the counts that print the figure, or the neighbours that show that none does."""
    found = attainable(figure, n)
    if found.rounded:
        counts = found.counts_rounded
        which = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        return f"{figure} % is {which} of {n}"
    if found.counts_truncated:
        return f"{figure} % is no k/{n} under rounding; {found.counts_truncated[0]} of {n} only when truncated"
    below, above = (int(fraction * n) for fraction in nearest(figure, n))
    digits = scaled(figure)[1] + 1
    around = " and ".join(f"{k} gives {100 * k / n:.{digits}f}" for k in dict.fromkeys((below, above)))
    return f"{figure} % is no k/{n}: {around}"


def prints_as(count: int, unit: int, figure: str) -> bool:
    """Whether `count` / `unit` rounds to a printed figure: 19,723,733 parameters in millions print as "19.72"."""
    value, decimals = scaled(figure)
    return abs(2 * (count * 10**decimals - value * unit)) <= unit


def _fits(figure: str, n: int, truncated: bool) -> bool:
    found = attainable(figure, n)
    return bool(found.counts_truncated if truncated else found.counts_rounded)


def _multiples(low: int, high: int, step: int, n: int) -> tuple[int, ...]:
    """The k in 0..n with low <= step * k <= high."""
    return tuple(range(max(0, -(-low // step)), min(n, high // step) + 1))
