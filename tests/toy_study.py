"""What is a study that takes seconds?  A bowl for an objective, which can kill its own process, and its task."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import optuna

from bench.errors import CellError
from bench.record import Score
from bench.study.owner import Task, run
from bench.study.space import published, space_of
from bench.study.text import Identity
from bench.study.workers import Tell
from bench.switches import Scalar

EPOCHS, TRIALS = 4, 14


@dataclass(frozen=True)
class Bowl:
    """A stub objective: a bowl in (log lambda1, log lambda2) that rises with the epochs.

    It kills its own process at the `deadly` reports, counted over all processes in `counter`.
    """

    counter: Path | None = None
    deadly: tuple[int, ...] = ()
    diverges_above: float = math.inf

    def __call__(self, params: Mapping[str, Scalar], tell: Tell) -> tuple[Score, ...]:
        x, y = (math.log10(float(params[name] or 0)) for name in ("loss.lambda1", "loss.lambda2"))
        if x > self.diverges_above:
            raise CellError("the loss is nan in epoch 1, step 1")
        right = 0
        for epoch in range(1, EPOCHS + 1):
            self.live_or_die()
            right = int(1000 * (0.8 - 0.05 * (x - 0.5) ** 2 - 0.02 * y * y) * (1 - 0.5**epoch))
            tell(epoch, right / 1000)
        return (Score(EPOCHS, right, 1000, (right // 2, right - right // 2), (500, 500)),)

    def live_or_die(self) -> None:
        if self.counter is None:
            return
        count = int(self.counter.read_text()) + 1 if self.counter.exists() else 1
        self.counter.write_text(str(count))
        if count in self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)


def task(folder: Path, trials: int = TRIALS, **changes: object) -> Task:
    space = space_of("dan")
    identity = Identity(
        dataset="rafdb-twin", method="dan", budget="quick", objective="accuracy", seed=0, tuning_seeds=(1000,),
        space={each.name: each.domain for each in space}, published=published(space), sampler="tpe", pruner="median",
        recipe={"epochs": EPOCHS, "numeric": "faithful"}, data="d" * 64, weights="none", weights_sha256=None,
        device="cpu", optuna=optuna.__version__, sources={"bench/cell.py": "a" * 64},
    )  # fmt: skip
    named = {key: value for key, value in changes.items() if hasattr(identity, key)}
    rest = {key: value for key, value in changes.items() if key not in named}
    identity = replace(identity, **named)  # type: ignore[arg-type]
    return Task("toy", identity, space, trials, folder / "runs", folder / "results", **rest)  # type: ignore[arg-type]


def run_until_killed(folder: Path, objective: Bowl, url: str | None) -> int:
    """Run the study in another process; its exit code, -9 where it was killed."""
    process = get_context("fork").Process(target=run, args=(task(folder, url=url), objective))
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode
