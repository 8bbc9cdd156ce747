"""What does MLflow show of a study?  A parent run, and a child for each trial; plain data, made from results/studies.

`bench/track.py` writes them: the parent first, then the children with the tag `mlflow.parentRunId`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.data.catalog import title
from bench.record import canonical
from bench.study.numbers import best_so_far
from bench.study.space import as_trained
from bench.study.text import FinishedTrial, Study, load_all, study_path
from bench.study.tuned import winner_path
from bench.tracking.mlflow_run import LAYOUT, NOTE, Point, Run

SUFFIXES = (".md", ".png", ".csv")


@dataclass(frozen=True)
class StudyRuns:
    """One study: its own run, and one for each trial to be nested below it."""

    parent: Run
    trials: tuple[Run, ...]


def study_runs(results: Path) -> tuple[StudyRuns, ...]:
    """Every study in results/studies.  Raises UserError for a damaged one."""
    return tuple(_runs(results, study) for study in load_all(results))


def _runs(results: Path, study: Study) -> StudyRuns:
    path = study_path(results, study.name)
    end = int(path.stat().st_mtime * 1000)
    moments = list(_moments(study, end))
    start = moments[0][0] if moments else end
    trials = tuple(_trial(study, number, *span) for number, span in enumerate(moments))
    return StudyRuns(_parent(results, study, start, end), trials)


def _parent(results: Path, study: Study, start: int, end: int) -> Run:
    identity, best = study.identity, study.best
    tags = {
        "kind": "study",
        "cell": _address(study),
        "study": study.name,
        "study_digest": study.digest,
        "data_digest": identity.data,
        "order_repeatable": str(study.order_repeatable).lower(),
        "mlflow.source.name": "bench.tune",
        "mlflow.source.type": "LOCAL",
        NOTE: f"A study: {len(study.trials)} trials of {identity.method} on {title(identity.dataset)}, "
        f"{identity.budget} budget, by validation {identity.objective}.  No test label was read.",
    }
    params = {
        "method": identity.method,
        "dataset": identity.dataset,
        "budget": identity.budget,
        "objective": identity.objective,
        "seed": str(identity.seed),
        "tuning_seeds": ",".join(map(str, identity.tuning_seeds)),
        "sampler": identity.sampler,
        "pruner": identity.pruner,
        "optuna": identity.optuna,
    } | {f"space/{name}": domain for name, domain in identity.space.items()}
    if best is not None:
        params |= {
            f"best/{name}": f"{value:g}" if isinstance(value, float) else str(value)
            for name, value in as_trained(best.params).items()
        }
    metrics = [
        Point("study/best-value", value, start, number)
        for number, value in enumerate(best_so_far(study))
        if value is not None
    ]
    metrics += [
        Point(f"study/{state}", float(sum(trial.state == state for trial in study.trials)), end, 0)
        for state in ("complete", "pruned", "diverged")
    ]
    folder = study_path(results, study.name).parent
    files = [study_path(results, study.name), winner_path(results, study.name)]
    files += [path for path in sorted(folder.glob(f"{study.name}*")) if path.suffix in SUFFIXES]
    artifacts = {f"study/{path.name}": path for path in files if path.is_file() and _belongs(path, study.name)}
    return Run(
        cell=_address(study),
        projection=f"{LAYOUT}:{_digest(study.digest, artifacts)}",
        name=f"study {study.name}",
        status="FINISHED",
        start=start,
        end=end,
        tags=tags,
        params=params,
        metrics=tuple(metrics),
        artifacts=artifacts,
    )


def _trial(study: Study, number: int, start: int, end: int) -> Run:
    trial = study.trials[number]
    settings = as_trained(trial.params)
    tags = {
        "kind": "trial",
        "cell": f"{_address(study)}/{number}",
        "study": study.name,
        "state": trial.state,
        "reason": trial.reason,
        "mlflow.source.name": "bench.tune",
        "mlflow.source.type": "LOCAL",
    }
    metrics = [Point("val/objective", value, start, step) for step, value in trial.steps]
    if trial.value is not None:
        metrics.append(Point("study/value", trial.value, end, 0))
    return Run(
        cell=f"{_address(study)}/{number}",
        projection=f"{LAYOUT}:{_trial_digest(study, trial)}",
        name=f"{study.identity.method}/{study.identity.dataset}/trial {number}",
        # MLflow has a word for a run that was ended before its time; a trial that diverged has failed.
        status={"complete": "FINISHED", "pruned": "KILLED", "diverged": "FAILED"}[trial.state],
        start=start,
        end=end,
        tags={name: value for name, value in tags.items() if value},
        params={"method": study.identity.method, "dataset": study.identity.dataset}
        | {name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in settings.items()},
        metrics=tuple(metrics),
    )


def _moments(study: Study, end: int) -> Iterator[tuple[int, int]]:
    """Start and end of each trial in milliseconds since 1970: laid end to end before the file's time, for charts."""
    at = end - int(1000 * sum(trial.seconds for trial in study.trials))
    for trial in study.trials:
        yield at, at + int(1000 * trial.seconds)
        at += int(1000 * trial.seconds)


def _address(study: Study) -> str:
    return f"study/{study.name}"


def _belongs(path: Path, name: str) -> bool:
    """Whether a file is this study's and not that of one whose name begins alike."""
    rest = path.stem.removeprefix(name)
    return rest in ("", "-trials", "-expected-best", "-surface", "-history")


def _trial_digest(study: Study, trial: FinishedTrial) -> str:
    content = [
        study.name,
        study.identity.data,
        trial.state,
        dict(trial.params),
        trial.value,
        list(trial.steps),
        trial.reason,
    ]
    return hashlib.sha256(canonical(content)).hexdigest()


def _digest(study: str, artifacts: dict[str, Path]) -> str:
    shown = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in artifacts.items()}
    return hashlib.sha256(canonical([study, shown])).hexdigest()
