"""What lies in a folder?  Any-case look-ups and image listings that ignore junk and never leave the root."""

from __future__ import annotations

import itertools
import os
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from bench.data.notes import Notes, first, printable
from bench.errors import UserError

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".ppm", ".pgm"}
)
ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".rar", ".7z")
_FEW = 5_000
"""Entries looked at where a name is searched for: a folder with more of them holds images."""
JUNK = frozenset({"thumbs.db", "desktop.ini", "__macosx", "lost+found"})


def is_junk(name: str) -> bool:
    """Whether an operating system left this entry: hidden files (.DS_Store, ._x.jpg), Thumbs.db, __MACOSX."""
    return name.startswith(".") or name.lower() in JUNK


def folded(name: str) -> str:
    """A name as file systems that ignore case and Unicode form would compare it."""
    return name.lower() if name.isascii() else unicodedata.normalize("NFC", name).casefold()


def entries(folder: Path, limit: int | None = None) -> list[os.DirEntry[str]]:
    """The entries of a folder without junk, by name; at most `limit` of them, so that a look into a huge folder is
    cheap."""
    try:
        with os.scandir(folder) as found:
            kept = (entry for entry in found if not is_junk(entry.name))
            return sorted(itertools.islice(kept, limit), key=lambda entry: entry.name)
    except PermissionError:
        raise UserError(
            f"{printable(folder)}: no permission to read this folder; change it (chmod u+rx) or its owner"
        ) from None


def subfolders(folder: Path, limit: int | None = None) -> list[Path]:
    return [Path(entry.path) for entry in entries(folder, limit) if entry.is_dir()]


def children(folder: Path, *names: str) -> list[Path]:
    """The entries of `folder` that have one of these names in any case.  An exact name hides other spellings of it."""
    if not folder.is_dir():
        return []
    exact = [folder / name for name in names if (folder / name).exists()]
    if exact and len({path.name.casefold() for path in exact}) == len(exact) and not _two_cases(folder, exact):
        return exact
    wanted = {name.casefold() for name in names}
    return [Path(entry.path) for entry in entries(folder, _FEW) if entry.name.casefold() in wanted]


def _two_cases(folder: Path, exact: list[Path]) -> bool:
    """Whether a sibling differs from one of `exact` by case only (`train/` beside `Train/`)."""
    wanted = {path.name.casefold() for path in exact}
    return sum(entry.name.casefold() in wanted for entry in entries(folder, _FEW)) > len(exact)


def child(folder: Path, *names: str) -> Path | None:
    """The entry of `folder` with one of these names in any case, or None.  Two of them are a mistake that nobody can
    guess."""
    found = children(folder, *names)
    if len(found) > 1:
        raise UserError(f"{printable(folder)} holds {first([path.name for path in found])}: keep one of them")
    return found[0] if found else None


def descend(folder: Path, *steps: str) -> Path | None:
    """The path below `folder` along `steps`, each in any case, or None where one is missing."""
    here: Path | None = folder
    for step in steps:
        here = child(here, step) if here is not None else None
    return here


def archives(folder: Path) -> list[str]:
    """The names of archives directly in `folder`: a dataset that was never unpacked."""
    if not folder.is_dir():
        return []
    return [entry.name for entry in entries(folder, _FEW) if entry.name.lower().endswith(ARCHIVE_SUFFIXES)]


@dataclass
class Images:
    """The image files below a folder: `by_name` maps the folded path below that folder to the path below the root."""

    by_name: dict[str, str] = field(default_factory=dict)
    empty: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def report(self, notes: Notes) -> None:
        """Say what in these folders cannot be an image or must not be followed."""
        for path in self.outside:
            notes.error(
                "link-out-of-root",
                f"{printable(path)}: a link that leads out of the dataset folder; copy its target in instead",
            )
        notes.errors(
            "empty-file", [f"{printable(path)}: zero bytes, not an image; fetch it again" for path in self.empty]
        )
        if self.others:
            notes.warn(
                "not-images",
                f"{len(self.others):,} files are not images by their names and are left out: {first(self.others)}",
            )

    def get(self, name: str) -> str | None:
        return self.by_name.get(folded(name))


def list_images(folder: Path, root: Path) -> Images:
    """Every image file below `folder`, subfolders included.  Links may be followed only to places inside `root`."""
    images = Images()
    inside = os.path.realpath(root)
    if not _is_within(os.path.realpath(folder), inside):
        images.outside.append(folder.relative_to(root).as_posix())
        return images
    pending = [folder]
    while pending:
        here = pending.pop()
        prefix = here.relative_to(folder).as_posix() + "/" if here != folder else ""
        below_root = here.relative_to(root).as_posix() + "/" if here != root else ""
        for entry in entries(here):
            if entry.is_symlink() and not _is_within(os.path.realpath(entry.path), inside):
                images.outside.append(below_root + entry.name)
            elif entry.is_dir():
                pending.append(Path(entry.path))
            elif "." + entry.name.rpartition(".")[2].lower() not in IMAGE_SUFFIXES:
                images.others.append(below_root + entry.name)
            else:
                images.by_name[folded(prefix + entry.name)] = below_root + entry.name
                if entry.stat().st_size == 0:
                    images.empty.append(below_root + entry.name)
    return images


def _is_within(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)
