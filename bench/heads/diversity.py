"""How different are the maps of several heads?  Pure functions on maps (N, K, h, w), zero or more.

A map is first divided by its sum, so that a head is judged by where it looks and not by how loud it is: the partition
loss alone rewards loudness.  Every measure is the mean over the K (K - 1) / 2 pairs of heads, for each image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
TOP_SHARE = 0.2  # of a map's fields, those with the highest values, are where a head looks


@dataclass(frozen=True)
class Diversity:
    """Four measures, (N,) each.

    `cosine` in [0, 1] of the maps as vectors; `overlap` in [0, 1], intersection over union of the top fields;
    `jensen_shannon` in [0, 1], the distance (square root of the divergence in bits) of the maps as distributions;
    `centre` the distance of their centres of mass in sides of the map.  Equal maps have 1, 1, 0, 0.
    """

    cosine: Floats
    overlap: Floats
    jensen_shannon: Floats
    centre: Floats


def diversity(maps: Floats) -> Diversity:
    """The four measures of maps (N, K, h, w).  Raises ValueError for fewer than two heads or a negative value."""
    if maps.ndim != 4 or maps.shape[1] < 2:
        raise ValueError(f"maps must be (N, K, h, w) with two heads or more, not {maps.shape}")
    shares = unit(maps)
    flat = shares.reshape(*shares.shape[:2], -1)  # (N, K, P)
    top, centres = top_fields(flat), centres_of_mass(shares)
    pairs = list(combinations(range(maps.shape[1]), 2))

    def mean(values: list[Floats]) -> Floats:
        return np.mean(values, axis=0)  # (N,)

    return Diversity(
        cosine=mean([_cosine(flat[:, a], flat[:, b]) for a, b in pairs]),
        overlap=mean([_intersection_over_union(top[:, a], top[:, b]) for a, b in pairs]),
        jensen_shannon=mean([_jensen_shannon(flat[:, a], flat[:, b]) for a, b in pairs]),
        centre=mean([np.linalg.norm(centres[:, a] - centres[:, b], axis=1) for a, b in pairs]),
    )


def unit(maps: Floats) -> Floats:
    """Maps (..., h, w) that sum to 1; one without any response says nothing of a place and becomes even."""
    if maps.size and maps.min() < 0:
        raise ValueError(f"a map's values are shares of attention: {maps.min():g} is below zero")
    total = maps.sum(axis=(-2, -1), keepdims=True)
    even = np.full(maps.shape, 1 / (maps.shape[-2] * maps.shape[-1]))
    return np.divide(maps, total, out=even, where=total > 0)


def top_fields(flat: Floats, share: float = TOP_SHARE) -> NDArray[np.bool_]:
    """Which of P fields (..., P) are among the highest `share`; of equal ones the first."""
    order = np.argsort(-flat, axis=-1, kind="stable")
    top = np.zeros(flat.shape, bool)
    np.put_along_axis(top, order[..., : top_count(flat.shape[-1], share)], True, axis=-1)
    return top


def top_count(fields: int, share: float = TOP_SHARE) -> int:
    """How many of so many fields are the top: `share` of them, rounded up."""
    return max(1, math.ceil(share * fields - 1e-9))


def chance_overlap(fields: int, share: float = TOP_SHARE) -> float:
    """The mean intersection over union of two random sets of top fields: what heads that ignore each other would have.

    The intersection is hypergeometric.
    """
    from scipy.stats import hypergeom

    count = top_count(fields, share)
    common = np.arange(count + 1)
    return float((hypergeom.pmf(common, fields, count, count) * common / (2 * count - common)).sum())


def centres_of_mass(shares: Floats) -> Floats:
    """Centres (..., 2), across and down, of unit maps (..., h, w), in sides of the map: (0.5, 0.5) is the middle."""
    down, across = ((np.arange(side) + 0.5) / side for side in shares.shape[-2:])
    return np.stack([(shares.sum(axis=-2) * across).sum(axis=-1), (shares.sum(axis=-1) * down).sum(axis=-1)], axis=-1)


def _cosine(a: Floats, b: Floats) -> Floats:
    return (a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))


def _intersection_over_union(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> Floats:
    return (a & b).sum(axis=1) / (a | b).sum(axis=1)


def _jensen_shannon(a: Floats, b: Floats) -> Floats:
    from scipy.spatial.distance import jensenshannon

    distances = jensenshannon(a, b, base=2, axis=1)  # equal distributions give the root of a rounding error below zero
    return np.nan_to_num(np.asarray(distances))
