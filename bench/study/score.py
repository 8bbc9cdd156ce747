"""Does the winner hold on seeds that no trial has seen?  Published and tuned, as ordinary cells and records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench import store
from bench.data.source import Source
from bench.launch.claim import sweep
from bench.launch.job import Job
from bench.launch.local import launch
from bench.plan import plan
from bench.record import Record, Score
from bench.report.table_rows import HEADLINE
from bench.spec import Cell, Variant, recipe_of, settings_of
from bench.study.text import Study
from bench.study.tuned import Winner
from bench.switches import flatten

SELECTION = HEADLINE["honest"]
Said = Callable[[str], None]


@dataclass(frozen=True)
class Scored:
    """Test scores by seed, of the published method and of the winner."""

    published: Mapping[int, Score]
    tuned: Mapping[int, Score]


def cells(winner: Winner, seeds: Iterable[int], numeric: str) -> tuple[Cell, ...]:
    """The honest cells of the published method and, where it differs, of the winner."""
    variants: tuple[Variant, ...] = ((), winner.variant) if winner.variant else ((),)
    return tuple(cell_of(winner, variant, seed, numeric) for seed in seeds for variant in variants)


def cell_of(winner: Winner, variant: Variant, seed: int, numeric: str) -> Cell:
    recipe = recipe_of(winner.dataset, winner.method, (), winner.budget, numeric)
    return Cell(winner.dataset, winner.method, variant, "honest", winner.budget, seed, winner.weights, recipe)


@dataclass(frozen=True)
class Place:
    """Where cells are run and kept, and what they start from."""

    source: Source
    results: Path
    runs: Path
    device: str
    weights: Path | None
    weights_sha256: str | None
    jobs: int


def run_cells(todo: Iterable[Cell], digest: str, place: Place, say: Said) -> int:
    """Run the cells that have no record yet; returns how many failed."""
    todo = tuple(todo)
    known = {cell.weights: place.weights_sha256 for cell in todo} | {"none": None}
    planned = plan(todo, {cell.dataset: digest for cell in todo}, known, place.results, place.runs, retry_failed=True)
    jobs = [
        Job(
            cell=item.cell,
            key=item.key or "",
            source=place.source,
            results=place.results,
            runs=place.runs,
            device=place.device,
            weights=place.weights,
            weights_sha256=place.weights_sha256,
            keep_weights=False,
        )
        for item in planned
        if item.todo
    ]
    failed = 0
    for number, outcome in enumerate(launch(jobs, place.jobs, lambda name, epoch, epochs: None), 1):
        say(f"[{number}/{len(jobs)}] {outcome.line}")
        failed += outcome.state == "failed"
    sweep(place.results)
    return failed


def scored(results: Path, study: Study, winner: Winner) -> Scored:
    """The records of both on every scoring seed that is on disk, made on the study's data under its recipe."""
    numeric = str(study.identity.recipe["numeric"])

    def found(variant: Variant) -> dict[int, Score]:
        row = results / "records" / cell_of(winner, variant, 0, numeric).row
        seeds = sorted(int(path.stem[1:]) for path in row.glob("s*.json") if path.stem[1:].isdigit())
        records = {seed: store.load(results, cell_of(winner, variant, seed, numeric).name) for seed in seeds}
        return {
            seed: record.scores[SELECTION]
            for seed, record in records.items()
            if record is not None and seed not in winner.tuning_seeds and _fits(record, study, variant)
        }

    published = found(())
    return Scored(published, found(winner.variant) if winner.variant else published)


def _fits(record: Record, study: Study, variant: Variant) -> bool:
    identity = study.identity
    return (
        record.data.digest == identity.data
        and dict(record.recipe) == dict(identity.recipe)
        and record.weights_sha256 == identity.weights_sha256
        and dict(record.settings) == flatten(settings_of(identity.method, variant))
    )
