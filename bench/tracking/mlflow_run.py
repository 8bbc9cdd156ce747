"""What does MLflow show of a finished cell, a failed one, and the rendered pages?  Pure functions; imports no mlflow.

Names follow MLflow's rules: the part of a metric's name before `/` is the section of charts that it stands in.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from baselines.registry import METHODS
from bench.data.catalog import DATASETS, TWINS, title
from bench.record import Record, canonical
from bench.spec import slug
from bench.store import Failure
from bench.switches import Scalar, flatten

LAYOUT = 2  # raised when runs are to look different: what is projected under another layout is projected anew
NOTE = "mlflow.note.content"
SELECTIONS = ("last", "best-val", "best-test")  # as they are listed
ORACLE = "best-test"
PROTOCOLS = {
    "paper": "trained on the whole official training split",
    "honest": "a validation split carved from the training split chooses the epoch; test is looked at once",
}
RECIPE = ("epochs", "batch_size", "lr", "optimizer", "scheduler", "weight_decay", "augment", "sampler", "image_size")


class Point(NamedTuple):
    """One value of a metric; `time` in milliseconds since 1970, `step` the epoch from 1, 0 for the whole run."""

    name: str
    value: float
    time: int
    step: int


@dataclass(frozen=True)
class Data:
    """What MLflow's Dataset column shows."""

    name: str
    digest: str
    n_train: int
    n_test: int


@dataclass(frozen=True)
class Run:
    """One run.  `cell` is its address; two runs of one cell say the same when their `projection` is the same.

    `start` and `end` are in milliseconds since 1970.  `artifacts` maps a name in MLflow to a file.  `parent` is the
    `cell` of the run that this one is nested below, empty for none (cells are flat; only trials are nested).  `made`
    maps a name to what makes the file's bytes (or None), called only when the run is written.
    """

    cell: str
    projection: str
    name: str
    status: str
    start: int
    end: int
    tags: Mapping[str, str]
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: tuple[Point, ...] = ()
    artifacts: Mapping[str, Path] = field(default_factory=dict)
    data: Data | None = None
    parent: str = ""
    made: Mapping[str, Callable[[], bytes | None]] = field(default_factory=dict)


def of_record(
    cell: str,
    record: Record,
    suites: str,
    artifacts: Mapping[str, Path],
    modified: int,
    made: Mapping[str, Callable[[], bytes | None]] | None = None,
) -> Run:
    """The run of a finished cell.  `modified` is the time of its file: the end where no start was noted."""
    start, end = _span(record, modified)
    facts = record.cell
    tags = {
        "kind": "cell",
        "cell": cell,
        "cell_key": record.key,
        "record_digest": record.digest,
        "suite": suites,
        "device": str(record.provenance.get("device", "")),
        "machine": str(record.provenance.get("machine", "")),
        "data_digest": record.data.digest,
        "weights_sha256": record.weights_sha256 or "",
        "mlflow.source.name": "bench.run",
        "mlflow.source.type": "LOCAL",
        NOTE: note(record),
    } | _git(record.provenance)
    return Run(
        cell=cell,
        projection=f"{LAYOUT}:{record.digest}",
        name=run_name(facts),
        status="FINISHED",
        start=start,
        end=end,
        tags={name: value for name, value in tags.items() if value},
        params=params(record),
        metrics=tuple(metrics(record, start, end)),
        artifacts=artifacts,
        made=made or {},
        data=Data(facts["dataset"], record.data.digest, record.data.n_train, record.data.n_test),
    )


def of_failure(failure: Failure, suites: str, file: Path, modified: int) -> Run:
    """The run of a cell that could not end in a record: FAILED, with the reason.  Its time is that of its file."""
    facts = address(failure.cell)
    tags = {
        "kind": "cell",
        "cell": failure.cell,
        "cell_key": failure.key,
        "suite": suites,
        "reason": failure.reason,
        "mlflow.source.name": "bench.run",
        "mlflow.source.type": "LOCAL",
        NOTE: f"**Failed**, so it has no figures: {failure.reason}",
    }
    return Run(
        cell=failure.cell,
        projection=f"{LAYOUT}:{hashlib.sha256(canonical(asdict(failure))).hexdigest()}",
        name=run_name(facts) if facts else failure.cell,
        status="FAILED",
        start=modified,
        end=modified,
        tags={name: value for name, value in tags.items() if value},
        params={name: _text(facts[name]) for name in facts if name != "variant"} | _variant(facts),
        artifacts={"failure.json": file},
    )


