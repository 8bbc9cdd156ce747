"""Do the heads attend to different regions?  The head-diversity lab as a page, beside its controls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.data.catalog import TWINS, title
from bench.heads import lab
from bench.heads.lab import Entry, Heads, Spread
from bench.markdown import (
    MISSING,
    Column,
    Page,
    Section,
    bullets,
    count,
    grouped,
    percent,
    plural,
    points,
    spans,
    table,
)
from bench.report.accuracy_table import lacking
from bench.report.footers import footers, status
from bench.report.table_rows import Finished, Trained, main_conditions, rows_of
from bench.spec import Suite, Table

TRAINED, UNTRAINED = "trained", "before training"
WORDS = {
    "overlap": "overlap",
    "jensen_shannon": "Jensen-Shannon distance",
}
JUDGED = ("jensen_shannon", "overlap")
FOOTERS = (
    "Every map is divided by its sum first, so that a head counts by where it looks and not by how strongly.  Each "
    "measure is the mean over images of the mean over pairs of heads.",
    "Cosine and overlap (intersection over union of the 20 % highest fields) are 1 for equal maps; Jensen-Shannon "
    "distance (base 2, at most 1) and the distance of the maps' centres (in sides of the map) are 0.",
    "Partition loss is the official form on all test images at once, also for networks that were trained without it.  "
    "It falls when heads differ in strength alone, so by itself it shows no difference of place.",
    "Left out: a head is taken out of the fusion.  Silenced: it stays at its mean over the images, so that it tells "
    "nothing of the image.  Both are changes of accuracy in points, mean over the heads and the worst head.",
    "Before training: the same network from the same seed, before its first step.",
)


@dataclass(frozen=True)
class Network:
    """One line of the table: a row's seed in one state."""

    row: Trained
    seed: int
    state: str
    entry: Entry
    heads: Heads

    @property
    def name(self) -> str:
        return f"{self.row.row.label or self.row.row.method}, {self.state}"


def page(spec: Table, dataset: str, suite: Suite, finished: Finished, results: Path) -> Page:
    """The page of one table of the lab on one dataset."""
    main = main_conditions(spec, dataset, suite, finished)
    rows = asked(rows_of(spec, dataset, suite, finished))
    known = list(networks(rows, results))
    several = [network for network in known if network.entry.heads > 1]
    return Page(
        heading=f"{spec.title}: {title(dataset)}",
        status=status(dataset, main, figures=False),
        table=_table(known),
        sections=(
            Section("What the maps say", bullets(_answers(several, spec))),
            Section("Where each head looks", _regions(several)),
            Section("Rows that are not measured", grouped((row.row.label, _why(row, known)) for row in rows)),
        ),
        footers=(*FOOTERS, *_maps(several), *footers(dataset, suite, main, rows)),
    )


def asked(rows: Sequence[Trained]) -> tuple[Trained, ...]:
    """The rows but those whose records are of a budget under which the table does not ask for them: a rehearsal's small
    images leave a map of 2 x 2 fields, which tells nothing."""
    return tuple(row for row in rows if row.conditions is None or row.row.runs(row.dataset, row.conditions.budget))


def networks(rows: Sequence[Trained], results: Path) -> Iterator[Network]:
    """Every network that the lab knows, in the order of the rows, each as trained and before training."""
    for row in rows:
        for cell, (seed, record) in zip(row.cells, row.records.items(), strict=True):
            entry = lab.current(results, cell, record)
            if entry is not None:
                yield Network(row, seed, TRAINED, entry, entry.trained)
                if entry.untrained is not None:
                    yield Network(row, seed, UNTRAINED, entry, entry.untrained)


def _table(known: Sequence[Network]) -> str:
    columns = (
        Column("Network", "left"),
        Column("State", "left"),
        Column("Seed"),
        Column("Cosine"),
        Column("Overlap"),
        Column("JS distance"),
        Column("Centres"),
        Column("Partition loss"),
        Column("Accuracy"),
        Column("A head left out"),
        Column("Worst"),
        Column("Silenced"),
        Column("Worst"),
    )
    return table(columns, [_line(network) for network in known]) if known else ""


def _line(network: Network) -> tuple[str, ...]:
    heads, n = network.heads, network.entry.n
    measures = [f"{heads.measures[name].mean:.3f}" if name in heads.measures else MISSING for name in lab.MEASURES]
    partition = MISSING if heads.partition is None else f"{heads.partition:.3g}"
    return (
        network.row.row.label or network.row.row.method,
        network.state,
        str(network.seed),
        *measures,
        partition,
        percent(heads.correct / n),
        *_change(heads.without, heads.correct, n),
        *_change(heads.silenced, heads.correct, n),
    )


