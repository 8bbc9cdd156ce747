"""What does a label file say?  Lines with their numbers, whatever editor, system or download has touched the file."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from pathlib import Path

from bench.data.notes import Notes, printable

_HTML = (b"<!doctype", b"<html", b"<?xml")
LFS = b"version https://git-lfs"


def read_text(path: Path, notes: Notes) -> str | None:
    """The text of a label file, or None with an error where it is empty, unreadable or something else.

    UTF-8 with or without BOM is the rule; UTF-16 (Excel's "Unicode text") and Latin-1 are read with a warning.
    """
    shown = printable(path)
    try:
        content = path.read_bytes()
    except OSError as problem:
        notes.error("unreadable-labels", f"{shown}: cannot be read ({problem.strerror}); check its permissions")
        return None
    if not content.strip():
        notes.error("empty-labels", f"{shown}: the label file is empty; fetch it again")
        return None
    if content.lstrip()[:16].lower().startswith(_HTML):
        notes.error("not-labels", f"{shown}: a web page, not a label file (a download that failed); fetch it again")
        return None
    if content.startswith(LFS):
        notes.error("not-labels", f"{shown}: a Git-LFS pointer, not the file; run `git lfs pull`")
        return None
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        notes.warn("encoding", f"{shown}: saved as UTF-16; read as such, better saved as UTF-8")
        return content.decode("utf-16", "replace")
    if b"\0" in content[:4096]:
        notes.error(
            "encoding", f"{shown}: holds zero bytes (UTF-16 without a mark, or no text at all); save it as UTF-8"
        )
        return None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = content.count(b"\n", 0, problem.start) + 1
        notes.warn(
            "encoding",
            f"{shown}:{line}: not UTF-8 (byte 0x{content[problem.start]:02x}); read as Latin-1, better saved as UTF-8",
        )
        return content.decode("latin-1")


def lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """(line number, words) of each line that is not blank.  Any run of spaces and tabs parts words; CRLF is no word."""
    for number, line in enumerate(text.splitlines(), start=1):
        if words := line.split():
            yield number, words


def csv_rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """(line number, stripped fields) of each record that is not blank; the delimiter is a comma, a semicolon or a
    tab."""
    head = text.split("\n", 1)[0]
    delimiter = next(
        (char for char in ",;\t" if char in head), ","
    )  # landmarks hold semicolons inside a comma-separated field
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for row in reader:
            if any(field.strip() for field in row):
                yield reader.line_num, [field.strip() for field in row]
    except csv.Error as problem:
        yield reader.line_num, [f"<{problem}>"]
