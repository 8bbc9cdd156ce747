"""How do numbers and tables look in print?  The only place where a fraction becomes a percentage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tabulate import tabulate

MISSING = "–"  # there is no such number, and the row says why
Align = Literal["left", "right"]


@dataclass(frozen=True)
class Column:
    """A column: its head, and the side to which its cells are set (numbers right, so that decimals align)."""

    head: str
    align: Align = "right"


@dataclass(frozen=True)
class Section:
    """A part of a page with a heading of its own; empty ones are left out."""

    heading: str
    body: str


@dataclass(frozen=True)
class Page:
    """One Markdown file: heading, one line that says what it is, a table, sections, footers, how it was made."""

    heading: str
    status: str
    table: str
    sections: tuple[Section, ...] = ()
    footers: tuple[str, ...] = ()
    made_by: str = "Rendered from `results/` by `python -m bench.tables`; not edited by hand."

    def text(self) -> str:
        """The bytes of the file, as text; ends with one newline."""
        parts = [f"# {self.heading}", self.status, self.table]
        parts += [f"## {section.heading}\n\n{section.body}" for section in self.sections if section.body]
        parts += [f"## How to read this page\n\n{bullets(self.footers)}" if self.footers else "", self.made_by]
        return "\n\n".join(part for part in parts if part) + "\n"


def percent(fraction: float | None) -> str:
    """0.6209 -> `62.09`; a missing number is a dash."""
    return MISSING if fraction is None else f"{100 * fraction:.2f}"


def half_width(fraction: float | None) -> str:
    """The half-width of an interval, in points; nothing where there is none (one seed)."""
    return "" if fraction is None else f"{100 * fraction:.2f}"


def points(difference: float | None) -> str:
    """A difference of accuracies in percentage points, with its sign: `+1.20`, `-0.40`, `0.00`."""
    if difference is None:
        return MISSING
    text = f"{100 * difference:+.2f}"
    return "0.00" if text in ("+0.00", "-0.00") else text


def p_value(p: float) -> str:
    """`0.008`, `0.250`, `< 0.001`."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def count(n: int) -> str:
    """12271 -> `12,271`."""
    return f"{n:,}"


def scaled(n: int, unit: int, decimals: int) -> str:
    """19723733 in millions with two decimals -> `19.72`."""
    return f"{n / unit:.{decimals}f}"


def spans(numbers: Iterable[int]) -> str:
    """0, 1, 2, 5 -> `0-2, 5`."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def plural(n: int, noun: str) -> str:
    """`1 seed`, `8 seeds`."""
    return f"{count(n)} {noun}{'' if n == 1 else 's'}"


def one_line(text: str) -> str:
    """Foreign text (a reason for a failure) as one line that cannot break a table or start an HTML tag."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def table(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table.  A column whose cells are all empty is left out."""
    listed = [tuple(row) for row in rows]
    kept = [index for index in range(len(columns)) if any(row[index] for row in listed)]
    return tabulate(
        [[row[index] for index in kept] for row in listed],
        headers=[columns[index].head for index in kept],
        tablefmt="pipe",
        colalign=[columns[index].align for index in kept],
        disable_numparse=True,  # "86.20" stays as it is
    )


def bullets(lines: Iterable[str]) -> str:
    """A Markdown list."""
    return "\n".join(f"- {line}" for line in lines)


def grouped(entries: Iterable[tuple[str, str]]) -> str:
    """A list of (who, what) with those who share a text in one line: `- DAN, SCN: the quick budget is a rehearsal`."""
    found: dict[str, list[str]] = {}
    for who, what in entries:
        if what and who not in found.setdefault(what, []):
            found[what].append(who)
    return bullets(f"{', '.join(who)}: {what}" for what, who in found.items())


def link(text: str, target: str) -> str:
    """A Markdown link to a file beside or below."""
    return f"[{text}]({target})"


def described(values: Mapping[str, object]) -> str:
    """`torch 2.11.0, numpy 2.1.0` from a mapping, in the order of its names."""
    return ", ".join(f"{name} {values[name]}" for name in sorted(values))
