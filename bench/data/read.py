"""What is in a dataset's folder?  Finds the layout, lets its parser read it, and adds what holds for every layout."""

from __future__ import annotations

from pathlib import Path

from bench.data.catalog import TWINS, info
from bench.data.counts import compare
from bench.data.find import is_twin, resolve
from bench.data.layouts import real_name
from bench.data.listing import Listing, Sample
from bench.data.readers.layout import Request


def read(name: str, root: Path, class_order: str | None = None) -> Listing:
    """The listing of dataset `name` in (or one level around) `root`; no pixel is decoded.

    `class_order` says what bare folder numbers mean (`raf`, `affectnet`, `alphabetical`, or class names parted by
    commas). Broken content becomes findings; UserError is raised only where there is nothing to list.
    """
    dataset = real_name(name)
    folder, layout = resolve(dataset, root)
    request = Request(dataset, info(dataset).classes, class_order)
    draft = layout.parse(folder, request)
    train, test = (tuple(sorted(draft.splits[split], key=_by_file_name)) for split in ("train", "test"))
    if is_twin(folder) and name not in TWINS:
        draft.notes.warn(
            "rendered-twin", f"{folder}: a rendered twin, not {name}; no result on it may be called {name}"
        )
    compare(name, train, test, draft.notes)
    return Listing(
        dataset=name,
        layout=layout.name,
        root=folder,
        classes=request.classes,
        train=train,
        test=test,
        excluded={reason: count for reason, count in sorted(draft.excluded.items()) if count},
        findings=tuple(draft.notes.findings),
    )


def _by_file_name(sample: Sample) -> tuple[str, str]:
    """Repackagings keep file names and change folders, so the file name comes first."""
    return sample.path.rpartition("/")[2], sample.path
