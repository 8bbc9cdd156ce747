"""What is a layout?  One way in which a dataset lies on disk, and what its parser is given and gives back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.data.listing import Sample
from bench.data.notes import Notes


@dataclass(frozen=True)
class Request:
    """What is asked of a parser.  `dataset` is the licensed or open name (never a twin's), `classes` its class order,
    `class_order` what the user said about numeric folders, if anything."""

    dataset: str
    classes: tuple[str, ...]
    class_order: str | None = None


@dataclass
class Draft:
    """What a parser fills: samples per split as its files say, images left out by reason, and what it noticed."""

    notes: Notes = field(default_factory=Notes)
    splits: dict[str, list[Sample]] = field(default_factory=lambda: {"train": [], "test": []})
    excluded: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Layout:
    """One layout of one dataset.

    `shape` is the line that tells people what is looked for.  `specific` says that the shape alone gives the dataset
    away; otherwise `hints` must occur in a folder's name before a search accepts it.  `size` is the official (width,
    height) of an image in pixels, where there is one.  `matches` must be cheap and forgiving: a tree with a missing
    piece still matches, so that `parse` can say which piece.  `parse` never raises for broken content.
    """

    name: str
    shape: str
    matches: Callable[[Path], bool]
    parse: Callable[[Path, Request], Draft]
    specific: bool = True
    hints: tuple[str, ...] = ()
    size: tuple[int, int] | None = None
