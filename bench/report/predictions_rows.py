"""Which rows have stored answers to look into?  Each trained row of a suite on a dataset, once, with its answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.report.reported import Reported
from bench.report.stored import Answers, Stored
from bench.report.table_lines import Line, layout, marked
from bench.report.table_rows import Conditions, Finished, Trained, same_images
from bench.spec import Suite, Table


@dataclass(frozen=True)
class Looked:
    """One row with the answers of its seeds; `unread` are the seeds whose answers cannot be read."""

    name: str
    trained: Trained
    answers: Mapping[int, Answers]

    @property
    def unread(self) -> tuple[int, ...]:
        return tuple(sorted(self.trained.records.keys() - self.answers.keys()))


@dataclass(frozen=True)
class Material:
    """The rows of a page, what explains their letters, their shared conditions, and the row that others are compared
    with."""

    rows: tuple[Looked, ...]
    notes: tuple[str, ...]
    main: Conditions | None
    reference: Looked | None


def lines_of(
    tables: Iterable[Table], dataset: str, suite: Suite, finished: Finished, reported: Reported
) -> tuple[list[Line], list[str], Conditions | None]:
    """The trained lines of several tables, each row once, with letters of this page's own."""
    found: dict[frozenset[str], Line] = {}
    main: Conditions | None = None
    for table in tables:
        laid = layout(table, dataset, suite, finished, reported)
        main = main or laid.main
        for line in laid.lines:
            if line.trained and line.trained.records:
                found.setdefault(frozenset(line.trained.cells), replace(line, mark=""))
    lines, notes = marked(list(found.values()), main)
    return lines, notes, main


def material(
    tables: Sequence[Table],
    dataset: str,
    suite: Suite,
    finished: Finished,
    reported: Reported,
    stored: Stored,
    headline: str,
) -> Material:
    """Everything that a page about answers needs."""
    lines, notes, main = lines_of(tables, dataset, suite, finished, reported)
    rows = tuple(_looked(line, stored, headline) for line in lines)
    wanted = next((row for table in tables if (row := table.reference_row)), None)
    reference = next((row for row in rows if wanted and row.trained.row.method == wanted.method
                      and row.trained.row.variant == wanted.variant), None)  # fmt: skip
    return Material(rows, tuple(notes), main, reference)


def pairs(row: Looked, reference: Looked | None) -> list[tuple[Answers, Answers]]:
    """The answers of a row and of the reference at their common seeds, on the same images in the same order."""
    if reference is None or row is reference or not same_images(row.trained, reference.trained):
        return []
    common = sorted(row.answers.keys() & reference.answers.keys())
    found = [(row.answers[seed], reference.answers[seed]) for seed in common]
    return [(one, other) for one, other in found if _aligned(one, other)]


def together(row: Looked) -> list[Answers]:
    """The answers of all seeds of a row that were given to the same images in the same order."""
    found = [row.answers[seed] for seed in sorted(row.answers)]
    return [one for one in found if _aligned(one, found[0])]


def _aligned(one: Answers, other: Answers) -> bool:
    return one.ids.shape == other.ids.shape and bool((one.ids == other.ids).all())


def _looked(line: Line, stored: Stored, headline: str) -> Looked:
    assert line.trained is not None
    cells = line.trained.cells
    found = {
        record.cell["seed"]: answers
        for name, record in cells.items()
        if (answers := stored.answers(name, record, headline)) is not None
    }
    return Looked(line.name, line.trained, found)
