"""How does AffectNet's full release lie on disk?  Photos in numbered folders, boxes and labels in two CSV files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from bench.data.catalog import AFFECTNET_ORDER
from bench.data.notes import printable
from bench.data.readers import text
from bench.data.readers.affectnet import NO_EXPRESSION, reason_excluded
from bench.data.readers.layout import Draft, Layout, Request
from bench.data.readers.rows import Row, integer, join, path_fault, unique
from bench.data.readers.tree import children, entries, folded, list_images, subfolders

TABLES = {"train": "training.csv", "test": "validation.csv"}
COLUMNS = (
    "subdirectory_filepath",
    "face_x",
    "face_y",
    "face_width",
    "face_height",
    "facial_landmarks",
    "expression",
    "valence",
    "arousal",
)
_LANDMARKS = 68
_WORDS = (*AFFECTNET_ORDER, *NO_EXPRESSION.values())
_DEPTH = 4


def _inner(root: Path) -> Iterator[Path]:
    """`root` and the folders below it that are not the numbered ones, nearest first; unpacking often doubles a
    level."""
    level = [root]
    for _ in range(_DEPTH):
        yield from level
        level = [path for folder in level for path in subfolders(folder, limit=2000) if not path.name.isdigit()]


def _is_full(folder: Path) -> bool:
    return bool(
        children(
            folder,
            "Manually_Annotated_file_lists",
            "Manually_Annotated_Images",
            "Manually_Annotated",
            "Manually_Annotated_compressed",
        )
        or children(folder, *TABLES.values())
    )


def parse_full(root: Path, request: Request) -> Draft:
    """`Manually_Annotated_Images/<n>/<hash>.<ext>` + `Manually_Annotated_file_lists/{training,validation}.csv`."""
    draft = Draft()
    folders = list(_inner(root))
    rows: list[Row] = []
    for split, name in TABLES.items():
        found = [path for folder in folders for path in children(folder, name)]
        if not found:
            tried = ", ".join(printable(folder / name) for folder in folders[:5])
            draft.notes.error("no-labels", f"no {name}; tried {tried}; unpack Manually_Annotated_file_lists there")
        elif len(found) > 1:
            draft.notes.error(
                "two-layouts",
                f"{len(found)} files are called {name}: {', '.join(map(printable, found))}; keep one of them",
            )
        else:
            rows += _rows(found[0], split, root, draft)
    rows = unique(rows, draft.notes, _WORDS)
    base = _image_folder(root, folders, draft)
    if base is None:
        return draft
    images = list_images(base, root)
    images.report(draft.notes)
    kept: list[Row] = []
    for row in rows:
        if (reason := reason_excluded(row.label, request.classes)) is None:
            kept.append(row)
        else:
            draft.excluded[reason] += 1
            images.by_name.pop(folded(row.name), None)
    join(kept, images, draft.notes, draft.splits)
    return draft


def _image_folder(root: Path, folders: list[Path], draft: Draft) -> Path | None:
    """The folder that holds the numbered folders, to which the paths in the tables are relative."""
    found = [
        folder
        for folder in folders
        if any(entry.name.isdigit() and entry.is_dir() for entry in entries(folder, limit=2000))
    ]
    manual = [folder for folder in found if "auto" not in folder.relative_to(root).as_posix().lower()]
    if len(manual) == 1:
        return manual[0]
    shown = ", ".join(map(printable, manual))
    draft.notes.error(
        "no-images" if not manual else "two-layouts",
        f"{printable(root)}: no folder of numbered image folders (Manually_Annotated_Images/1, 2, ...); unpack the "
        "images there"
        if not manual
        else f"{printable(root)}: several folders of numbered image folders ({shown}); keep one of them",
    )
    return None


def _rows(path: Path, split: str, root: Path, draft: Draft) -> list[Row]:
    content = text.read_text(path, draft.notes)
    if content is None:
        return []
    shown = printable(path.relative_to(root).as_posix())
    columns: dict[str, int] = {}
    rows: list[Row] = []
    faults: dict[str, list[str]] = {"columns": [], "bad-path": [], "label-not-integer": [], "label-out-of-range": []}
    oddities: Counter[str] = Counter()
    first_at: dict[str, str] = {}
    for number, fields in text.csv_rows(content):
        where = f"{shown}:{number}"
        if not columns:
            columns, is_header = _columns(fields)
            if "expression" not in columns or COLUMNS[0] not in columns:
                draft.notes.error(
                    "columns",
                    f"{where}: no column {COLUMNS[0]} or expression (found {', '.join(columns)}); use the release's "
                    "table",
                )
                return []
            if is_header:
                continue
            draft.notes.warn("no-header", f"{where}: no header line; read as {','.join(COLUMNS)}")
        if len(fields) != len(columns):
            faults["columns"].append(f"{where}: {len(fields)} columns, expected {len(columns)}; mend the line")
            continue
        name, word = fields[columns[COLUMNS[0]]], fields[columns["expression"]]
        code = integer(word)
        if (fault := path_fault(name)) is not None:
            faults["bad-path"].append(f"{where}: {printable(name)}: {fault}")
        elif code is None:
            faults["label-not-integer"].append(
                f"{where}: expression {printable(word)!r} is not a whole number; AffectNet's codes are 0..10"
            )
        elif not 0 <= code <= 10:
            faults["label-out-of-range"].append(
                f"{where}: expression {code} is out of range; AffectNet's codes are 0..10"
            )
        else:
            box, odd = _box([fields[columns[key]] for key in COLUMNS[1:5] if key in columns])
            landmarks = fields[columns[COLUMNS[5]]] if COLUMNS[5] in columns else ""
            for oddity in filter(None, (odd, _landmark_oddity(landmarks))):
                oddities[oddity] += 1
                first_at.setdefault(oddity, where)
            rows.append(Row(where, name, split, code, box))
    for slug, messages in faults.items():
        draft.notes.errors(slug, messages)
    for oddity, count in oddities.items():
        draft.notes.warn(
            "face-box" if "box" in oddity else "landmarks", f"{count:,} rows with {oddity}; first at {first_at[oddity]}"
        )
    return rows


def _columns(fields: list[str]) -> tuple[dict[str, int], bool]:
    """(column name -> position, whether `fields` is a header).  Some copies of validation.csv have no header."""
    names = [field.lower() for field in fields]
    if "expression" in names or COLUMNS[0] in names:
        return {name: number for number, name in enumerate(names)}, True
    return {name: number for number, name in enumerate(COLUMNS)}, False


def _box(fields: list[str]) -> tuple[tuple[int, int, int, int] | None, str]:
    """(left, top, width, height) in pixels, or None for the whole image, and what is odd about it."""
    numbers = [integer(field) for field in fields]
    left, top, width, height = (*numbers, None, None, None, None)[:4]
    if left is None or top is None or width is None or height is None:
        return None, "no face box (NULL): whole image used"
    if width <= 0 or height <= 0:
        return None, "a face box without area: whole image used"
    return (left, top, width, height), "a negative corner of the face box: clipped to the image" if min(
        left, top
    ) < 0 else ""


def _landmark_oddity(field: str) -> str:
    count = len([part for part in field.split(";") if part.strip()])
    return "" if count in (0, 2 * _LANDMARKS) else f"{count / 2:g} landmarks instead of {_LANDMARKS} (not used here)"


FULL = Layout(
    "full",
    "Manually_Annotated_Images/<n>/<hash>.<ext> + Manually_Annotated_file_lists/{training,validation}.csv",
    _is_full,
    parse_full,
)
