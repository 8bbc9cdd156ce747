"""How does MLflow show a pre-training?  One run with its curves and files; failing is a warning, as everywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from bench.pretrain.card import Story, group_means
from bench.tracking.mlflow_place import place
from bench.tracking.mlflow_run import NOTE, Point, Run
from bench.tracking.mlflow_store import opened, put, shelf

CELL = "pretraining/"


def show(told: Story, written: Sequence[Path], runs: Path, warn: Callable[[str], None]) -> None:
    """Write the run; `warn` gets one line where that is not possible."""
    where = place(runs)
    try:
        with opened(where) as client:
            put(client, shelf(client, where), as_run(told, written))
    except Exception as error:  # a projection must not cost anybody finished weights, whatever went wrong in it
        line = next(iter(str(error).splitlines()), type(error).__name__)
        warn(f"warning: MLflow does not show this pre-training ({where.clean(line)}); the files are kept")


def as_run(told: Story, written: Sequence[Path]) -> Run:
    """The run of a pre-training.  Its times are those of the epochs, from the start of the last session."""
    start = int(datetime.fromisoformat(told["provenance"]["started"]).timestamp() * 1000)
    points = tuple(_points(told, start))
    return Run(
        cell=CELL + told["sha256"][:16],
        projection=f"1:{told['sha256']}",
        name=f"pre-training, {told['plan']['images']:,} rendered faces, {told['plan']['epochs']} epochs",
        status="FINISHED",
        start=start,
        end=points[-1].time,
        tags={"kind": "pretraining", "cell": CELL + told["sha256"][:16], "weights_sha256": told["sha256"], NOTE: _NOTE},
        params={name: str(value) for name, value in told["plan"].items()},
        metrics=points,
        artifacts={path.name: path for path in written},
    )


_NOTE = (
    "A ResNet-18 trained to tell action units, pose and attributes of rendered faces; the model card is an artifact."
)


def _points(told: Story, start: int) -> Iterator[Point]:
    time = start
    for number, log in enumerate(told["epochs"]):
        time += int(log["seconds"] * 1000)
        yield Point("pretraining/loss", log["loss"], time, log["epoch"])
        for name, value in group_means(told, number).items():
            yield Point(f"pretraining/r2 {name}", value, time, log["epoch"])
