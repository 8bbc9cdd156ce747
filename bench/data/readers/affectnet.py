"""How does AffectNet lie on disk?  The reduced release of 224-px crops, with one .npy file per annotation.

Codes: 0 Neutral, 1 Happy, 2 Sad, 3 Surprise, 4 Fear, 5 Disgust, 6 Anger, 7 Contempt; 8 None, 9 Uncertain, 10 No-Face
carry no expression and are excluded with a count; so is contempt where 7 classes are asked for (deviates: T11, what "7
classes" means).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.data.catalog import AFFECTNET_ORDER
from bench.data.notes import printable
from bench.data.readers.classfolders import parse_tree, split_folders
from bench.data.readers.layout import Draft, Layout, Request
from bench.data.readers.npy import NpyFault, read_code
from bench.data.readers.rows import Row, join
from bench.data.readers.tree import Images, children, descend, entries, folded, list_images

SPLITS = {"train": ("train_set",), "test": ("val_set", "valid_set", "validation_set")}
NO_EXPRESSION = {8: "none", 9: "uncertain", 10: "no-face"}


def reason_excluded(code: int, classes: tuple[str, ...]) -> str | None:
    """Why an annotated image is not part of the dataset, or None.  `code` must be 0..10."""
    if code in NO_EXPRESSION:
        return NO_EXPRESSION[code]
    return "contempt" if code >= len(classes) else None


def _is_reduced(folder: Path) -> bool:
    for names in SPLITS.values():
        for split in children(folder, *names):
            if children(split, "annotations") or children(split, "images"):
                return True
    return False


def parse_reduced(root: Path, request: Request) -> Draft:
    """`{train_set,val_set}/images/<id>.jpg` + `{train_set,val_set}/annotations/<id>_exp.npy`."""
    draft = Draft()
    for split, names in SPLITS.items():
        folder = next(iter(children(root, *names)), None)
        if folder is None:
            draft.notes.error(
                "no-split", f"{printable(root)}: no {' or '.join(names)} folder; the {split} split is missing"
            )
            continue
        labels = _annotations(folder, root, draft)
        pictures = descend(folder, "images")
        if pictures is None:
            draft.notes.error("no-images", f"{printable(folder / 'images')}: no such folder; unpack the images there")
            continue
        images = list_images(pictures, root)
        images.report(draft.notes)
        images.by_name = {name.rpartition(".")[0]: path for name, path in images.by_name.items()}
        rows = _kept(labels, images, split, request, draft)
        join(rows, images, draft.notes, draft.splits, f"annotated images of {folder.name}")
    return draft


def _annotations(folder: Path, root: Path, draft: Draft) -> dict[str, tuple[str, int]]:
    """Image id -> (annotation file, code 0..10) of one split."""
    labels = descend(folder, "annotations")
    if labels is None:
        draft.notes.error(
            "no-labels", f"{printable(folder / 'annotations')}: no such folder; unpack the annotations there"
        )
        return {}
    prefix = labels.relative_to(root).as_posix()
    found: dict[str, tuple[str, int]] = {}
    faults: list[str] = []
    for entry in entries(labels):
        if not entry.name.lower().endswith("_exp.npy"):
            continue
        where = f"{prefix}/{entry.name}"
        try:
            code = read_code(entry.path)
            if not 0 <= code <= 10:
                raise NpyFault(f"label {code} is out of range; AffectNet's codes are 0..10")
            found[entry.name[: -len("_exp.npy")]] = (where, code)
        except NpyFault as fault:
            faults.append(f"{printable(where)}: {fault}")
    draft.notes.errors("bad-annotation", faults)
    if not found and not faults:
        draft.notes.error("no-labels", f"{printable(labels)}: holds no <id>_exp.npy; unpack the annotations there")
    return found


def _kept(labels: dict[str, tuple[str, int]], images: Images, split: str, request: Request, draft: Draft) -> list[Row]:
    """Rows of the dataset's own classes.  An excluded image leaves `images`, so that it does not count as unlisted."""
    rows: list[Row] = []
    for name, (where, code) in labels.items():
        if (reason := reason_excluded(code, request.classes)) is None:
            rows.append(Row(where, name, split, code))
        else:
            draft.excluded[reason] += 1
            images.by_name.pop(folded(name), None)
    return rows


def _own_codes(numbers: frozenset[int]) -> Mapping[int, str] | None:
    """Folders 0..7 (and 8..10) are the release's own codes."""
    known = dict(enumerate(AFFECTNET_ORDER)) | NO_EXPRESSION
    return known if 0 in numbers and numbers <= known.keys() else None


def _is_class_folders(folder: Path) -> bool:
    return not _is_reduced(folder) and bool(split_folders(folder))


def parse_class_folders(root: Path, request: Request) -> Draft:
    """`{train,val}/{0..7}/*.jpg` or named classes: ImageFolder conversions."""
    draft = Draft()
    parse_tree(root, request, draft, _own_codes)
    return draft


REDUCED = Layout(
    "reduced",
    "{train_set,val_set}/images/<id>.jpg + {train_set,val_set}/annotations/<id>_exp.npy",
    _is_reduced,
    parse_reduced,
    size=(224, 224),
)
CLASS_FOLDERS = Layout(
    "class folders",
    "{train,val}/{0..7 or names}/*.jpg",
    _is_class_folders,
    parse_class_folders,
    specific=False,
    hints=("affect",),
)
