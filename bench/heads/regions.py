"""How much of each head's attention lies on the parts of a face that move?  For faces whose renderer tells where.

A rendered face comes with the region in which its expression moves brow, eyes, nose and mouth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.data.twin.head import REGIONS
from bench.heads.diversity import Floats, unit

__all__ = ["MOVED", "REGIONS", "RegionShares", "cover", "region_shares"]


MOVED = 20  # of a mask: 1 mm of visible movement


@dataclass(frozen=True)
class RegionShares:
    """Means over the images in which something moves.

    `images` is their number, `area` (R,) the share of the image that each region covers, `attention` (K, R) the share
    of each head's attention that lies on it.  Attention that ignores the face has the area's share: lift 1.
    """

    images: int
    area: Floats
    attention: Floats

    @property
    def lift(self) -> Floats:
        """(K, R): attention over area; NaN for a region that never moves."""
        return np.divide(self.attention, self.area, out=np.full(self.attention.shape, np.nan), where=self.area > 0)

    @property
    def information(self) -> float:
        """Bits that a head's number tells of the region it looks at (mutual information, heads equally likely; only
        attention on regions counts).  0 where all heads share one preference, at most log2 of the smaller of K, R."""
        joint = self.attention / self.attention.sum()  # (K, R)
        joint = joint / (joint.sum(axis=1, keepdims=True) * len(joint))  # every head has the same weight
        apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
        held = joint > 0
        return float(max(0.0, (joint[held] * np.log2(joint[held] / apart[held])).sum()))


def region_shares(maps: Floats, masks: NDArray[np.uint8]) -> RegionShares | None:
    """Shares of maps (N, K, h, w) on masks (N, S, S, R); None where nothing moves in any image.

    A map's field lies evenly on the pixels that it stands for.
    """
    covered = cover(masks > MOVED, maps.shape[-2], maps.shape[-1])  # (N, h, w, R)
    moving = covered.any(axis=(1, 2, 3))
    if not moving.any():
        return None
    shares, parts = unit(maps[moving]), covered[moving]
    attention = np.einsum("nkhw,nhwr->kr", shares, parts) / len(parts)
    return RegionShares(int(moving.sum()), parts.mean(axis=(0, 1, 2)), attention)


def cover(regions: NDArray[np.bool_], height: int, width: int) -> Floats:
    """Regions (N, S, S, R) as the share of each of height x width fields that they cover, (N, height, width, R)."""
    size = regions.shape[1]
    if size % height or size % width:
        raise ValueError(f"{size} pixels do not fall into {height} x {width} equal fields")
    blocks = regions.reshape(len(regions), height, size // height, width, size // width, regions.shape[-1])
    return blocks.mean(axis=(2, 4))
