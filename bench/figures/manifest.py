"""Which figures does a suite have, of which results are they, and are they still?  Imports no torch, no matplotlib.

`results/figures/<suite>/figures.json` lists them in the order in which a page shows them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.atomic import write_text
from bench.errors import UserError
from bench.figures.chart import Source
from bench.record import Record

MANIFEST = "figures.json"


@dataclass(frozen=True)
class Entry:
    """One figure.  `cells` maps each cell that it shows to its record's digest; the others are SHA-256 of the files."""

    title: str
    caption: str
    source: Source
    cells: Mapping[str, str]
    png_sha256: str
    csv_sha256: str


def folder_of(results: Path, suite: str) -> Path:
    """Where a suite's figures lie."""
    return results / "figures" / suite


def read(results: Path, suite: str) -> dict[str, Entry]:
    """The figures of a suite by stem, in order; empty where none were drawn.  Raises UserError for a damaged list."""
    path = folder_of(results, suite) / MANIFEST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {stem: Entry(**entry) for stem, entry in content.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: {error}; delete it and run `python -m bench.figures --suite {suite}` again") from None


def write(results: Path, suite: str, entries: Mapping[str, Entry]) -> None:
    """Replace the list of a suite's figures."""
    content = {stem: asdict(entry) for stem, entry in entries.items()}
    write_text(folder_of(results, suite) / MANIFEST, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def problems(results: Path, suite: str, records: Mapping[str, Record]) -> list[str]:
    """What does not hold for a suite's figures: they show other records than these, or a file is not as drawn."""
    found = []
    for stem, entry in read(results, suite).items():
        path = folder_of(results, suite) / stem
        if reason := stale(entry, records):
            found.append(f"{path}.png: {reason}")
        for suffix, digest in (("png", entry.png_sha256), ("csv", entry.csv_sha256)):
            file = path.with_name(f"{stem}.{suffix}")
            if not file.is_file():
                found.append(f"{file}: missing")
            elif sha256(file.read_bytes()) != digest:
                found.append(f"{file}: not the file that was drawn")
    return found


def stale(entry: Entry, records: Mapping[str, Record]) -> str:
    """Why a figure no longer shows the results; empty where it does."""
    for cell, digest in entry.cells.items():
        record = records.get(cell)
        if record is None:
            return f"its cell {cell} has no record"
        if record.digest != digest:
            return f"its cell {cell} has another record now"
    return ""


def sha256(content: bytes) -> str:
    """The digest by which the list knows a file."""
    return hashlib.sha256(content).hexdigest()
