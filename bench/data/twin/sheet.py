"""What do the faces of a twin look like?  A contact sheet: one row per class, one column per image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

COLUMNS = 10
_MARGIN = 84  # pixels on the left for the names of the classes
_HEADER = 16
_CELL = 112  # pixels: larger images are shrunk


def first_of_each(labels: NDArray[np.int64], classes: int, columns: int = COLUMNS) -> list[list[int]]:
    """The first `columns` images of each class, as rows of indices; shorter where a class has fewer."""
    return [np.flatnonzero(labels == label)[:columns].tolist() for label in range(classes)]


def contact_sheet(rows: Sequence[Sequence[NDArray[np.uint8]]], names: Sequence[str], title: str) -> Image.Image:
    """Images (H, W, 3) in rows under a title, each row with its name.  The title must say that the faces are
    rendered."""
    full = next(image.shape[:2] for row in rows for image in row)
    shrink = min(1.0, _CELL / max(full))
    height, width = round(full[0] * shrink), round(full[1] * shrink)
    columns = max(len(row) for row in rows)
    sheet = Image.new("RGB", (_MARGIN + columns * width, _HEADER + len(rows) * height), "white")
    pen = ImageDraw.Draw(sheet)
    pen.text((4, 2), title, fill="black")
    for r, (row, name) in enumerate(zip(rows, names, strict=True)):
        pen.text((4, _HEADER + r * height + height // 2 - 6), name, fill="black")
        for c, image in enumerate(row):
            picture = Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS)
            sheet.paste(picture, (_MARGIN + c * width, _HEADER + r * height))
    return sheet
