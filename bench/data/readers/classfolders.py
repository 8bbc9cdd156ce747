"""Which class does a folder of images stand for?  Trees `<split>/<class>/*.jpg`, with named or numbered classes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bench.data.listing import Sample
from bench.data.notes import first, printable
from bench.data.readers.classnames import EXCLUDED, canonical, nearest
from bench.data.readers.layout import Draft, Request
from bench.data.readers.tree import list_images, subfolders


def is_class_root(folder: Path) -> bool:
    """Whether at least two children of `folder` are named like expressions (one alone may be chance)."""
    return sum(canonical(path.name) is not None for path in subfolders(folder, limit=2000)) >= 2


def read_split(
    folder: Path, split: str, root: Path, request: Request, draft: Draft, meaning: Callable[[str], str | None] = canonical
) -> None:
    """Read every class folder in `folder` into `draft`.  `meaning` maps a folder name to a class, or None where it has none.

    A folder of images that means nothing is an error, not an omission: its images would be missing from every number.
    """
    for path in subfolders(folder):
        images = list_images(path, root)
        images.report(draft.notes)
        name = meaning(path.name)
        shown = printable(path.relative_to(root).as_posix())
        if name is None:
            if images.by_name:
                draft.notes.error(
                    "unknown-class", f"{shown}: unknown class folder with {len(images.by_name):,} images ({nearest(path.name)}); rename or remove it"
                )
        elif name in EXCLUDED.values() or name not in request.classes:
            draft.excluded[name] += len(images.by_name)
        else:
            label = request.classes.index(name)
            draft.splits[split] += [Sample(image, label) for image in images.by_name.values()]
    loose = [entry for entry in _loose_images(folder)]
    if loose:
        draft.notes.warn("loose-images", f"{printable(folder)}: {len(loose):,} images lie outside the class folders and are left out: {first(loose)}")


def _loose_images(folder: Path) -> list[str]:
    from bench.data.readers.tree import IMAGE_SUFFIXES, entries

    return [entry.name for entry in entries(folder) if entry.is_file() and Path(entry.name).suffix.lower() in IMAGE_SUFFIXES]
