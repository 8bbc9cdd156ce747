"""How are runs read from and written to MLflow?  All contact with it; works with mlflow-skinny and SQLAlchemy.

A run is written in the state RUNNING and ended last, so one that a kill cut short is never taken for a finished one.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bench.tracking.mlflow_place import VIEW, Place
from bench.tracking.mlflow_run import Data, Run

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput

PROJECTION = "projection"  # the tag that says which state of a cell a run shows
LOCK_SECONDS = 120.0  # a process that waits longer says so and leaves the work to the next
POINTS, PARAMS = 1000, 100  # the most that MLflow takes in a batch
ABOUT = (
    "One run for each finished cell (dataset x method x variant x protocol x budget x seed), projected from "
    "`results/records` by `python -m bench.track`.  The records are the truth: this store may be deleted and made anew."
)
# What a person wants to see first (the oracle's figure is no headline); by itself MLflow shows no metrics at all.
COLUMNS = (
    "attributes.`Created`",
    *(f"metrics.`test/{name}`" for name in ("last_accuracy", "last_balanced_accuracy")),
    *(f"params.`{name}`" for name in ("dataset", "method", "variant", "seed", "protocol", "budget", "weights")),
)
EXPERIMENT_TAGS = {
    "mlflow.note.content": ABOUT,
    "mlflow.experimentKind": "custom_model_development",  # models are trained here, no language models asked
    f"mlflow.sharedViewState.{VIEW}": json.dumps({"selectedColumns": COLUMNS}),
}


@dataclass(frozen=True)
class Stored:
    """A run that MLflow holds.  `projection` is None for one that was never finished."""

    run_id: str
    cell: str
    projection: str | None


@dataclass(frozen=True)
class Shelf:
    """What an experiment holds of ours: its id, and the runs of each cell (one, unless something went wrong)."""

    experiment_id: str
    runs: tuple[Stored, ...]

    def of(self, cell: str) -> list[Stored]:
        return [run for run in self.runs if run.cell == cell]

    def holds(self, run: Run) -> bool:
        """Whether the cell has exactly one run, and it says what `run` says."""
        return [stored.projection for stored in self.of(run.cell)] == [run.projection]


def peek(place: Place) -> Shelf | None:
    """What a sqlite store holds, read in milliseconds without MLflow; None where only MLflow can tell.

    It reads the very runs, so it cannot be wrong about a store that was deleted or made anew.  Any surprise (no such
    file, another schema, a busy database) is None: then MLflow is asked.
    """
    if place.database is None or not place.database.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"{place.database.as_uri()}?mode=ro", uri=True, timeout=5)) as database:
            experiment = database.execute(
                "SELECT experiment_id FROM experiments WHERE lifecycle_stage = 'active' AND name = ?",
                (place.experiment,),
            ).fetchone()
            rows = database.execute(
                "SELECT runs.run_uuid, cell.value, runs.status, projection.value FROM runs"
                " JOIN tags AS cell ON cell.run_uuid = runs.run_uuid AND cell.key = 'cell'"
                " JOIN tags AS projection ON projection.run_uuid = runs.run_uuid AND projection.key = ?"
                " WHERE runs.experiment_id = ? AND runs.lifecycle_stage = 'active'",
                (PROJECTION, *(experiment or (None,))),
            ).fetchall()
    except sqlite3.Error:
        return None
    return Shelf(str(experiment[0]), tuple(_stored(*row) for row in rows)) if experiment else None


@contextmanager
def opened(place: Place) -> Iterator[MlflowClient]:
    """A client of the place's store, which is made where it is missing; one process of this machine at a time.

    Raises ImportError where MLflow is absent, and whatever MLflow, SQLAlchemy or the file lock raise.
    """
    _set_up_environment()
    from filelock import FileLock

    place.lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(place.lock, timeout=LOCK_SECONDS):
        # Processes that make the schema of one missing database at the same time die of it: hence the lock.
        if place.artifacts is not None:  # a database; a server's own requests fail soon enough
            _connect(place)
        from mlflow import MlflowClient

        logging.getLogger("mlflow").setLevel(os.environ["MLFLOW_LOGGING_LEVEL"])
        yield MlflowClient(tracking_uri=place.uri)


def shelf(client: MlflowClient, place: Place) -> Shelf:
    """What the place's experiment holds; it is made where it is missing, and taken back from MLflow's trash."""
    experiment = client.get_experiment_by_name(place.experiment)
    if experiment is None:
        identity = client.create_experiment(place.experiment, artifact_location=place.artifacts)
        tags = {}
    else:
        identity, tags = experiment.experiment_id, experiment.tags
        if experiment.lifecycle_stage != "active":
            client.restore_experiment(identity)
    for name, value in EXPERIMENT_TAGS.items():
        if name not in tags:
            client.set_experiment_tag(identity, name, value)
    found, token = [], None
    while True:
        page = client.search_runs([identity], max_results=1000, page_token=token)
        for run in page:
            tags = run.data.tags
            if "cell" in tags and PROJECTION in tags:
                found.append(_stored(run.info.run_id, tags["cell"], run.info.status, tags[PROJECTION]))
        token = page.token
        if not token:
            return Shelf(identity, tuple(found))


def put(client: MlflowClient, shelf: Shelf, run: Run) -> bool:
    """Write a run in place of the older ones of its cell.  Returns whether there was one.

    The older ones go to MLflow's trash, after the new one is whole (`mlflow gc` empties the trash).
    """
    older = shelf.of(run.cell)
    kept = next((stored for stored in older if stored.projection == run.projection), None)
    if kept is None:
        _write(client, shelf.experiment_id, run)
    for stored in older:
        if stored is not kept:
            client.delete_run(stored.run_id)
    return any(stored.projection for stored in older)


def _write(client: MlflowClient, experiment_id: str, run: Run) -> None:
    from mlflow.entities import Metric, Param

    tags = {**run.tags, PROJECTION: run.projection}
    if run.parent:
        tags["mlflow.parentRunId"] = _newest(client, experiment_id, run.parent)
    run_id = client.create_run(experiment_id, start_time=run.start, tags=tags, run_name=run.name).info.run_id
    params = [Param(name, value) for name, value in run.params.items()]
    points = [Metric(point.name, point.value, point.time, point.step) for point in run.metrics]
    for first in range(0, len(params), PARAMS):
        client.log_batch(run_id, params=params[first : first + PARAMS])
    for first in range(0, len(points), POINTS):
        client.log_batch(run_id, metrics=points[first : first + POINTS])
    if run.data is not None:
        client.log_inputs(run_id, datasets=[_dataset(run.data)])
    with TemporaryDirectory() as folder:
        for name, file in run.artifacts.items():
            copy = Path(folder, name)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        for name, make in run.made.items():
            content = make()
            if content is not None:
                picture = Path(folder, name)
                picture.parent.mkdir(parents=True, exist_ok=True)
                picture.write_bytes(content)
        if run.artifacts or run.made:
            client.log_artifacts(run_id, folder)
    client.set_terminated(run_id, run.status, run.end)


def _newest(client: MlflowClient, experiment_id: str, cell: str) -> str:
    """The run of a cell that was written last."""
    order = ["attributes.start_time DESC"]
    found = client.search_runs([experiment_id], f"tags.cell = '{cell}'", order_by=order, max_results=1)
    return found[0].info.run_id


def _dataset(data: Data) -> DatasetInput:
    """The data by name and digest.  Its source is its name: a path would tell of the machine."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    profile = json.dumps({"n_train": data.n_train, "n_test": data.n_test})
    dataset = Dataset(data.name, data.digest[:8], "local", json.dumps({"uri": data.name}), profile=profile)
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "train and test")])


def _stored(run_id: str, cell: str, status: str, projection: str) -> Stored:
    return Stored(run_id, cell, projection if status in ("FINISHED", "FAILED") else None)


def _set_up_environment() -> None:
    """What MLflow reads when it is imported: no telemetry, no chatter, no minutes of waiting for a server."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")


def _connect(place: Place) -> None:
    """Touch a database before MLflow does, which would try ten times and wait for minutes.  Sqlite is switched to WAL.

    In WAL a page that is open in the browser keeps no one from writing.
    """
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    engine = create_engine(place.uri, poolclass=NullPool)
    with engine.connect() as connection:
        if place.scheme == "sqlite":
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
    engine.dispose()
