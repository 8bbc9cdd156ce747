"""How does RAF-DB (basic) lie on disk?  The authors' release and the repackagings in circulation.

Labels are 1 Surprise, 2 Fear, 3 Disgust, 4 Happiness, 5 Sadness, 6 Anger, 7 Neutral (the release's readme); kept as code - 1.
"""

from __future__ import annotations

import os
from pathlib import Path

from bench.data.notes import Notes, first, printable
from bench.data.readers import text
from bench.data.readers.layout import Draft, Layout, Request
from bench.data.readers.rows import Row, integer, join, path_fault, unique
from bench.data.readers.tree import Images, archives, children, descend, list_images

_LABELS = (
    ("EmoLabel", "list_patition_label.txt"),  # the release's own spelling
    ("EmoLabel", "list_partition_label.txt"),
    ("list_patition_label.txt",),
    ("list_partition_label.txt",),
)


def _is_official(folder: Path) -> bool:
    return bool(children(folder, "EmoLabel", "list_patition_label.txt")) or descend(folder, "Image", "aligned") is not None


def parse_official(root: Path, request: Request) -> Draft:
    """`EmoLabel/list_patition_label.txt` (`train_00001.jpg 5`) + `Image/aligned/train_00001_aligned.jpg`."""
    draft = Draft()
    rows = _official_rows(root, draft.notes, request.classes)
    images = _aligned_images(root, draft.notes)
    if images is not None:
        images.report(draft.notes)
        join(rows, images, draft.notes, draft.splits)
    return draft


def _official_rows(root: Path, notes: Notes, classes: tuple[str, ...]) -> list[Row]:
    path = next((found for steps in _LABELS if (found := descend(root, *steps)) is not None), None)
    if path is None:
        tried = ", ".join(str(root.joinpath(*steps)) for steps in _LABELS)
        notes.error("no-labels", f"no label file; tried {tried}; unpack RAF-DB's EmoLabel folder there")
        return []
    content = text.read_text(path, notes)
    if content is None:
        return []
    shown = printable(path.relative_to(root).as_posix())
    rows: list[Row] = []
    codes: list[tuple[str, int]] = []
    faults: dict[str, list[str]] = {"columns": [], "label-not-integer": [], "bad-path": [], "unknown-split": []}
    for number, words in text.lines(content):
        where = f"{shown}:{number}"
        if len(words) != 2:
            faults["columns"].append(f"{where}: {len(words)} columns, expected 2 (image label); mend the line")
            continue
        name, code = words[0], integer(words[1])
        split = {"train": "train", "test": "test"}.get(name.partition("_")[0].lower())
        if (fault := path_fault(name)) is not None:
            faults["bad-path"].append(f"{where}: {printable(name)}: {fault}")
        elif code is None:
            faults["label-not-integer"].append(f"{where}: label {printable(words[1])!r} is not a whole number; official labels are 1..7")
        elif split is None:
            faults["unknown-split"].append(f"{where}: {printable(name)} begins with neither train_ nor test_; the split is in the name")
        else:
            codes.append((where, code))
            rows.append(Row(where, _stem(name), split, code - 1))
    for code_name, messages in faults.items():
        notes.errors(code_name, messages)
    return unique(_in_range(rows, codes, shown, notes), notes, classes)


def _in_range(rows: list[Row], codes: list[tuple[str, int]], shown: str, notes: Notes) -> list[Row]:
    """The rows whose label is 1..7.  A file that counts from zero is one mistake, not thousands."""
    values = {code for _, code in codes}
    if values and min(values) == 0 and max(values) <= 6:
        notes.error("zero-based-labels", f"{shown}: labels span 0..{max(values)}; official are 1..7; use the official file (or add 1 to each label)")
        return []
    bad = [f"{where}: label {code} is out of range; official labels are 1..7" for where, code in codes if not 1 <= code <= 7]
    notes.errors("label-out-of-range", bad)
    return [row for row in rows if 0 <= row.label <= 6]


def _aligned_images(root: Path, notes: Notes) -> Images | None:
    """The aligned photos by their bare stem (`train_00001`), whatever their extension or `_aligned` suffix."""
    folder = descend(root, "Image", "aligned")
    if folder is None or not folder.is_dir():
        parent = descend(root, "Image") or root
        packed = archives(parent)
        hint = f"still packed there: {first(packed)}; unpack it" if packed else "the aligned photos are needed, Image/original is not used"
        notes.error("no-images", f"{printable(parent / 'aligned')}: no such folder; {hint}")
        return None
    images = list_images(folder, root)
    images.by_name = {_stem(name): path for name, path in images.by_name.items()}
    return images


def _stem(name: str) -> str:
    return os.path.splitext(name)[0].lower().removesuffix("_aligned")


LAYOUTS = (
    Layout("official", "EmoLabel/list_patition_label.txt + Image/aligned/train_00001_aligned.jpg", _is_official, parse_official),
)