def of_report(files: Mapping[str, Path], modified: int) -> Run:
    """One run that carries the rendered tables and figures, which belong to no single cell."""
    digest = hashlib.sha256()
    for name, file in sorted(files.items()):
        digest.update(canonical([name, hashlib.sha256(file.read_bytes()).hexdigest()]))
    text = "Tables and figures rendered from all records: see the artifacts.  Not a training run, so it has no metrics."
    tags = {"kind": "report", "cell": "report", "mlflow.source.name": "bench.tables", NOTE: text}
    projection = f"{LAYOUT}:{digest.hexdigest()}"
    return Run("report", projection, "tables and figures", "FINISHED", modified, modified, tags, artifacts=files)


def run_name(facts: Mapping[str, Any]) -> str:
    """`dan[heads=1]/rafdb-twin/s0`; what departs from the ordinary conditions follows: ` (honest, msceleb)`."""
    variant = f"[{slug(tuple(facts['variant'].items()))}]" if facts["variant"] else ""
    ordinary = {"protocol": "paper", "weights": "none", "numeric": "faithful"}
    unusual = [str(facts[name]) for name, usual in ordinary.items() if facts[name] != usual]
    name = f"{facts['method']}{variant}/{facts['dataset']}/s{facts['seed']}"
    return f"{name} ({', '.join(unusual)})" if unusual else name


def address(cell: str) -> dict[str, Any]:
    """What a cell's name says of it, values as text; empty where it is no such name (a file put there by hand)."""
    parts = cell.split("/")
    conditions = parts[3].split("-") if len(parts) == 5 else []
    if len(conditions) != 4 or not parts[4].removeprefix("s").isdigit():
        return {}
    switches = () if parts[2] == "default" else (switch.partition("=") for switch in parts[2].split(","))
    return {
        "method": parts[1],
        "dataset": parts[0],
        "variant": {name: value for name, _, value in switches},
        "seed": int(parts[4].removeprefix("s")),
        **dict(zip(("protocol", "budget", "weights", "numeric"), conditions, strict=True)),
    }


def params(record: Record) -> dict[str, str]:
    """What was chosen for this run: its axes, its recipe, and its switches.

    Of the switches, the number of heads and the weights of losses always, so that comparing runs leaves no holes in
    what is compared most; the others where they are not at their defaults.
    """
    facts: dict[str, Scalar] = {name: value for name, value in record.cell.items() if name != "variant"}
    recipe = {name: record.recipe[name] for name in RECIPE if name in record.recipe}
    limits: dict[str, Scalar] = {
        name: value for name, value in record.recipe.items() if name.endswith("_limit") and value is not None
    }
    if record.recipe.get("sam_rho"):
        limits["sam_rho"] = record.recipe["sam_rho"]
    sizes = {"n_train": record.data.n_train, "n_val": record.data.n_val, "n_test": record.data.n_test}
    chosen = facts | recipe | limits | sizes | dict(_switches(record))
    return {name: _text(value) for name, value in chosen.items()} | _variant(record.cell)


def metrics(record: Record, start: int, end: int) -> Iterator[Point]:
    """Figures of the whole run, which MLflow then lists first, and curves by epoch.

    A record keeps when training began and how long it took; the epochs are spread evenly between.
    """
    yield from (Point(name, value, end, 0) for name, value in figures(record).items())
    count = len(record.epochs)
    for log, test_correct in zip(record.epochs, record.test_correct_by_epoch, strict=True):
        values = {f"train/{part}": value for part, value in log.parts.items()} | {
            "train/loss": log.loss,
            "train/accuracy": log.train_correct / log.train_n,
            "test/accuracy": test_correct / record.data.n_test,
            "lr": log.lr,
        }
        if log.val_correct is not None and log.val_n:
            values["val/accuracy"] = log.val_correct / log.val_n
        time = start + (end - start) * log.epoch // count
        yield from (Point(name, value, time, log.epoch) for name, value in values.items())


