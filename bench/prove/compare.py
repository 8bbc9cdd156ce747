"""Are two folders of results the same results?  What counts is compared byte for byte, times and machines are not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from bench.record import Record
from bench.store import FAILED
from bench.study.text import Study

SPENT = b"- Spent:"  # the line of a study's page that tells its seconds
COMPARED = (
    "compared: predictions, tables, figures, winners and failures byte for byte; records and studies by their digests "
    "(all but times, machine and count of interruptions; a study's page without its line of time); MLflow by its "
    "finished runs; no half-written file is left"
)


def differences(reference: Path, found: Path) -> Iterator[str]:
    """A line for each file that one folder lacks, or that says something else in the other."""
    ours, theirs = _files(reference), _files(found)
    for name in sorted(ours.keys() | theirs.keys()):
        if name not in theirs:
            yield f"{name} is missing"
        elif name not in ours:
            yield f"{name} should not be there"
        elif content(ours[name]) != content(theirs[name]):
            yield f"{name} differs"


def content(path: Path) -> str:
    """The digest of what a file says.  Raises ValueError for a record or a study that is damaged."""
    if path.suffix == ".json" and not path.name.endswith(FAILED):
        if "records" in path.parts:
            return Record.from_json(path.read_text(encoding="utf-8")).digest
        if path.parent.name == "studies":
            return Study.from_json(path.read_text(encoding="utf-8")).digest
    lines = path.read_bytes().splitlines(keepends=True)
    if path.parent.name == "studies" and path.suffix == ".md":
        lines = [line for line in lines if not line.startswith(SPENT)]
    return hashlib.sha256(b"".join(lines)).hexdigest()


def _files(folder: Path) -> dict[str, Path]:
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
