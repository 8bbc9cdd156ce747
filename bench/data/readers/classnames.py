"""Which class does a word mean?  Spellings in label files and folder names, and the orders behind bare numbers."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from bench.data.catalog import AFFECTNET_ORDER, RAF_ORDER
from bench.errors import UserError

_SPELLINGS = {
    "surprise": ("surprised", "su"),
    "fear": ("fearful", "afraid", "fe"),
    "disgust": ("disgusted", "di"),
    "happiness": ("happy", "ha"),
    "sadness": ("sad", "sa"),
    "anger": ("angry", "an"),
    "neutral": ("neutrality", "ne"),
    "contempt": ("contemptuous", "co"),
}
CANONICAL: dict[str, str] = {word: name for name, words in _SPELLINGS.items() for word in (name, *words)}
EXCLUDED: dict[str, str] = {"none": "none", "uncertain": "uncertain", "noface": "no-face", "nonface": "no-face"}
"""AffectNet's last three categories carry no expression: excluded, with a count."""


def orders(classes: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """What bare folder numbers may mean for a dataset of these classes, lowest number first.

    `alphabetical` is what torchvision's ImageFolder makes of named folders, and so what many conversions hold.
    """
    known = {"raf": RAF_ORDER, "affectnet": AFFECTNET_ORDER[: len(classes)], "alphabetical": tuple(sorted(classes))}
    return {name: words for name, words in known.items() if set(words) == set(classes)}


def canonical(word: str) -> str | None:
    """The class that a word means, whatever its case or grammar ("Happy", "3_surprise", "ANGRY"), or None."""
    bare = re.sub(r"[^a-z]", "", word.lower())
    return CANONICAL.get(bare) or EXCLUDED.get(bare)


def nearest(word: str) -> str:
    """The class names that are spelt most like `word`, for a message."""
    near = difflib.get_close_matches(re.sub(r"[^a-z]", "", word.lower()), CANONICAL, n=1, cutoff=0.6)
    return f"nearest: {CANONICAL[near[0]]}" if near else f"known: {', '.join(_SPELLINGS)}"


def order(text: str, classes: Sequence[str]) -> tuple[str, ...]:
    """The classes behind numeric folders as `--class-order` names them: a known order, or class names parted by
    commas."""
    known = orders(classes)
    if text in known:
        return known[text]
    names = [canonical(word) for word in text.split(",")]
    if len(names) < 2 or None in names or len(set(names)) < len(names):
        raise UserError(
            f"--class-order '{text}' is neither {', '.join(known)} nor a list of different class names "
            "(surprise,fear,...)"
        )
    return tuple(name for name in names if name)
