"""What does the backbone learn to tell of a face?  Numbers that the renderer set: action units, pose and the person.

No target is an expression's name: pre-training sees no label of any twin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.data.twin.expression import ACTION_UNITS

POSE = ("yaw", "pitch", "roll")  # degrees
ATTRIBUTES = ("age", "gender", "tone")
NAMES = (*(f"AU{unit}" for unit in ACTION_UNITS), *POSE, *ATTRIBUTES)
_MIRRORED = np.array([name in ("yaw", "roll") for name in NAMES])  # a mirror turns their sign, nothing else changes

# The share of each group in the loss: expression first; pose and person so that the trunk can tell them apart from it.
SHARES = {"action units": 0.8, "pose": 0.1, "attributes": 0.1}
_SIZES = {"action units": len(ACTION_UNITS), "pose": len(POSE), "attributes": len(ATTRIBUTES)}


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation (T,) of each target over the training images."""

    mean: NDArray[np.float32]
    std: NDArray[np.float32]


def targets(meta: NDArray) -> NDArray[np.float32]:
    """(n, T) raw targets, in the order of NAMES, of rows of type metadata.ROW."""
    parts = [meta["action_units"], meta["pose"], *(meta[name][:, None] for name in ATTRIBUTES)]
    return np.concatenate(parts, axis=1).astype(np.float32)


def scale_of(raw: NDArray[np.float32]) -> Scale:
    """The scale of raw targets (n, T).  A target that never varies is left alone."""
    std = raw.std(axis=0)
    return Scale(raw.mean(axis=0), np.where(std > 1e-6, std, 1).astype(np.float32))


def standardised(raw: NDArray[np.float32], scale: Scale) -> NDArray[np.float32]:
    """(n, T) targets of mean 0 and standard deviation 1 over the training images."""
    return (raw - scale.mean) / scale.std


def mirrored(raw: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, T) raw targets of the mirrored images.  Action units count the stronger side, so a mirror keeps them."""
    return np.where(_MIRRORED, -raw, raw)


def weights() -> NDArray[np.float32]:
    """(T,) weights of the squared errors: each group its share, equal within a group; they sum to 1."""
    return np.concatenate([np.full(size, SHARES[name] / size, np.float32) for name, size in _SIZES.items()])