def figures(record: Record) -> dict[str, float]:
    """The figures of the whole run.  What was chosen by looking at test is called the oracle's."""
    found: dict[str, float] = {}
    for selection in [name for name in SELECTIONS if name in record.scores]:
        score = record.scores[selection]
        name = f"test/{selection}_oracle" if selection == ORACLE else f"test/{selection}"
        found |= {f"{name}_accuracy": score.accuracy, f"{name}_balanced_accuracy": score.balanced_accuracy}
    found["cost/params_M"] = record.parameters / 1e6
    measured = (
        ("time/train_s", "seconds", 1.0),
        ("time/images_per_s", "images_per_second", 1.0),
        ("cost/peak_memory_GB", "peak_memory_bytes", 1e9),
    )
    return found | {
        name: record.provenance[fact] / unit
        for name, fact, unit in measured
        if isinstance(record.provenance.get(fact), int | float)
    }


def note(record: Record) -> str:
    """What the run's figures must not be taken for, then the run in a sentence; MLflow shows it on the run's page."""
    facts, data = record.cell, record.data
    method = METHODS[facts["method"]].title if facts["method"] in METHODS else facts["method"]
    variant = f" with {slug(tuple(facts['variant'].items()))}" if facts["variant"] else ""
    last = record.scores["last"]
    validated = f", validated on {data.n_val}" if data.n_val else ""
    images = f"{data.n_train} training images{validated}, and scored on n = {data.n_test} test images"
    missing = data.n_test_expected - data.n_test
    caveats = []
    if facts["budget"] == "quick":
        caveats.append("**Rehearsal** (quick budget: small images, few epochs), not comparable with published figures.")
    if facts["dataset"] in TWINS:
        caveats.append(f"**Rendered faces**, not photographs: they stand in for {_title(TWINS[facts['dataset']])}.")
    if missing:
        caveats.append(f"**{missing} of {data.n_test_expected} test images are missing.**")
    sentence = (
        f"**{method}**{variant} on **{_title(facts['dataset'])}**, seed {facts['seed']}, {facts['protocol']} protocol "
        f"({PROTOCOLS.get(facts['protocol'], 'unknown')}), trained for {len(record.epochs)} epochs on {images}: "
        f"{last.correct} of {last.n} perceived expression labels right after the last epoch."
    )
    oracle = "`best-test_oracle` figures choose the epoch by looking at test: an upper bound, not a result."
    return "\n\n".join([" ".join(caveats), sentence, oracle] if caveats else [sentence, oracle])


def _switches(record: Record) -> Iterator[tuple[str, Scalar]]:
    known = METHODS.get(record.cell["method"])
    default = flatten(known.settings()) if known else {}
    for name, value in record.settings.items():
        if name == "heads" or name.startswith("loss.") or name not in default or default[name] != value:
            yield name, value


def _variant(facts: Mapping[str, Any]) -> dict[str, str]:
    return {"variant": slug(tuple(facts["variant"].items()))} if facts else {}


def _git(provenance: Mapping[str, Any]) -> dict[str, str]:
    commit, dirty = provenance.get("git"), provenance.get("dirty")
    if not commit:
        return {}
    return {"git": f"{commit}+{dirty}" if dirty else commit, "mlflow.source.git.commit": commit}


def _span(record: Record, modified: int) -> tuple[int, int]:
    """When training began and ended.  Of a resumed cell it is the last session: provenance tells no more."""
    seconds = record.provenance.get("seconds") or 0
    try:
        start = int(datetime.fromisoformat(record.provenance["started"]).timestamp() * 1000)
    except (KeyError, TypeError, ValueError):
        start = modified - int(seconds * 1000)
    return start, start + int(seconds * 1000)


def _title(dataset: str) -> str:
    return title(dataset) if dataset in DATASETS or dataset in TWINS else dataset


def _text(value: Scalar) -> str:
    return value if isinstance(value, str) else json.dumps(value).replace("null", "none")
