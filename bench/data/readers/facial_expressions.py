"""How does muxspace/facial_expressions lie on disk?  `data/legend.csv` + `images/`; open, real photos.

The release has no split.  Ours parts people: the identity is the file name less its number, and a hash of it sends
about one identity in five to the test split.  The hash knows nothing of the other rows, so a smaller copy of the
release gets the same split.

Seven classes are the default, because the release has nine photos of contempt in 13,690: about two of them would be in
the test split, and a class of two images moves balanced accuracy by 6 points each.  Seven is also what RAF-DB and SFEW
have. `facial_expressions8` keeps contempt.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import defaultdict
from pathlib import Path

from bench.data.catalog import AFFECTNET_ORDER, info
from bench.data.notes import printable
from bench.data.readers import text
from bench.data.readers.classnames import canonical, nearest
from bench.data.readers.layout import Draft, Layout, Request
from bench.data.readers.rows import Row, join, path_fault, unique
from bench.data.readers.tree import children, descend, folded, list_images

SALT = "189"
"""Chosen among "0".."199", by labels alone and before anything was trained, so that each class has nearest to a fifth
of its images in the test split.  It matters because five film actors carry nearly all photos of disgust."""

TEST_SHARE = 0.2
_HEADER = ("user.id", "image", "emotion")


def identity(name: str) -> str:
    """Who is in the photo, by its file name: `Aaron_Peirsol_0001.jpg`, `HrithikRoshan_11.jpg`,
    `facial-expressions_2868588k.jpg`."""
    stem = os.path.splitext(os.path.basename(name))[0]
    return re.sub(r"[\s_-]*\d+[a-z]?$", "", stem).casefold() or stem.casefold()


def split_of(person: str) -> str:
    """The split of an identity: `test` where the first 8 bytes of SHA-256(salt, identity), as a fraction, are below a
    fifth."""
    digest = hashlib.sha256(f"facial_expressions/{SALT}/{person}".encode("utf-8", "surrogateescape")).digest()
    return "test" if int.from_bytes(digest[:8], "big") < TEST_SHARE * 2**64 else "train"


def _matches(folder: Path) -> bool:
    if descend(folder, "data", "legend.csv") is not None:
        return True
    return bool(children(folder, "legend.csv") and children(folder, "images"))


def parse(root: Path, request: Request) -> Draft:
    """`data/legend.csv` + `images/`, split by identity."""
    draft = Draft()
    path = descend(root, "data", "legend.csv") or descend(root, "legend.csv")
    rows = _rows(path, root, draft) if path is not None else []
    pictures = descend(root, "images") or descend(root, "data", "images")
    if pictures is None:
        draft.notes.error("no-images", f"{printable(root / 'images')}: no such folder; clone the whole repository")
        return draft
    images = list_images(pictures, root)
    images.report(draft.notes)
    rows, contradictory = _settle(rows, info(request.dataset).blemishes, draft)
    kept = [row for row in rows if row.label < len(request.classes)]
    draft.excluded.update(contempt=len(rows) - len(kept))
    for name in contradictory | {row.name for row in rows if row.label >= len(request.classes)}:
        images.by_name.pop(folded(name), None)
    join(kept, images, draft.notes, draft.splits)
    return draft


def _rows(path: Path, root: Path, draft: Draft) -> list[Row]:
    """The legend's rows with labels in AffectNet's order of eight."""
    content = text.read_text(path, draft.notes)
    if content is None:
        return []
    shown = printable(path.relative_to(root).as_posix())
    records = list(text.csv_rows(content))
    columns = {name: number for number, name in enumerate(_HEADER)}
    if records and "image" in (header := [field.lower() for field in records[0][1]]):
        columns = {name: number for number, name in enumerate(header)}
        records = records[1:]
    else:
        draft.notes.warn("no-header", f"{shown}:1: no header line; read as {','.join(_HEADER)}")
    if "emotion" not in columns:
        draft.notes.error(
            "columns", f"{shown}:1: no column 'emotion' (found {', '.join(columns)}); use the release's legend.csv"
        )
        return []
    rows: list[Row] = []
    faults: dict[str, list[str]] = {"columns": [], "bad-path": [], "unknown-class": []}
    for number, fields in records:
        where = f"{shown}:{number}"
        if len(fields) != len(columns):
            faults["columns"].append(
                f"{where}: {len(fields)} columns, expected {len(columns)} ({','.join(columns)}); mend the line"
            )
            continue
        name, word = fields[columns["image"]], fields[columns["emotion"]]
        label = canonical(word)
        if (fault := path_fault(name)) is not None:
            faults["bad-path"].append(f"{where}: {printable(name)}: {fault}")
        elif label not in AFFECTNET_ORDER:
            faults["unknown-class"].append(f"{where}: unknown emotion {printable(word)!r} ({nearest(word)})")
        else:
            person = identity(name)
            rows.append(Row(where, name, split_of(person), AFFECTNET_ORDER.index(label), group=person))
    for code, messages in faults.items():
        draft.notes.errors(code, messages)
    return rows


def _settle(rows: list[Row], blemishes: float, draft: Draft) -> tuple[list[Row], set[str]]:
    """(rows with one line per image, images left out because the release contradicts itself about them)."""
    labels: dict[str, set[int]] = defaultdict(set)
    lines: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        labels[row.name].add(row.label)
        lines[row.name].append(f"{row.where} says {AFFECTNET_ORDER[row.label]}")
    contradictory = {name for name, found in labels.items() if len(found) > 1}
    if len(contradictory) > blemishes * len(labels):
        contradictory = set()  # too many to be the release's own: `unique` makes errors of them
    for name in sorted(contradictory):
        draft.notes.warn("contradictory-rows", f"{printable(name)}: {', '.join(lines[name])}; left out")
    draft.excluded.update({"contradictory label": len(contradictory)})
    return unique([row for row in rows if row.name not in contradictory], draft.notes, AFFECTNET_ORDER), contradictory


LAYOUTS = (Layout("legend", "data/legend.csv (user.id,image,emotion) + images/", _matches, parse),)
