"""Who runs the cells?  `--executor local`: this machine's processes; `--executor ray`: Ray tasks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.device import cuda_count
from bench.launch import cluster, local, ray_link
from bench.launch.job import Job, Outcome, Progress

Launch = Callable[[Sequence[Job], int, Progress], Iterator[Outcome]]


@dataclass(frozen=True)
class Executor:
    """`gpus` and `cpus` count what there is to run on; `launch` runs jobs, so many at once, and yields outcomes."""

    gpus: Callable[[], int]
    cpus: Callable[[], int]
    launch: Launch

    def at_once(self, device: str) -> int:
        """How many cells run side by side unless a person says otherwise: one a GPU, one a core."""
        return self.gpus() if device == "cuda" else self.cpus()


EXECUTORS: Mapping[str, Executor] = {
    "local": Executor(cuda_count, lambda: os.cpu_count() or 1, local.launch),
    "ray": Executor(ray_link.gpus, ray_link.cpus, cluster.launch),
}
