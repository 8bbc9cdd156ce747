"""How does RAF-DB (basic) lie on disk?  The authors' release and the repackagings in circulation.

Labels are 1 Surprise, 2 Fear, 3 Disgust, 4 Happiness, 5 Sadness, 6 Anger, 7 Neutral (the release's readme); kept as
code - 1.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path

from bench.data.catalog import RAF_ORDER
from bench.data.notes import Notes, first, printable
from bench.data.readers import text
from bench.data.readers.classfolders import parse_tree, split_folders
from bench.data.readers.layout import Draft, Layout, Request
from bench.data.readers.rows import Row, integer, join, path_fault, report_extra, unique
from bench.data.readers.tree import Images, archives, children, descend, list_images

_LABELS = (
    ("EmoLabel", "list_patition_label.txt"),  # the release's own spelling
    ("EmoLabel", "list_partition_label.txt"),
    ("list_patition_label.txt",),
    ("list_partition_label.txt",),
)


def _is_official(folder: Path) -> bool:
    if children(folder, "EmoLabel") or descend(folder, "Image", "aligned") is not None:
        return True
    return bool(children(folder, "list_patition_label.txt", "list_partition_label.txt") and children(folder, "Image"))


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
            faults["label-not-integer"].append(
                f"{where}: label {printable(words[1])!r} is not a whole number; official labels are 1..7"
            )
        elif split is None:
            faults["unknown-split"].append(
                f"{where}: {printable(name)} begins with neither train_ nor test_; the split is in the name"
            )
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
        notes.error(
            "zero-based-labels",
            f"{shown}: labels span 0..{max(values)}; official are 1..7; use the official file (or add 1 to each label)",
        )
        return []
    bad = [
        f"{where}: label {code} is out of range; official labels are 1..7"
        for where, code in codes
        if not 1 <= code <= 7
    ]
    notes.errors("label-out-of-range", bad)
    return [row for row in rows if 0 <= row.label <= 6]


def _aligned_images(root: Path, notes: Notes) -> Images | None:
    """The aligned photos by their bare stem (`train_00001`), whatever their extension or `_aligned` suffix."""
    folder = descend(root, "Image", "aligned")
    if folder is None or not folder.is_dir():
        parent = descend(root, "Image") or root
        packed = archives(parent)
        hint = (
            f"still packed there: {first(packed)}; unpack it"
            if packed
            else "the aligned photos are needed, Image/original is not used"
        )
        notes.error("no-images", f"{printable(parent / 'aligned')}: no such folder; {hint}")
        return None
    images = list_images(folder, root)
    images.by_name = {_stem(name): path for name, path in images.by_name.items()}
    return images


def _stem(name: str) -> str:
    return os.path.splitext(name)[0].lower().removesuffix("_aligned")


def _one_based(numbers: frozenset[int]) -> Mapping[int, str] | None:
    """Folders 1..7 are the release's own codes; 0..6 may be code - 1 or another dataset's order."""
    return dict(enumerate(RAF_ORDER, start=1)) if 0 not in numbers and 7 in numbers else None


def _kaggle_home(folder: Path) -> Path:
    return descend(folder, "DATASET") or folder


def _label_tables(folder: Path) -> dict[str, Path]:
    """The `<split>_labels.csv` beside `DATASET` or in it."""
    places = dict.fromkeys((folder, _kaggle_home(folder)))
    return {
        split: table
        for split in ("train", "test")
        for place in places
        for table in children(place, f"{split}_labels.csv")
    }


def _is_kaggle(folder: Path) -> bool:
    return bool(_label_tables(folder)) or (
        descend(folder, "DATASET") is not None and bool(split_folders(_kaggle_home(folder)))
    )


def _is_class_folders(folder: Path) -> bool:
    return not _label_tables(folder) and descend(folder, "DATASET") is None and bool(split_folders(folder))


def parse_class_folders(root: Path, request: Request) -> Draft:
    """`{train,test|val|valid}/<class>/*.jpg`; numbers 0..6 need `--class-order`."""
    draft = Draft()
    parse_tree(root, request, draft, _one_based)
    return draft


def parse_kaggle(root: Path, request: Request) -> Draft:
    """`DATASET/{train,test}/{1..7}/` with `train_labels.csv`, `test_labels.csv` (image,label), which must agree with
    the folders."""
    draft = parse_class_folders(_kaggle_home(root), request)
    prefix = _kaggle_home(root).relative_to(root).as_posix()
    if prefix != ".":
        for split, samples in draft.splits.items():
            draft.splits[split] = [dataclasses.replace(sample, path=f"{prefix}/{sample.path}") for sample in samples]
    tables = _label_tables(root)
    for split in ("train", "test"):
        if split in tables:
            _check_table(tables[split], split, root, request, draft)
        else:
            draft.notes.warn(
                "no-labels",
                f"{printable(root / f'{split}_labels.csv')}: no such file; the {split} labels are the folders' alone",
            )
    return draft


def _check_table(path: Path, split: str, root: Path, request: Request, draft: Draft) -> None:
    """Compare a label table with the folders; a disagreement is an error, for nobody knows which is right."""
    content = text.read_text(path, draft.notes)
    if content is None:
        return
    shown = printable(path.relative_to(root).as_posix())
    rows: list[Row] = []
    codes: list[tuple[str, int]] = []
    faults: dict[str, list[str]] = {"columns": [], "label-not-integer": [], "bad-path": []}
    for position, (number, fields) in enumerate(text.csv_rows(content)):
        where = f"{shown}:{number}"
        if position == 0 and len(fields) == 2 and integer(fields[1]) is None and "." not in fields[0]:
            continue  # the header line
        if len(fields) != 2:
            faults["columns"].append(f"{where}: {len(fields)} columns, expected 2 (image,label); mend the line")
        elif (fault := path_fault(fields[0])) is not None:
            faults["bad-path"].append(f"{where}: {printable(fields[0])}: {fault}")
        elif (code := integer(fields[1])) is None:
            faults["label-not-integer"].append(
                f"{where}: label {printable(fields[1])!r} is not a whole number; official labels are 1..7"
            )
        else:
            codes.append((where, code))
            rows.append(Row(where, _stem(fields[0].rpartition("/")[2]), split, code - 1))
    for code_name, messages in faults.items():
        draft.notes.errors(code_name, messages)
    rows = unique(_in_range(rows, codes, shown, draft.notes), draft.notes, request.classes)
    in_folders = {_stem(sample.path.rpartition("/")[2]): sample for sample in draft.splits[split]}
    disagree = [
        f"{row.where}: {row.name} is {request.classes[row.label]} here but lies in {printable(sample.path)}; mend one "
        "of them"
        for row in rows
        if (sample := in_folders.get(row.name)) is not None and sample.label != row.label
    ]
    draft.notes.errors("contradictory-rows", disagree)
    if missing := [f"{row.name} ({row.where})" for row in rows if row.name not in in_folders]:
        draft.notes.error(
            "missing-images",
            f"{len(missing):,} of {len(rows):,} listed images are missing: {first(missing)}; fetch them again",
        )
    listed = {row.name for row in rows}
    if rows and (extra := [sample.path for name, sample in in_folders.items() if name not in listed]):
        report_extra(extra, draft.notes)
        draft.splits[split] = [sample for name, sample in in_folders.items() if name in listed]


LAYOUTS = (
    Layout(
        "official",
        "EmoLabel/list_patition_label.txt + Image/aligned/train_00001_aligned.jpg",
        _is_official,
        parse_official,
        size=(100, 100),
    ),
    Layout(
        "kaggle",
        "DATASET/{train,test}/{1..7}/*.jpg + train_labels.csv + test_labels.csv",
        _is_kaggle,
        parse_kaggle,
        size=(100, 100),
    ),
    Layout(
        "class folders",
        "{train,test|val|valid}/<class>/*.jpg",
        _is_class_folders,
        parse_class_folders,
        specific=False,
        hints=("raf",),
        size=(100, 100),
    ),
)
