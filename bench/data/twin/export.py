"""How does a twin become plain image folders?  In the licensed dataset's own layout and size, with a contact sheet;
resumable."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.atomic import write_bytes, write_text
from bench.data.catalog import TWIN_MARKER
from bench.data.parallel import over_chunks
from bench.data.twin.layout import Place, annotation_files, label_file, places
from bench.data.twin.population import TwinSpec, digest, roster
from bench.data.twin.render import Rendered, render_image
from bench.data.twin.sheet import contact_sheet, first_of_each
from bench.data.twin.stream import derive_seed
from bench.errors import UserError

"""A file in the root of every exported twin, by which it is told from the licensed dataset."""
SHEET = "contact_sheet.png"
_JPEG_QUALITY = 95


def export(spec: TwinSpec, out: Path, workers: int | None = None, progress: bool = True) -> Path:
    """Write the twin to the folder `out`, and return the path of its contact sheet.

    The folder appears when all is there; until then the files lie in `.<out>.<digest>.part` beside it, where a second
    call goes on. Raises UserError where `out` exists and is not empty, or cannot be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out}: exists already; give the name of a new folder")
    part = out.with_name(f".{out.name}.{digest(spec, max(spec.source_size))[:8]}.part")
    try:
        part.mkdir(parents=True, exist_ok=True)
        write_text(part / TWIN_MARKER, _description(spec))
        listing = label_file(spec)
        if listing is not None:
            write_text(part / listing[0], listing[1])
        for _ in over_chunks(
            partial(_export_chunk, spec, part), places(spec), f"exporting {spec.name}", workers, progress
        ):
            pass
        _write_sheet(spec, part)
        part.replace(out)
    except OSError as problem:
        raise UserError(
            f"{out}: cannot be written ({problem.strerror or problem}); what is done is kept in {part.name}"
        ) from None
    return out / SHEET


def _description(spec: TwinSpec) -> str:
    return (
        f"{spec.name}: {len(spec):,} rendered faces ({spec.train_size:,} train, {spec.test_size:,} test), "
        f"preset {spec.preset}, seed {spec.seed}.\n"
        "They lie here like the licensed dataset that they stand in for, and are not it: no real person is shown.\n"
    )


def _export_chunk(spec: TwinSpec, part: Path, start: int, chunk: Sequence[Place]) -> None:
    """Render and write some images (in a worker process).  The picture is written last: where it is, its annotations
    are."""
    for place in chunk:
        path = part / place.path
        if path.exists():
            continue
        rendered = _render(spec, place)
        for suffix, values in annotation_files(spec, place, rendered.expression.strength, rendered.landmarks):
            buffer = io.BytesIO()
            np.save(buffer, values, allow_pickle=False)
            write_bytes(part / f"{place.annotation}{suffix}", buffer.getvalue())
        write_bytes(path, _encoded(_cropped(rendered.image, spec.source_size), path.suffix))


def _render(spec: TwinSpec, place: Place) -> Rendered:
    """The image as a square of the longer side of the licensed images."""
    shown = spec.classes[place.label]
    return render_image(
        derive_seed(spec.name, spec.seed), place.index, shown, place.identity, spec.preset, max(spec.source_size)
    )


def _cropped(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """The middle (H, W) of a square image: SFEW's faces are 143 wide and 181 high."""
    top, left = (image.shape[0] - size[0]) // 2, (image.shape[1] - size[1]) // 2
    return image[top : top + size[0], left : left + size[1]]


def _encoded(image: NDArray[np.uint8], suffix: str) -> bytes:
    buffer = io.BytesIO()
    options = {"quality": _JPEG_QUALITY} if suffix == ".jpg" else {}
    Image.fromarray(image).save(buffer, "JPEG" if suffix == ".jpg" else "PNG", **options)
    return buffer.getvalue()


def _write_sheet(spec: TwinSpec, part: Path) -> None:
    paths = [part / place.path for place in places(spec)]
    rows = [
        [np.asarray(Image.open(paths[index])) for index in row]
        for row in first_of_each(roster(spec).labels, len(spec.classes))
    ]
    title = f"{spec.name}: rendered faces, preset {spec.preset}, seed {spec.seed}"
    buffer = io.BytesIO()
    contact_sheet(rows, spec.classes, title).save(buffer, "PNG")
    write_bytes(part / SHEET, buffer.getvalue())
