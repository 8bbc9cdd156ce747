"""What does a robustness measurement leave?  One JSON a cell: the answers themselves, a digit an image; no torch here.

`results/robustness/<cell>.json`.  Counts and accuracies are made from the answers when a page is rendered, so there is
no second number that could differ.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from bench import store
from bench.atomic import write_text
from bench.errors import UserError
from bench.record import Record, canonical

SCHEMA = 1
SEVERITIES = (1, 2, 3, 4, 5)
CORRUPTIONS = {
    "gaussian_noise": "Noise",
    "gaussian_blur": "Blur",
    "brightness": "Brightness",
    "contrast": "Contrast",
    "jpeg": "JPEG",
    "pixelate": "Pixelation",
}
TOLERANCE = 0.01  # share of clean answers that another device may round to another class


@dataclass(frozen=True)
class Answered:
    """The answers to one set of images: `labels` and `answers` hold one digit an image, its class in `classes`."""

    data_digest: str
    classes: tuple[str, ...]
    labels: str
    answers: str

    @property
    def correct(self) -> int:
        return sum(one == other for one, other in zip(self.labels, self.answers, strict=True))

    @property
    def n(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Robustness:
    """A cell's weights on clean and corrupted test images, and on the shared classes of other datasets.

    `ids` are the content ids of the clean images; `corrupted` is keyed `kind/severity`, `transfer` by dataset.  `key`
    is that of the cell, `weights_sha256` the digest of its file of trained weights.
    """

    cell: str
    key: str
    weights_sha256: str
    image_size: int
    ids: tuple[str, ...]
    clean: Answered
    corrupted: Mapping[str, str]
    transfer: Mapping[str, Answered]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA

    @property
    def digest(self) -> str:
        """SHA-256 of everything but the provenance."""
        content = asdict(self)
        del content["provenance"]
        return hashlib.sha256(canonical(content)).hexdigest()

    def under(self, kind: str, severity: int) -> Answered:
        """The answers under one corruption."""
        return Answered(
            self.clean.data_digest, self.clean.classes, self.clean.labels, self.corrupted[f"{kind}/{severity}"]
        )


def path_of(results: Path, cell: str) -> Path:
    return results / "robustness" / f"{cell}.json"


def save(results: Path, found: Robustness) -> Path:
    """Write a measurement with its digest."""
    path = path_of(results, found.cell)
    content = asdict(found) | {"digest": found.digest}
    write_text(path, json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    return path


def load(results: Path, cell: str) -> Robustness | None:
    """The measurement of a cell, None where there is none.  Raises UserError for a damaged one."""
    path = path_of(results, cell)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        digest = content.pop("digest")
        if set(content) != {each.name for each in fields(Robustness)} or content["schema"] != SCHEMA:
            raise ValueError("it is of another version")
        found = Robustness(
            **content
            | {
                "ids": tuple(content["ids"]),
                "clean": _answered(content["clean"]),
                "transfer": {name: _answered(each) for name, each in content["transfer"].items()},
            }
        )
        if found.digest != digest:
            raise ValueError("the content does not fit the digest: the file was edited or is damaged")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{path}: {error}; delete it and run the suite robustness again") from None
    return found


def cells(results: Path) -> list[str]:
    """The cells with a measurement."""
    folder = results / "robustness"
    found = sorted(folder.rglob("*.json")) if folder.is_dir() else []
    return [path.relative_to(folder).with_suffix("").as_posix() for path in found]


def problems(results: Path, records: Mapping[str, Record]) -> list[str]:
    """A line for each measurement that is damaged, stale, or whose clean answers are not the stored predictions."""
    found = []
    for cell in cells(results):
        where = f"robustness/{cell}.json"
        try:
            measured = load(results, cell)
            assert measured is not None
        except UserError as error:
            found.append(str(error))
            continue
        record = records.get(cell)
        if measured.cell != cell:
            found.append(f"{where}: it says that it is {measured.cell}")
        elif record is None or record.key != measured.key:
            why = "the cell has no record" if record is None else "the cell was trained again since"
            found.append(f"{where}: stale: {why}; run the suite robustness again")
        elif (unlike := _unlike(results, measured)) is not None:
            found.append(f"{where}: {unlike}")
    return found


def _unlike(results: Path, measured: Robustness) -> str | None:
    """How the clean answers differ from the stored ones; None where they do not."""
    try:
        arrays = store.load_predictions(results, measured.cell)
    except UserError:
        return None  # the record's own check names the file
    stored = dict(zip(arrays["ids"].tolist(), arrays["logits_last"].argmax(axis=1).tolist(), strict=True))
    if missing := [name for name in measured.ids if name not in stored]:
        return f"{len(missing)} of its images are not among the stored predictions"
    given = np.array([int(digit) for digit in measured.clean.answers])
    differing = int((given != np.array([stored[name] for name in measured.ids])).sum())
    if differing > TOLERANCE * len(given):
        return f"{differing} of {len(given)} clean answers differ from the stored predictions"
    return None


def _answered(content: Mapping[str, Any]) -> Answered:
    return Answered(**dict(content) | {"classes": tuple(content["classes"])})
