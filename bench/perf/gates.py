"""Is it exact while it is fast?  No value differs from PIL, and one digest run against run and after a kill."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from bench.numeric import arithmetic
from bench.perf import work
from bench.perf.cell import digest, digest_in_batches, digest_of_map
from bench.perf.plan import Sizes

PRESETS = ("rafdb", "affectnet", "sfew")
WORKERS = (0, 1, 4)
EVALUATION_BATCHES = (32, 64)


@dataclass(frozen=True)
class Gate:
    """Something that must hold whatever the speed: what was found, what must be found."""

    title: str
    found: str
    wanted: str

    @property
    def held(self) -> bool:
        return self.found == self.wanted


def gates(where: work.Scene, sizes: Sizes, device: torch.device) -> tuple[Gate, ...]:
    """All gates, on this device."""
    found = []
    with arithmetic("faithful", device) as numbers:
        for name in PRESETS:
            count = work.values_that_differ(where, name, sizes.data_size, sizes.gate_images, numbers)
            what = f"{sizes.gate_images} images of {sizes.data_size} px"
            found.append(Gate(f"values that differ from PIL and torchvision, preset {name}, {what}", str(count), "0"))
    whole = digest(where.cache / "whole", device)
    others = {"of a second run": digest(where.cache / "again", device)}
    for workers in WORKERS:
        title = f"with {workers} loader workers, images out of the map"
        others[title] = digest_of_map(where.cache / f"workers-{workers}", device, workers)
    for images in EVALUATION_BATCHES:
        title = f"with {images} images evaluated at once"
        others[title] = digest_in_batches(where.cache / f"batch-{images}", device, images)
    killed_in = where.cache / "killed"
    kill(killed_in, device)
    others["after kill -9 in the third of four epochs and a second start"] = run(killed_in, device)
    found += [Gate(f"digest {title}", other[:12], whole[:12]) for title, other in others.items()]
    return tuple(found)


def run(folder: Path, device: torch.device) -> str:
    """The record digest of a small cell, trained in a process of its own that goes on from what lies in `folder`."""
    done = subprocess.run(_command(folder, device), stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.split()[-1]


def kill(folder: Path, device: torch.device) -> None:
    """Begin the small cell and kill it when it reports that two epochs are behind it."""
    with subprocess.Popen(_command(folder, device), stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if line.strip() == "2":
                child.send_signal(signal.SIGKILL)
                break
    if child.returncode != -signal.SIGKILL:
        raise RuntimeError("the cell that was to be killed ended before it could be")


def _command(folder: Path, device: torch.device) -> list[str]:
    return [sys.executable, "-m", "bench.perf.cell", str(folder), str(device)]
