"""How do finished cells come into MLflow?  One way, from the records: idempotent, and never needed for a table.

    python -m bench.track                  project what is missing or has changed
    python -m bench.track --ui             the same, then say how to open it in a browser

A record that MLflow already shows is left alone; one that has changed takes the place of its cell's older run.  Runs
whose records are gone stay.  Deleting the store loses nothing: the next command makes it again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench import command, store
from bench.data.catalog import DATASETS
from bench.errors import UserError
from bench.figures import cell_figures
from bench.spec import slug
from bench.study.runs import study_runs
from bench.suite_file import load_suite, suite_names
from bench.tracking.mlflow_place import Place, how_to_open, place
from bench.tracking.mlflow_run import Run, of_failure, of_record, of_report
from bench.tracking.mlflow_store import opened, peek, put, shelf

EXAMPLE = """examples:
  python -m bench.track --ui
  MLFLOW_TRACKING_URI=https://mlflow.example.org python -m bench.track --results results
"""
PAGES = (".md", ".png", ".csv", ".svg", ".pdf")


@dataclass(frozen=True)
class Synced:
    """What a projection did: how many runs were new, replaced an older one, or were there already."""

    experiment_id: str
    new: int
    replaced: int
    unchanged: int


class TrackingError(Exception):
    """MLflow could not be written.  The message is one line, without secrets."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    options = _parser().parse_args(arguments)
    return command.finish(lambda: _run(options), "interrupted: the same command goes on from here")


def _run(options: argparse.Namespace) -> int:
    if not options.results.is_dir():
        raise UserError(f"--results {options.results} is not a folder; give the one that bench.run wrote")
    where = place(options.runs)
    try:
        done = sync(options.results, where)
    except TrackingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if done is None:
        print(f"nothing to project: {options.results / 'records'} holds no finished cells", file=sys.stderr)
        return 0
    print(f"{where.shown}: {done.new} new, {done.replaced} replaced, {done.unchanged} unchanged", file=sys.stderr)
    if options.ui:
        print(how_to_open(where, done.experiment_id))
    return 0


def sync_quietly(results: Path, runs: Path) -> None:
    """Project what is missing; a failure is one line on stderr and nothing else.  Fast when nothing is missing."""
    try:
        sync(results, place(runs))
    except Exception as error:  # a projection must not cost anybody a finished suite, whatever went wrong in it
        print(
            f"warning: {_first_line(error)}; the records are kept, python -m bench.track tries again", file=sys.stderr
        )


def sync(results: Path, where: Place) -> Synced | None:
    """Make MLflow show every record, failure and page of a results folder; None where there is none.

    Raises TrackingError where MLflow is absent or fails, UserError for a damaged record.
    """
    wanted = tuple(projected(results))
    if not wanted:
        return None
    held = peek(where)
    if held is not None and all(held.holds(run) for run in wanted):
        return Synced(held.experiment_id, 0, 0, len(wanted))
    try:
        with opened(where) as client:
            held = shelf(client, where)
            missing = [run for run in wanted if not held.holds(run)]
            replaced = sum(put(client, held, run) for run in _with_progress(missing))
    except ImportError as error:
        raise TrackingError(f"MLflow is not written: {error} (pip install 'mlflow>=3.17,<3.18')") from None
    except Exception as error:  # MLflow's, SQLAlchemy's and drivers' errors share no base
        raise TrackingError(f"MLflow is not written ({where.shown}): {where.clean(_first_line(error))}") from error
    return Synced(held.experiment_id, len(missing) - replaced, replaced, len(wanted) - len(missing))


def projected(results: Path) -> Iterator[Run]:
    """Every run that MLflow should show, cells in the order of their names.  As in tables, a record hides a failure."""
    asked = suites_by_row()
    finished = set()
    for cell, record in store.scan(results):
        finished.add(cell)
        file = store.record_path(results, cell)
        files = {"record.json": file, "predictions.npz": store.predictions_path(results, cell)}
        present = {name: path for name, path in files.items() if path.is_file()}
        pictures = cell_figures.made(results, cell, record)
        yield of_record(cell, record, suites_of(cell, asked), present, _modified(file), pictures)
    records = results / "records"
    for file in sorted(records.rglob(f"*{store.FAILED}")) if records.is_dir() else ():
        cell = file.relative_to(records).as_posix().removesuffix(store.FAILED)
        failure = store.load_failure(results, cell)
        if failure is not None and cell not in finished:
            yield of_failure(failure, suites_of(cell, asked), file, _modified(file))
    yield from _studies(results)
    if pages := _pages(results):
        yield of_report(pages, max(map(_modified, pages.values())))


def _studies(results: Path) -> Iterator[Run]:
    """Each study, then its trials below it; a changed study is written anew with all its trials."""
    for study in study_runs(results):
        yield study.parent
        for trial in study.trials:
            projection = f"{trial.projection}:{study.parent.projection}"
            yield replace(trial, parent=study.parent.cell, projection=projection)


def suites_by_row() -> dict[str, set[str]]:
    """Names of the suites that ask for a row and protocol: `rafdb/dan/heads=1/paper` -> {"paper"}; twins included."""
    found: dict[str, set[str]] = {}
    for name in suite_names():
        suite = load_suite(name)
        for table in suite.tables:
            for dataset in [name for named in table.datasets for name in (named, DATASETS[named].twin) if name]:
                for row in table.rows:
                    head = f"{dataset}/{row.method}/{slug(row.variant)}/{suite.protocol}"
                    found.setdefault(head, set()).add(suite.name)
    return found


def suites_of(cell: str, asked: Mapping[str, set[str]]) -> str:
    """`paper, smoke` for a cell that both ask for; empty for one that none does."""
    row = cell.rpartition("/")[0].rsplit("-", 3)[0]  # without seed, budget, weights and numeric mode
    return ", ".join(sorted(asked.get(row, ())))


def _pages(results: Path) -> dict[str, Path]:
    folders = (results / "tables", results / "figures")
    files = [path for folder in folders if folder.is_dir() for path in folder.rglob("*") if path.suffix in PAGES]
    if files and (results / "README.md").is_file():
        files.append(results / "README.md")
    return {path.relative_to(results).as_posix(): path for path in files}


def _modified(file: Path) -> int:
    return int(file.stat().st_mtime * 1000)


def _with_progress(missing: Sequence[Run]) -> Iterable[Run]:
    """The runs, with a bar where a person looks on (a run takes about 0.2 s)."""
    from tqdm import tqdm

    return tqdm(missing, desc="MLflow", unit="run", disable=None, file=sys.stderr)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), "") or type(error).__name__


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.track",
        description="Show finished cells in MLflow: its store is MLFLOW_TRACKING_URI, else RUNS/mlflow.db.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--results", type=Path, default=Path("results"), help="records and pages (default results/)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where the store is kept (default runs/)")
    parser.add_argument("--ui", action="store_true", help="say how to open the store in a browser")
    return parser


if __name__ == "__main__":
    sys.exit(main())
