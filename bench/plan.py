"""What will be run, what not, and why?  The cells of a suite in order, each with its state, reason and expected
seconds."""

from __future__ import annotations

import fnmatch
import json
import os
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench import store
from bench.errors import UserError
from bench.key import Inputs, changed, inputs
from bench.record import Record
from bench.spec import Cell

State = Literal["done", "run", "resume", "stale", "failed"]
CHECKPOINT = "checkpoint.pt"
# DAN, one training image of 224 pixels with its share of evaluation, until a record of this folder tells: about what
# one CPU core does (measured at 48 pixels, scaled; ten times as long in bf16 where it has no units for it), and what
# an H200 does (results/perf).
GUESS_SECONDS_PER_IMAGE = {
    "cpu": {"faithful": 0.38, "fast": 3.8},
    "cuda": {"faithful": 0.0005, "fast": 0.0001},
}
PACED = 32


@dataclass(frozen=True)
class Planned:
    """A cell with what the plan knows of it.  `key` is None while its data has not been decoded."""

    cell: Cell
    state: State
    reason: str
    key: str | None
    seconds: float

    @property
    def todo(self) -> bool:
        return self.state in ("run", "resume", "stale")


def plan(
    cells: Iterable[Cell],
    digests: Mapping[str, str | None],
    weights: Mapping[str, str | None],
    results: Path,
    runs: Path,
    retry_failed: bool = False,
    device: str = "cpu",
) -> tuple[Planned, ...]:
    """The state of each cell; `digests` maps a dataset to its data digest, `weights` a weights name to its file's
    digest."""
    cells = tuple(cells)
    pace = GUESS_SECONDS_PER_IMAGE[device] | _pace(results, cells)
    return tuple(_planned(cell, digests[cell.dataset], weights, results, runs, retry_failed, pace) for cell in cells)


def matching(cells: Iterable[Cell], pattern: str | None) -> tuple[Cell, ...]:
    """The cells whose name fits the shell pattern (`rafdb/dan/*`).  Raises UserError when none does."""
    cells = tuple(cells)
    if pattern is None:
        return cells
    found = tuple(cell for cell in cells if fnmatch.fnmatchcase(cell.name, pattern))
    if not found:
        shown = cells[0].name if cells else "the suite has no cells"
        raise UserError(f"--only '{pattern}' fits no cell; a cell's name looks like {shown}")
    return found


def checkpoint_folder(runs: Path, cell: Cell) -> Path:
    """Where a cell's unfinished training is kept."""
    return runs / "cells" / cell.name


def _planned(
    cell: Cell,
    digest: str | None,
    weights: Mapping[str, str | None],
    results: Path,
    runs: Path,
    retry_failed: bool,
    pace: Mapping[str, float],
) -> Planned:
    seconds, name = _estimate(cell, pace), cell.name
    if digest is None:
        return Planned(cell, "run", "its data is not decoded yet", None, seconds)
    wanted = inputs(cell, digest, weights[cell.weights])
    key = wanted.key
    if store.load_key(results, name) == key:
        return Planned(cell, "done", "its record has the same key", key, 0.0)
    failure = store.load_failure(results, name)
    if failure is not None and failure.key == key and not retry_failed:
        return Planned(cell, "failed", f"{failure.reason} (--retry-failed tries again)", key, 0.0)
    record = store.load(results, name)
    if record is not None:
        return Planned(cell, "stale", why_stale(record, wanted), key, seconds)
    if os.path.exists(f"{runs}/cells/{name}/{CHECKPOINT}"):  # checkpoint_folder as text, as store.record_text says
        return Planned(cell, "resume", "a checkpoint is there", key, seconds)
    return Planned(cell, "run", "no record", key, seconds)


def why_stale(record: Record, wanted: Inputs) -> str:
    """What differs between a record and the cell as it would be run now."""
    reasons = []
    if record.data.digest != wanted.data:
        reasons.append(f"the data changed ({record.data.digest[:12]} -> {wanted.data[:12]})")
    if record.weights_sha256 != wanted.weights:
        reasons.append("the starting weights changed")
    if dict(record.recipe) != wanted.cell["recipe"] or dict(record.settings) != wanted.cell["settings"]:
        reasons.append("its recipe or settings changed")
    if files := changed(record.provenance.get("sources", {}), wanted.sources):
        reasons.append(f"{', '.join(files)} changed")
    return "; ".join(reasons) or "its key changed"


def describe(planned: Sequence[Planned], jobs: int) -> str:
    """The plan for people: a line a cell, then the counts and the time that is left."""
    width = max((len(item.cell.name) for item in planned), default=0)
    lines = [f"{item.state:<7} {item.cell.name:<{width}}  {item.reason}" for item in planned]
    return "\n".join([*lines, summary(planned, jobs)])


def summary(planned: Sequence[Planned], jobs: int) -> str:
    """How many cells in which state, and about how long the rest takes."""
    counts = {
        state: sum(item.state == state for item in planned) for state in ("done", "run", "resume", "stale", "failed")
    }
    stated = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    left = sum(item.seconds for item in planned if item.todo) / max(1, jobs)
    return f"{len(planned)} cells: {stated or 'none'}" + (f"; about {duration(left)} to go" if left else "")


def duration(seconds: float) -> str:
    """`48 s`, `12 min`, `3.4 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _estimate(cell: Cell, pace: Mapping[str, float]) -> float:
    """Expected seconds: images x epochs at the measured pace of the same method, of any method, or a guess for a
    core."""
    recipe = cell.recipe
    images = (recipe.train_limit or 12_000) * recipe.epochs
    guess = pace[recipe.numeric] * (recipe.image_size / 224) ** 2
    return images * pace.get(f"{cell.method}/{recipe.image_size}", pace.get(f"*/{recipe.image_size}", guess))


def _pace(results: Path, cells: Sequence[Cell]) -> dict[str, float]:
    """Median seconds an image of the finished cells among `cells`, by method and by image size; empty where none is.

    The first PACED records of a method and size tell it: all of thousands would take longer than the plan.
    """
    found: dict[str, list[float]] = {}
    for cell in cells:
        if len(found.get(f"{cell.method}/{cell.recipe.image_size}", ())) >= PACED:
            continue
        try:
            with open(store.record_text(results, cell.name), encoding="utf-8") as file:
                seconds = 1.0 / json.loads(file.read())["provenance"]["images_per_second"]
        except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError):
            continue  # an estimate only: a damaged record is reported where it is read for its content
        for name in (cell.method, "*"):
            found.setdefault(f"{name}/{cell.recipe.image_size}", []).append(seconds)
    return {name: statistics.median(values) for name, values in found.items()}
