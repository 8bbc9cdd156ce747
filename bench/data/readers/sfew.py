"""How does SFEW 2.0 lie on disk?  Class folders below Train and Val; Test is unlabelled, so Val is scored.

File names are `Movie_000519240_00000005.png`: the film is the group that an honest validation split must not part.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from bench.data.listing import Sample
from bench.data.notes import printable
from bench.data.readers import classfolders
from bench.data.readers.classnames import canonical
from bench.data.readers.layout import Draft, Layout, Request
from bench.data.readers.tree import child, children, subfolders

SPLITS = {"train": ("Train",), "test": ("Val", "Valid", "Validation")}
_STILL = re.compile(r"^(?P<film>.+)_\d+_\d+$")


def _class_roots(split: Path) -> list[Path]:
    """The folders below `Train` or `Val` whose children are classes, at most three levels down.

    An aligned release wins over raw frames beside it; two aligned ones (`..._new` beside the first) are for the user to
    sort out, which `parse` says.
    """
    level, found = [split], []
    for _ in range(4):
        found += [folder for folder in level if classfolders.is_class_root(folder)]
        level = [below for folder in level for below in subfolders(folder, limit=2000) if canonical(below.name) is None]
    aligned = [folder for folder in found if "aligned" in folder.relative_to(split).as_posix().lower()]
    return aligned or found


def _is_official(folder: Path) -> bool:
    return any("aligned" in root.relative_to(folder).as_posix().lower() for root in _roots(folder))


def _is_plain(folder: Path) -> bool:
    return not _is_official(folder) and (
        bool(_roots(folder)) or bool(children(folder, "Test") and children(folder, "Train"))
    )


def _roots(folder: Path) -> list[Path]:
    splits = [split for names in SPLITS.values() for split in children(folder, *names) if split.is_dir()]
    return [root for split in splits for root in _class_roots(split)]


def parse(root: Path, request: Request) -> Draft:
    """`{Train,Val}/.../<Class>/*.png`, however many wrapper folders the unpacking left in between."""
    draft = Draft()
    found: dict[str, Path] = {}
    for split, names in SPLITS.items():
        folder = child(root, *names)
        if folder is None:
            draft.notes.error("no-split", _missing_split(root, split, names))
            continue
        roots = _class_roots(folder)
        if not roots:
            draft.notes.error(
                "no-images", f"{printable(folder)}: no class folders (Angry, Disgust, ...) up to three levels down"
            )
        elif len(roots) > 1:
            shown = ", ".join(printable(path.relative_to(root).as_posix()) for path in roots)
            draft.notes.error(
                "two-layouts", f"{printable(folder)}: two trees of class folders ({shown}); keep one of them"
            )
        else:
            found[split] = roots[0]
    classfolders.read_tree(found, root, request, draft, codes=lambda numbers: None)
    for split, samples in draft.splits.items():
        draft.splits[split] = [_with_film(sample) for sample in samples]
    if child(root, "Test") is not None and child(root, *SPLITS["test"]) is not None:
        draft.notes.warn(
            "test-unlabelled",
            f"{printable(root / 'Test')}: SFEW's Test has no public labels and is left out; Val is scored",
        )
    return draft


def _missing_split(root: Path, split: str, names: tuple[str, ...]) -> str:
    if split == "test" and child(root, "Test") is not None:
        return (
            f"{printable(root / 'Test')}: SFEW's Test has no public labels and cannot be scored; unpack Val beside it"
        )
    return f"{printable(root)}: no {names[0]} folder; the {split} split is missing"


def _with_film(sample: Sample) -> Sample:
    stem = os.path.splitext(os.path.basename(sample.path))[0]
    match = _STILL.match(stem)
    return Sample(sample.path, sample.label, match["film"].casefold() if match else "", sample.box)


LAYOUTS = (
    Layout(
        "official aligned",
        "Train/Train_Aligned_Faces/<Class>/*.png + Val/Val_Aligned_Faces[_new]/<Class>/*.png",
        _is_official,
        parse,
        size=(143, 181),
    ),
    Layout("class folders", "{Train,Val}/<Class>/*.png", _is_plain, parse, specific=False, hints=("sfew",)),
)
