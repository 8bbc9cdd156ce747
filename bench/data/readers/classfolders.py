"""Which class does a folder of images stand for?  Trees `<split>/<class>/*.jpg`, with named or numbered classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.data.catalog import info
from bench.data.listing import Sample
from bench.data.notes import first, printable
from bench.data.readers.classnames import EXCLUDED, canonical, nearest, order, orders
from bench.data.readers.layout import Draft, Request
from bench.data.readers.tree import IMAGE_SUFFIXES, Images, children, entries, list_images, subfolders

TRAIN = ("train", "train_set", "training")
TEST = ("test", "test_set", "val", "val_set", "valid", "valid_set", "validation")

Codes = Callable[[frozenset[int]], Mapping[int, str] | None]
"""A dataset's own numbers: given the folder numbers found, their classes, or None where the numbers could mean
something else."""


@dataclass(frozen=True)
class _ClassFolder:
    split: str
    path: Path
    images: Images

    @property
    def number(self) -> int | None:
        name = self.path.name
        return int(name) if name.isascii() and name.isdigit() else None


def is_class_root(folder: Path) -> bool:
    """Whether at least two children of `folder` are named like expressions or numbered like classes (one alone may be
    chance)."""
    names = [path.name for path in subfolders(folder, limit=2000)]
    numbered = [name for name in names if name.isdigit() and int(name) <= 10]
    return sum(canonical(name) is not None for name in names) >= 2 or (len(numbered) >= 2 and len(names) <= 16)


def split_folders(root: Path) -> dict[str, list[Path]]:
    """The folders in `root` that are named like a split and hold class folders, by split."""
    found: dict[str, list[Path]] = {}
    for split, names in (("train", TRAIN), ("test", TEST)):
        for folder in children(root, *names):
            if folder.is_dir() and is_class_root(folder):
                found.setdefault(split, []).append(folder)
    return found


def parse_tree(root: Path, request: Request, draft: Draft, codes: Codes) -> None:
    """Read `<split>/<class>/*` below `root` into `draft`: one folder per split, else an error."""
    splits: dict[str, Path] = {}
    found = split_folders(root)
    for split in ("train", "test"):
        folders = found.get(split, [])
        if len(folders) == 1:
            splits[split] = folders[0]
        elif folders:
            shown = first([path.name for path in folders])
            draft.notes.error(
                "two-layouts", f"{printable(root)}: {shown} all look like the {split} split; keep one of them"
            )
        else:
            draft.notes.error("no-split", f"{printable(root)}: no folder of classes for the {split} split")
    read_tree(splits, root, request, draft, codes)


def read_tree(splits: Mapping[str, Path], root: Path, request: Request, draft: Draft, codes: Codes) -> None:
    """Read the class folders of both splits into `draft`.

    A folder of images that means nothing is an error, not an omission: its images would be missing from every number.
    """
    folders = [
        _ClassFolder(split, path, list_images(path, root))
        for split, above in splits.items()
        for path in subfolders(above)
    ]
    for folder in folders:
        folder.images.report(draft.notes)
    meaning = _numbers(folders, request, draft, codes)
    for folder in folders:
        name = canonical(folder.path.name) if folder.number is None else meaning.get(folder.number)
        count = len(folder.images.by_name)
        if name is None:
            if count and (folder.number is None or meaning):
                shown = printable(folder.path.relative_to(root).as_posix())
                hint = (
                    nearest(folder.path.name)
                    if folder.number is None
                    else f"known: {', '.join(map(str, sorted(meaning)))}"
                )
                draft.notes.error(
                    "unknown-class",
                    f"{shown}: unknown class folder with {count:,} images ({hint}); rename or remove it",
                )
        elif name in request.classes:
            label = request.classes.index(name)
            draft.splits[folder.split] += [Sample(path, label) for path in folder.images.by_name.values()]
        elif name in EXCLUDED.values() or name == "contempt":
            draft.excluded[name] += count
        else:
            draft.notes.error("unknown-class", f"{printable(folder.path)}: {name} is not a class of {request.dataset}")
    for above in splits.values():
        _report_loose(above, draft)


def _numbers(folders: list[_ClassFolder], request: Request, draft: Draft, codes: Codes) -> Mapping[int, str]:
    """What the folder numbers mean; empty, with an error, where nobody can know."""
    numbers = frozenset(folder.number for folder in folders if folder.number is not None and folder.images.by_name)
    if not numbers:
        return {}
    if request.class_order is not None:
        base = 0 if 0 in numbers else 1
        return dict(enumerate(order(request.class_order, request.classes), start=base))
    if (own := codes(numbers)) is not None:
        return own
    found = f"{min(numbers)}..{max(numbers)}"
    draft.notes.error(
        "class-order",
        f"{printable(folders[0].path.parent)}: folders {found} can mean several class orders; say which with"
        f" --class-order {'|'.join(orders(request.classes))}; {_fit(folders, request)}",
    )
    return {}


def _fit(folders: list[_ClassFolder], request: Request) -> str:
    """Which order fits the training counts, for a message: the least difference between shares of classes."""
    counts = Counter(
        {
            folder.number: len(folder.images.by_name)
            for folder in folders
            if folder.split == "train" and folder.number is not None
        }
    )
    official = dict(zip(info(request.dataset).classes, info(request.dataset).train, strict=False))
    total = counts.total()
    if not official or not total:
        return "there are no official counts to compare with"
    base = 0 if 0 in counts else 1
    distances = {}
    for name, classes in orders(request.classes).items():
        wanted = {number: official.get(word, 0) for number, word in enumerate(classes, start=base)}
        if dict(counts) == wanted:
            return f"the counts are the official ones under '{name}'"
        whole = sum(wanted.values())
        distances[name] = (
            sum(abs(counts[number] / total - wanted.get(number, 0) / whole) for number in {*counts, *wanted}) / 2
        )
    best = min(distances, key=lambda name: distances[name])
    shown = ", ".join(
        f"{name} {distance:.0%}" for name, distance in sorted(distances.items(), key=lambda item: item[1])
    )
    return f"'{best}' fits the counts best (share of images in another class than officially: {shown})"


def _report_loose(folder: Path, draft: Draft) -> None:
    loose = [
        entry.name for entry in entries(folder) if entry.is_file() and Path(entry.name).suffix.lower() in IMAGE_SUFFIXES
    ]
    if loose:
        draft.notes.warn(
            "loose-images",
            f"{printable(folder)}: {len(loose):,} images lie outside class folders and are left out: {first(loose)}",
        )