def _change(correct: Sequence[int], whole: int, n: int) -> tuple[str, str]:
    """Mean change of accuracy over the heads, and the largest loss."""
    if not correct:
        return MISSING, MISSING
    return points(float(np.mean(correct) - whole) / n), points((min(correct) - whole) / n)


def _answers(several: Sequence[Network], spec: Table) -> Iterator[str]:
    """Sentences made from the numbers: the reference beside heads that ignore each other, and beside each control."""
    trained = (found for found in several if found.state == TRAINED)
    reference = next((found for found in trained if found.row.row == spec.reference_row), None)
    if reference is None:
        return
    own = reference.heads.measures
    pairs = f"{plural(reference.entry.heads, 'head')}, n = {count(reference.entry.n)} images, seed {reference.seed}"
    yield (
        f"{reference.name} ({pairs}): mean overlap {own['overlap'].mean:.2f}, where {reference.entry.chance:.2f} is "
        "that of heads that ignore each other and 1 that of equal maps; Jensen-Shannon distance "
        f"{own['jensen_shannon'].mean:.3f}."
    )
    for control in several:
        if control is not reference and control.seed == reference.seed:
            yield _beside(own, control)
    if len({network.seed for network in several}) == 1:
        yield "One seed: what another initialisation would give is not known, so these are descriptions and no tests."


def _beside(own: Mapping[str, Spread], control: Network) -> str:
    other = control.heads.measures
    distance, overlap = (own[name].mean - other[name].mean for name in JUDGED)
    words = "closer" if distance < 0 < overlap else "further apart by one measure and not by the other"
    words = "further apart" if distance > 0 > overlap else words
    both = [f"{WORDS[name]} {own[name].mean:.3f} against {other[name].mean:.3f}" for name in JUDGED]
    return f"Beside {control.name}, its heads are {words}: {', '.join(both)}."


def _regions(several: Sequence[Network]) -> str:
    """Lift of each head on each region, on faces whose renderer tells what moves."""
    shown = [network for network in several if network.heads.attention is not None]
    if not shown:
        return ""
    first = shown[0].entry
    columns = (
        Column("Network", "left"), Column("State", "left"), Column("Seed"), Column("Head"),
        *(Column(region) for region in first.regions), Column("Most on", "left"), Column("Bits"),
    )  # fmt: skip
    rows = []
    for network in shown:
        lift = network.heads.lift
        assert lift is not None and network.heads.information is not None
        for head, values in enumerate(lift):
            rows.append(
                (
                    *(_once(head, text) for text in (network.row.row.label, network.state, str(network.seed))),
                    str(head + 1),
                    *(f"{value:.2f}" for value in values),
                    first.regions[int(np.nanargmax(values))],
                    _once(head, f"{network.heads.information:.3f}"),
                )
            )
    assert first.trained.area is not None
    areas = ", ".join(f"{name} {percent(area)} %" for name, area in zip(first.regions, first.trained.area, strict=True))
    said = (
        "A field is the share of a head's attention on the pixels that the renderer moved by 1 mm or more, over the "
        f"share of the image that they cover ({areas}; means over the {count(first.trained.region_images or 0)} of "
        f"{count(first.n)} test images in which something moves).  1 is attention that ignores the face.  Bits is what "
        "a head's number tells of the region it looks at: 0 where all heads have one preference, "
        f"{np.log2(min(first.heads, len(first.regions))):.0f} where each has a region to itself."
    )
    return f"{said}\n\n{table(columns, rows)}"


def _once(head: int, text: str) -> str:
    return text if head == 0 else ""


def _why(row: Trained, known: Sequence[Network]) -> str:
    """Why a row is missing from the table, or seeds of it are; empty where nothing is."""
    measured = {network.seed for network in known if network.row is row}
    left = sorted(row.records.keys() - measured)
    seeds = f"seed{'s' * (len(left) > 1)} {spans(left)}"
    weights = f"{seeds} not measured (`python -m bench.figures` does it where their weights are)"
    return "; ".join(part for part in (lacking(row), weights if left else "") if part)


def _maps(several: Sequence[Network]) -> Iterator[str]:
    sizes = sorted({(network.entry.image_size, network.entry.map_size) for network in several})
    for size, (down, across) in sizes:
        yield f"Maps have {down} x {across} fields on images of {size} pixels."
    if any(network.row.dataset in TWINS for network in several):
        yield "The regions are the renderer's own: they are known of rendered faces only."
