"""When is a run killed?  At a random time, or while a file of some kind is written; the same moments in each proof."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SUITE, STUDY = "suite", "study"
# What is written, by the names of the temporary file and of the finished one, in the folder of a run.
WRITES: dict[str, dict[str, tuple[str, ...]]] = {
    SUITE: {
        "checkpoint": ("runs/cells/**/.checkpoint.pt.*", "runs/cells/**/checkpoint.pt"),
        "cache": ("runs/cache/*/*.part", "runs/cache/*/.*.part", "runs/cache/*/*.np?"),
        "record": ("results/records/**/.*.part", "results/records/**/*.json"),
        "MLflow": ("../mlflow.db-wal",),
        "predictions": ("results/predictions/**/.*.part", "results/predictions/**/*.npz"),
        "page": ("results/tables/**/.*.part", "results/tables/**/*.md"),
        "weights": ("runs/cells/**/.weights.pt.*", "runs/cells/**/weights.pt"),
        "MLflow artifact": ("runs/mlartifacts/*/artifacts/*",),
    },
    STUDY: {
        "journal": ("runs/studies/*.log",),
        "study": ("results/studies/.*.part", "results/studies/*.json"),
        "winner": ("results/tuned/**/.*.part", "results/tuned/**/*.toml"),
        "MLflow artifact": ("runs/mlartifacts/*/artifacts/*",),
        "record": ("results/records/**/.*.part", "results/records/**/*.json"),
        "page": ("results/**/.*.md.*", "results/**/*.md"),
    },
}
LINGER = 0.3  # seconds after a sight within which the kill falls


@dataclass(frozen=True)
class Moment:
    """A kill of the run of `subject`: `share` of its whole time after its start, or `linger` seconds after the sight of
    a `write`."""

    subject: str
    share: float
    write: str | None = None
    linger: float = 0.0

    @property
    def what(self) -> str:
        return f"a {self.write} write" if self.write else "a random time"

    def sights(self, folder: Path) -> set[tuple[Path, int]]:
        """The files of the awaited kind, with the times of their last changes: what is new in it is being written."""
        found = set()
        for pattern in WRITES[self.subject][self.write] if self.write else ():
            for path in folder.glob(pattern):
                with suppress(OSError):  # a temporary file that has just found its name
                    found.add((path, path.stat().st_mtime_ns))
        return found


def moments(count: int, subjects: Sequence[str] = (SUITE, STUDY)) -> tuple[Moment, ...]:
    """The kills of a proof: every fourth of a study; two thirds at random times, the others at each kind of write.

    Moment k is a function of k, so that a longer proof begins with the kills of a shorter one.
    """
    found = []
    for number in range(count):
        chance = random.Random(f"dan-bench kill {number}")
        subject = STUDY if number % 4 == 3 and STUDY in subjects else SUITE
        among = tuple(WRITES[subject])
        turn = number // 8 if subject == STUDY else number // 2 - number // 8
        aimed = number // 4 % 2 if subject == STUDY else number % 2
        linger = chance.uniform(0, LINGER) if chance.random() < 0.5 else 0.0
        found.append(Moment(subject, chance.random(), among[turn % len(among)] if aimed else None, linger))
    return tuple(found)
