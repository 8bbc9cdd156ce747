"""Which lines does a table of accuracies have?  The paper's rows and ours, matched, labelled and marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from string import ascii_lowercase

from baselines.registry import METHODS, entry
from bench.data.catalog import TWINS
from bench.report.departures import departures
from bench.report.reported import Accuracy, Reported
from bench.report.table_rows import Conditions, Finished, Trained, main_conditions, rows_of
from bench.spec import Row, Suite, Table, slug, variant_of


@dataclass(frozen=True)
class Line:
    """One line of a table: what the paper prints, what we trained, or both.

    `mark` is the letter of the note that says how its conditions depart from those of the table.
    """

    label: str
    group: str = ""
    printed: Accuracy | None = None
    trained: Trained | None = None
    mark: str = ""

    @property
    def marked(self) -> str:
        return f"{self.label} ({self.mark})" if self.mark else self.label

    @property
    def name(self) -> str:
        """The line as notes call it: group, label and mark."""
        return f"{self.group} {self.marked}" if self.group else self.marked

    @property
    def kind(self) -> str:
        """Where the line's numbers come from."""
        if self.trained is None:
            return "quoted"
        if self.trained.records:
            return "re-trained"
        if self.trained.failures:
            return "failed"
        return "not run yet" if self.trained.planned else "full budget only"


@dataclass(frozen=True)
class Layout:
    """The lines of one table on one dataset, in order.

    `number` is the paper's table that it repeats, empty for none; `main` are the table's own conditions, None where no
    cell has finished; `notes` explain the marks.
    """

    number: str
    main: Conditions | None
    trained: tuple[Trained, ...]
    lines: tuple[Line, ...]
    notes: tuple[str, ...]


def layout(spec: Table, dataset: str, suite: Suite, finished: Finished, reported: Reported) -> Layout:
    """The lines of a table on one dataset."""
    main = main_conditions(spec, dataset, suite, finished)
    trained = rows_of(spec, dataset, suite, finished)
    number, printed = printed_beside(spec, dataset, reported)
    lines, notes = marked(lines_of(spec, trained, printed), main)
    return Layout(number, main, trained, tuple(lines), tuple(notes))


def printed_beside(spec: Table, dataset: str, reported: Reported) -> tuple[str, tuple[Accuracy, ...]]:
    """Which of the paper's tables this one repeats on `dataset` (a twin's is its original's), and that table's rows.

    A table that can stand for one number only keeps it on data that the paper does not use, without the paper's rows.
    """
    base = TWINS.get(dataset, dataset)
    for number in spec.numbers:
        rows = tuple(row for row in reported.table(number.removeprefix("Table ")) if row.dataset == base)
        if rows:
            return number, rows
    return (spec.numbers[0] if len(spec.numbers) == 1 else ""), ()


def lines_of(spec: Table, trained: Sequence[Trained], printed: Sequence[Accuracy]) -> list[Line]:
    """A comparison has the paper's rows in its order, ours beside them, then what only we trained.

    Every other table keeps the suite's order, and has no rows that are only quoted.
    """
    ours = []
    for found in trained:
        figure = printed_for(found.row, printed)
        ours.append(Line(_label(found.row, figure), found.row.group, figure, found))
    if spec.kind != "comparison":
        return ours
    in_paper: list[Line] = []
    for figure in printed:
        in_paper += [line for line in ours if line.printed is figure] or [Line(_cited(figure), printed=figure)]
    return in_paper + [line for line in ours if line.printed is None]


def printed_for(row: Row, printed: Sequence[Accuracy]) -> Accuracy | None:
    """The paper's row that a suite's row repeats: same method and switches, same group where the paper has groups."""
    for figure in printed:
        if figure.method != row.method or row.method not in METHODS or figure.group not in ("", row.group):
            continue
        if variant_of(row.method, dict(figure.variant), figure.file) == row.variant:
            return figure
    return None


def marked(lines: Sequence[Line], main: Conditions | None) -> tuple[list[Line], list[str]]:
    """A letter for each way in which lines depart from the table's conditions, and notes that explain the letters."""
    letters: dict[str, str] = {}
    found = []
    for line in lines:
        text = departures(line.trained, main) if line.trained else ""
        if text:
            letters.setdefault(text, _letter(len(letters)))
        found.append(replace(line, mark=letters.get(text, "")))
    return found, [f"({letter}) {text}" for text, letter in letters.items()]


def _label(row: Row, figure: Accuracy | None) -> str:
    """The suite's label; else the paper's for a method that it cites (readers look for it); else the method's title."""
    if row.label:
        return row.label
    if figure is not None and figure.citation is not None:
        return _cited(figure)
    return f"{entry(row.method).title}{', ' + slug(row.variant) if row.variant else ''}"


def _cited(figure: Accuracy) -> str:
    return f"{figure.label} [{figure.citation}]" if figure.citation else figure.label


def _letter(index: int) -> str:
    """a ... z, aa, ab ..."""
    return ("" if index < 26 else _letter(index // 26 - 1)) + ascii_lowercase[index % 26]
