"""Where do records, predictions and failures live, and how are they read back?

`results/records/<cell>.json`, `results/predictions/<cell>.npz`, and `results/records/<cell>.failure.json` where a cell
could not end in a record; `<cell>` is `Cell.name`.  The record is written last, so a record always has its predictions.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.atomic import write_bytes, write_text
from bench.errors import UserError
from bench.record import Record

FAILED = ".failure.json"


@dataclass(frozen=True)
class Failure:
    """Why a cell has no record.  `key` is the cell's key at that time, so that a changed cell is tried again."""

    cell: str
    key: str
    reason: str


def record_path(results: Path, cell: str) -> Path:
    return Path(record_text(results, cell))


def failure_path(results: Path, cell: str) -> Path:
    return results / "records" / f"{cell}{FAILED}"


def record_text(results: Path, cell: str) -> str:
    """`record_path` as text: making a Path takes as long as reading the file, and a plan looks at tens of thousands."""
    return f"{results}/records/{cell}.json"


def predictions_path(results: Path, cell: str) -> Path:
    return results / "predictions" / f"{cell}.npz"


def pack(arrays: Mapping[str, NDArray]) -> bytes:
    """Predictions as npz bytes that are equal for equal arrays.

    Names: `ids` (n,) content ids, `labels` (n,), `by_epoch` (epochs, n) predicted class, `logits_<selection>` (n, C)
    with selection last / best_val / best_test, and under the honest protocol `val_ids`, `val_labels`, `val_logits` (of
    best-val).
    """
    buffer = io.BytesIO()
    ordered: dict[str, Any] = {name: arrays[name] for name in sorted(arrays)}
    np.savez_compressed(buffer, **ordered)
    return buffer.getvalue()


def unpack(content: bytes, names: Iterable[str] | None = None) -> dict[str, NDArray]:
    """The arrays of packed predictions, or those of these names.  Raises one of UNREADABLE for damaged content."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in (arrays.files if names is None else names)}


UNREADABLE = (ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error)


def save(results: Path, cell: str, record: Record, predictions: bytes) -> None:
    """Predictions first, then the record, then any old failure goes."""
    if hashlib.sha256(predictions).hexdigest() != record.predictions_sha256:
        raise ValueError("the record does not belong to these predictions")
    write_bytes(predictions_path(results, cell), predictions)
    write_text(record_path(results, cell), record.to_json())
    failure_path(results, cell).unlink(missing_ok=True)


def save_failure(results: Path, failure: Failure) -> None:
    write_text(failure_path(results, failure.cell), json.dumps(asdict(failure), indent=1, sort_keys=True) + "\n")


def load(results: Path, cell: str) -> Record | None:
    """The record of a cell, None where there is none.  Raises UserError for a damaged one."""
    path = record_text(results, cell)
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        return None
    except (UnicodeDecodeError, OSError) as error:
        raise UserError(f"{path}: cannot be read ({error}); restore it, or delete it and run the suite again") from None
    try:
        return Record.from_json(text)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UserError(f"{path}: {error}; restore it, or delete it and run the suite again") from None


def load_key(results: Path, cell: str) -> str | None:
    """The key of a cell's record; None where there is no record, or none whose key can be read.

    For a plan of thousands of cells: the record is not verified, as whoever reads its content does.
    """
    try:
        with open(record_text(results, cell), "rb") as file:
            text = file.read()
    except OSError:
        return None
    place = text.find(_KEY)
    return text[place + len(_KEY) :][:64].decode("ascii", "replace") if place >= 0 else None


_KEY = b'\n "key": "'  # begins a line of its own, as Record.to_json writes it


def load_failure(results: Path, cell: str) -> Failure | None:
    """The failure of a cell, None where there is none or the file is unreadable (the cell is then simply run again)."""
    try:
        with open(f"{results}/records/{cell}{FAILED}", encoding="utf-8") as file:
            failure = Failure(**json.loads(file.read()))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    return failure if all(isinstance(text, str) for text in asdict(failure).values()) else None


def load_predictions(results: Path, cell: str) -> dict[str, NDArray]:
    """The arrays that `pack` wrote.  Raises UserError when the file is missing or damaged."""
    path = predictions_path(results, cell)
    try:
        return unpack(path.read_bytes())
    except (OSError, *UNREADABLE) as error:
        raise UserError(
            f"{path}: cannot be read ({error}); restore it, or delete its record and run the suite again"
        ) from None


def scan(results: Path) -> Iterator[tuple[str, Record]]:
    """Every cell with a record, in the order of their names.  Raises UserError at the first damaged one."""
    for cell in _with_file(results):
        record = load(results, cell)
        if record is not None:
            yield cell, record


def _with_file(results: Path) -> list[str]:
    """The cells with a file for a record, in the order of the names."""
    folder = str(results / "records")
    found = [
        os.path.relpath(os.path.join(place, file), folder)
        for place, _, files in os.walk(folder)
        for file in files
        if file.endswith(".json") and not file.endswith(FAILED)
    ]
    return [
        path.removesuffix(".json").replace(os.sep, "/") for path in sorted(found, key=lambda path: path.split(os.sep))
    ]
