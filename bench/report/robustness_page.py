"""How much do corrupted images and other datasets cost each method?  From the stored answers, without weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench import metrics
from bench.data.catalog import title
from bench.errors import UserError
from bench.markdown import MISSING, Column, Page, Section, count, grouped, percent, points, table
from bench.report.footers import footers, status
from bench.report.reported import Reported
from bench.report.table_lines import Line, layout
from bench.report.table_rows import Finished
from bench.robustness import text
from bench.robustness.text import CORRUPTIONS, SEVERITIES, Answered, Robustness
from bench.spec import Suite, Table

FOOTERS = (
    "Corruptions and their five severities are those of ImageNet-C (Hendrycks and Dietterich 2019) at the image size "
    "of the run, blur scaled to it; every severity of a kind counts alike, and so does every kind.",
    "Kept is the corrupted accuracy less chance, as a share of the clean accuracy less chance (chance is 1 over the "
    "number of classes); a dash where the clean accuracy is not above chance.",
    "On another dataset only test images of classes that both have count, and the best of those classes is the answer. "
    "Floor is always naming the most frequent class there.  ± is half of the 95 % Wilson interval.",
    "One network a row: these figures hold no chance of training.",
)


def page(spec: Table, dataset: str, suite: Suite, finished: Finished, reported: Reported, results: Path) -> Page:
    """The page of one dataset."""
    laid = layout(spec, dataset, suite, finished, reported)
    found, lacking = measured(laid.lines, results)
    return Page(
        heading=f"{spec.title}: {title(dataset)}",
        status=status(dataset, laid.main, False),
        table=_summary(found),
        sections=(
            Section("By severity", _severities(found)),
            Section("Every corruption and severity", _details(found)),
            Section("On other datasets", _transfer(found)),
            Section("Rows without a measurement", grouped(lacking)),
        ),
        footers=(*FOOTERS, *footers(dataset, suite, laid.main, laid.trained)[:-2]),
    )


def measured(lines: Sequence[Line], results: Path) -> tuple[list[tuple[str, Robustness]], list[tuple[str, str]]]:
    """The measurements of a table's lines by name, and the lines without one with the reason."""
    found, lacking = [], []
    for line in lines:
        if line.trained is None:
            continue
        for cell, record in sorted(line.trained.cells.items()):
            try:
                each = text.load(results, cell)
            except UserError:
                each = None
            if each is not None and each.key == record.key:
                found.append((line.name, each))
                break
        else:
            why = "not measured: its weights were not kept" if line.trained.records else "not trained"
            lacking.append((line.name, f"{why}, or run the suite robustness" if line.trained.records else why))
    return found, lacking


def _summary(found: Sequence[tuple[str, Robustness]]) -> str:
    if not found:
        return ""
    columns = (
        Column("Method", "left"), Column("Images"), Column("Clean"), Column("±"), *map(Column, CORRUPTIONS.values()),
        Column("Mean"), Column("Loss"), Column("Kept"),
    )  # fmt: skip
    rows = []
    for name, each in found:
        kinds = [float(np.mean([_accuracy(each.under(kind, level)) for level in SEVERITIES])) for kind in CORRUPTIONS]
        clean, mean = _accuracy(each.clean), float(np.mean(kinds))
        rows.append(
            (
                name, count(each.clean.n), percent(clean), _half(each.clean), *map(percent, kinds), percent(mean),
                points(mean - clean), _kept(clean, mean, len(each.clean.classes)),
            )
        )  # fmt: skip
    return table(columns, rows)


def _severities(found: Sequence[tuple[str, Robustness]]) -> str:
    columns = (Column("Method", "left"), Column("Clean"), *(Column(f"Severity {level}") for level in SEVERITIES))
    rows = [
        (
            name,
            percent(_accuracy(each.clean)),
            *(
                percent(float(np.mean([_accuracy(each.under(kind, level)) for kind in CORRUPTIONS])))
                for level in SEVERITIES
            ),
        )
        for name, each in found
    ]
    return f"{table(columns, rows)}\n\nMean over the {len(CORRUPTIONS)} corruptions." if rows else ""


def _details(found: Sequence[tuple[str, Robustness]]) -> str:
    columns = (Column("Method", "left"), Column("Corruption", "left"), *map(Column, map(str, SEVERITIES)))
    rows = [
        (name, caption, *(percent(_accuracy(each.under(kind, level))) for level in SEVERITIES))
        for name, each in found
        for kind, caption in CORRUPTIONS.items()
    ]
    return table(columns, rows) if rows else ""


def _transfer(found: Sequence[tuple[str, Robustness]]) -> str:
    columns = (
        Column("Method", "left"), Column("Scored on", "left"), Column("Classes"), Column("Images"), Column("Accuracy"),
        Column("±"), Column("Balanced"), Column("Floor"),
    )  # fmt: skip
    rows = [
        (
            name,
            title(dataset),
            str(len(other.classes)),
            count(other.n),
            percent(_accuracy(other)),
            _half(other),
            percent(metrics.balanced_accuracy(_confusion(other))),
            percent(max(other.labels.count(digit) for digit in set(other.labels)) / other.n),
        )
        for name, each in found
        for dataset, other in sorted(each.transfer.items())
    ]
    return table(columns, rows) if rows else ""


def _accuracy(found: Answered) -> float:
    return found.correct / found.n


def _confusion(found: Answered) -> metrics.Counts:
    labels, answers = (np.array([int(digit) for digit in digits]) for digits in (found.labels, found.answers))
    return metrics.confusion_matrix(labels, answers, len(found.classes))


def _half(found: Answered) -> str:
    interval = metrics.wilson_interval(found.correct, found.n)
    return percent((interval.high - interval.low) / 2)


def _kept(clean: float, corrupted: float, classes: int) -> str:
    chance = 1 / classes
    return MISSING if clean <= chance else percent((corrupted - chance) / (clean - chance))
