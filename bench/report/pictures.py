"""Which pictures are there, and what does each show?  Every figure of a suite with its caption and the data beside it.

Titles and captions are those of `results/figures/<suite>/figures.json`; a picture of other records than today's is
named, not shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.data.catalog import DATASETS, TWINS
from bench.figures import manifest
from bench.markdown import Page, Section, bullets, link
from bench.record import Record
from bench.spec import Suite

NAMES = sorted((*DATASETS, *TWINS), key=len, reverse=True)  # the longest first: rafdb-twin before rafdb


@dataclass(frozen=True)
class Picture:
    """A figure of a suite; `stale` says why it no longer shows the results, empty where it does."""

    suite: str
    stem: str
    title: str
    caption: str
    stale: str

    def path(self, suffix: str) -> str:
        """Its file below the results."""
        return f"figures/{self.suite}/{self.stem}.{suffix}"

    @property
    def kind(self) -> str:
        """What it shows apart from the dataset: `confusion` of `confusion-rafdb-twin`."""
        return next((self.stem.removesuffix(f"-{name}") for name in NAMES if self.stem.endswith(f"-{name}")), self.stem)


def pictures(results: Path, suite: str, records: Mapping[str, Record]) -> tuple[Picture, ...]:
    """The figures of a suite, in their order."""
    listed = manifest.read(results, suite)
    return tuple(
        Picture(suite, stem, entry.title, entry.caption, manifest.stale(entry, records))
        for stem, entry in listed.items()
    )


def page(suite: Suite, found: Sequence[Picture]) -> Page:
    """All figures of a suite."""
    shown, old = _split(found)
    return Page(
        heading=f"Figures: {suite.title}",
        status="Every picture with the data behind it; captions state data, n, seeds and budget.",
        table=section(shown, "../../"),
        sections=(Section("Not shown", _stale(old)),),
        footers=(
            "Colours are told apart in print and by colour-blind readers; bands are 95 % t-intervals over seeds.",
        ),
    )


def highlights(found: Sequence[Picture], all_of: str) -> str:
    """One picture of each kind, and where the others are; `all_of` links the page with all of them."""
    shown, old = _split(found)
    first: dict[str, Picture] = {}
    for each in shown:
        first.setdefault(each.kind, each)
    rest = [each for each in shown if each not in first.values()]
    more = [f"{link(each.title, each.path('png'))}" for each in rest]
    parts = [section(first.values()), f"Also: {', '.join(more)}." if more else "", _stale(old)]
    ending = f"All of them with their captions: {all_of}." if shown else ""
    return "\n\n".join(part for part in (*parts, ending) if part)


def section(found: Iterable[Picture], up: str = "") -> str:
    """Pictures as Markdown, each under its title and above its caption; `up` leads to the folder of the results."""
    return "\n\n".join(
        f"**{each.title}**\n\n![{each.title}]({up}{each.path('png')})\n\n"
        f"{each.caption} ({link('data', up + each.path('csv'))})"
        for each in found
    )


def _split(found: Iterable[Picture]) -> tuple[list[Picture], list[Picture]]:
    listed = list(found)
    return [each for each in listed if not each.stale], [each for each in listed if each.stale]


def _stale(old: Iterable[Picture]) -> str:
    return bullets(f"{each.title}: {each.stale}; run `python -m bench.figures` again" for each in old)
