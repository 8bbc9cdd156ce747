"""What does a reader find on disk, before any pixel is decoded?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled image.

    `path` is relative to the listing's root with forward slashes; it never reaches a result (names can be people's
    names). `label` is a position in the listing's class order.  `group` is what must not straddle a split (identity,
    film), or "" where nothing is known.  `box` is the face as (left, top, width, height) in pixels, or None for the
    whole image.
    """

    path: str
    label: int
    group: str = ""
    box: tuple[int, int, int, int] | None = None


@dataclass(frozen=True)
class Finding:
    """Something worth saying about a tree.  `code` is a short stable slug (`missing-image`), `message` the line for
    people."""

    severity: Literal["warning", "error"]
    code: str
    message: str


@dataclass(frozen=True)
class Listing:
    """All images of a dataset as its files say.  With an error among `findings` it must not be trained on."""

    dataset: str
    layout: str
    root: Path
    classes: tuple[str, ...]
    train: tuple[Sample, ...]
    test: tuple[Sample, ...]
    excluded: Mapping[str, int]
    findings: tuple[Finding, ...] = ()

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity == "warning")
