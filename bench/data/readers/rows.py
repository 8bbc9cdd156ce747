"""Which image has which label?  Checks that every label file shares: paths, duplicates, missing and extra images."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.data.listing import Sample
from bench.data.notes import Notes, first, printable
from bench.data.readers.tree import Images, folded


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a label file.  `where` is `file:line`, `name` the image as written, `split` train or test."""

    where: str
    name: str
    split: str
    label: int
    box: tuple[int, int, int, int] | None = None
    group: str = ""


def path_fault(name: str) -> str | None:
    """Why this name must not be opened, or None.  A label file must not be able to point out of its dataset."""
    if "\\" in name:
        return "a backslash in the path; write forward slashes"
    if name.startswith("/") or re.match(r"[A-Za-z]:", name):
        return "an absolute path; write it relative to the image folder"
    if ".." in name.split("/"):
        return "'..' in the path; write it relative to the image folder"
    return "a zero byte in the path" if "\0" in name else None


def integer(text: str) -> int | None:
    """The whole number that a label field means: `5`, `5.0` and `"5"` are five; anything else is None."""
    try:
        value = float(text.strip().strip("\"'"))
        return int(value) if value.is_integer() else None
    except (ValueError, OverflowError):
        return None


def unique(rows: Iterable[Row], notes: Notes, classes: Sequence[str]) -> list[Row]:
    """Rows with one line per image.  The same line twice is worth one warning; two labels or two splits are errors."""
    seen: dict[str, Row] = {}
    repeated: list[str] = []
    conflicts: list[str] = []
    for row in rows:
        before = seen.setdefault(folded(row.name), row)
        if before is row:
            continue
        if before.label != row.label:
            conflicts.append(
                f"{row.where}: {printable(row.name)} is {classes[row.label]} here and {classes[before.label]} at "
                f"{before.where}; keep one line"
            )
        elif before.split != row.split:
            conflicts.append(
                f"{row.where}: {printable(row.name)} is in {row.split} here and in {before.split} at {before.where}; "
                "keep one line"
            )
        else:
            repeated.append(f"{row.where} repeats {before.where}")
    notes.errors("contradictory-rows", conflicts)
    if repeated:
        notes.warn(
            "duplicate-rows",
            f"{len(repeated):,} lines name an image again with the same label and count once: {first(repeated)}",
        )
    return list(seen.values())


def join(
    rows: Sequence[Row], images: Images, notes: Notes, splits: dict[str, list[Sample]], what: str = "listed images"
) -> None:
    """Turn rows into samples of `splits`, and say which listed images are missing and how many files nobody lists."""
    missing: list[str] = []
    used: set[str] = set()
    for row in rows:
        path = images.get(row.name)
        if path is None:
            missing.append(f"{row.name} ({row.where})")
        else:
            used.add(path)
            splits[row.split].append(Sample(path, row.label, row.group, row.box))
    if missing:
        notes.error(
            "missing-images",
            f"{len(missing):,} of {len(rows):,} {what} are missing: {first(missing)}; fetch them again",
        )
    report_extra([path for path in images.by_name.values() if path not in used], notes)


def report_extra(extra: Sequence[str], notes: Notes) -> None:
    if extra:
        notes.warn(
            "extra-images", f"{len(extra):,} images are in no label file and are left out: {first(sorted(extra))}"
        )
