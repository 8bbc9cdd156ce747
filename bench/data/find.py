"""Where is a dataset?  Looks at shapes of folders, never at their contents, so that a plan stays cheap."""

from __future__ import annotations

import os
from pathlib import Path

from bench.data.catalog import TWIN_MARKER, TWINS, info
from bench.data.layouts import layouts
from bench.data.notes import first, printable
from bench.data.readers.layout import Layout
from bench.data.readers.tree import ARCHIVE_SUFFIXES, archives, entries, subfolders
from bench.errors import UserError

WRAPPERS = frozenset(
    {"basic", "raf", "raf-db", "rafdb", "raf_db", "raf-basic", "affectnet", "affectnet_manual"}
    | {"sfew", "sfew2.0", "sfew_2.0", "sfew_2", "dataset", "data"}
)
"""Folder names that releases and unpacking put around a dataset; they cost no level."""

PARTS = frozenset(
    {"emolabel", "image", "aligned", "images", "data", "dataset", "annotations", "train", "test", "val", "valid"}
    | {"validation", "train_set", "val_set", "valid_set", "train_aligned_faces"}
    | {"manually_annotated_images", "manually_annotated_file_lists"}
)
"""Folder names inside a dataset: given one of these, the dataset may be one level up."""

_ENOUGH = 2_000
"""A folder with more entries than this holds images, not datasets."""

Match = tuple[Path, Layout]


def looked_for(name: str) -> str:
    """One line that says which layouts of `name` are known."""
    return "; ".join(f"{layout.shape} ({layout.name})" for layout in layouts(name))


def locate(name: str, data: Path | None, root: Path | None) -> Path | None:
    """The folder of dataset `name`: around `root` where one is given, else at most two levels below `data`.

    None where `data` holds no such dataset.  Raises UserError for a `root` that is not the dataset, and where several
    fit.
    """
    if root is not None:
        folder = resolve(name, root)[0]
        if is_twin(folder) and name not in TWINS:
            raise UserError(
                f"{printable(folder)}: a rendered twin ({TWIN_MARKER}), which never counts as {name}; use "
                f"{info(name).twin} instead"
            )
        return folder
    if data is None or not data.is_dir():
        return None
    found = _search(name, data)
    if len(found) > 1:
        raise UserError(
            f"{printable(data)} holds {name} more than once: {_candidates(found)}; choose one with --root {name}=DIR"
        )
    return found[0][0] if found else None


def resolve(name: str, root: Path) -> Match:
    """The dataset folder at, one level below or one level above `root`, and its layout.  Raises UserError where none or
    several fit."""
    shown = printable(root)
    if not root.exists():
        raise UserError(f"{shown}: no such folder; looked there for {name}: {looked_for(name)}")
    if not root.is_dir():
        packed = root.name.lower().endswith(ARCHIVE_SUFFIXES)
        raise UserError(
            f"{shown}: {'still packed; unpack it and' if packed else 'a file, not a folder;'} give the folder of {name}"
        )
    here = _matches(name, root)
    if len(here) > 1:
        raise UserError(
            f"{shown}: two layouts of {name} at once ({', '.join(layout.name for _, layout in here)}); keep one of them"
        )
    found = here or _below(name, root)
    if not found and root.resolve().name.lower() in PARTS:
        found = _matches(name, root.resolve().parent)
    if len(found) > 1:
        raise UserError(f"{shown}: more than one folder looks like {name}: {_candidates(found)}; give one of them")
    if not found:
        raise UserError(f"{shown}: not {name}: {_seen(root)}; looked for {looked_for(name)}")
    return found[0]


def _seen(root: Path) -> str:
    if packed := archives(root):
        return f"found only archives ({first(packed)}), unpack them"
    names = [entry.name + ("/" if entry.is_dir() else "") for entry in entries(root, limit=_ENOUGH)]
    return f"found {first(names)}" if names else "the folder is empty"


def _candidates(found: list[Match]) -> str:
    return ", ".join(f"{printable(folder)} ({layout.name})" for folder, layout in found)


def _matches(name: str, folder: Path) -> list[Match]:
    return [(folder, layout) for layout in layouts(name) if layout.matches(folder)]


def _below(name: str, root: Path) -> list[Match]:
    """Matches one level down, wrapper folders not counted."""
    found: list[Match] = []
    for folder in subfolders(root, _ENOUGH):
        found += _matches(name, folder) or (_below(name, folder) if folder.name.lower() in WRAPPERS else [])
    if not found:
        for folder in subfolders(root, _ENOUGH):
            for inner in subfolders(folder, _ENOUGH):
                if inner.name.lower() in WRAPPERS:
                    found += _matches(name, inner)
    return found


def _search(name: str, data: Path) -> list[Match]:
    """Matches in `data` and two levels below it.  A layout that many datasets share counts only below a folder that
    names it."""
    found: list[Match] = []
    level = [data]
    for _ in range(3):
        rest: list[Path] = []
        for folder in level:
            trail = f"{data.resolve().name}/{folder.relative_to(data).as_posix()}".lower()
            here = [match for match in _quietly(name, folder) if _names(trail, match[1]) and not is_twin(folder)]
            found += here[:1]  # a second layout in one folder is `resolve`'s to complain about
            if not here:
                rest += _plain_subfolders(folder)
        level = rest
    return found


def _quietly(name: str, folder: Path) -> list[Match]:
    """Matches in a folder that the user did not point at: where it is ambiguous or closed, a search goes on."""
    try:
        return _matches(name, folder)
    except UserError:
        return []


def _names(trail: str, layout: Layout) -> bool:
    return layout.specific or any(hint in trail for hint in layout.hints)


def is_twin(folder: Path) -> bool:
    """Whether `python -m bench.data render` wrote this tree: it lies there like the licensed dataset, and is not it."""
    return (folder / TWIN_MARKER).is_file()


def _plain_subfolders(folder: Path) -> list[Path]:
    try:
        return [path for path in subfolders(folder, _ENOUGH) if os.access(path, os.R_OK | os.X_OK)]
    except UserError:
        return []
