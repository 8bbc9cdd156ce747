"""Which answers were stored for a record?  Read when a page needs them; damaged ones are None, and the audit tells."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench import store
from bench.record import Record

HELD_OUT = ("val_labels", "val_logits")


@dataclass(frozen=True)
class Answers:
    """Logits of one record under one selection: `labels` (n,), `logits` (n, C), `ids` (n,); and of the validation split
    (m,), (m, C), whose logits exist for best-val only."""

    ids: NDArray[np.str_]
    labels: NDArray[np.int64]
    logits: NDArray[np.float64]
    val_labels: NDArray[np.int64] | None = None
    val_logits: NDArray[np.float64] | None = None

    @property
    def predicted(self) -> NDArray[np.int64]:
        """The answered class of each image, (n,)."""
        return self.logits.argmax(axis=1)

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether each answer is right, (n,)."""
        return self.predicted == self.labels


@dataclass(frozen=True)
class Stored:
    """The predictions of a results folder."""

    results: Path

    def answers(self, name: str, record: Record, selection: str) -> Answers | None:
        """The answers of a cell; None where the file is missing, damaged, or not the one that the record was made
        with."""
        try:
            content = store.predictions_path(self.results, name).read_bytes()
            if hashlib.sha256(content).hexdigest() != record.predictions_sha256:
                return None
            held_out = selection == "best-val"
            logits = f"logits_{selection.replace('-', '_')}"
            arrays = store.unpack(content, ("ids", "labels", logits, *(HELD_OUT if held_out else ())))
            return Answers(
                ids=arrays["ids"],
                labels=arrays["labels"].astype(np.int64),
                logits=arrays[logits].astype(np.float64),
                val_labels=arrays["val_labels"].astype(np.int64) if held_out else None,
                val_logits=arrays["val_logits"].astype(np.float64) if held_out else None,
            )
        except (OSError, *store.UNREADABLE):
            return None
