"""Is it exact while it is fast?  No value differs from PIL, and one digest run against run and after a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch

from bench.numeric import arithmetic
from bench.perf import work
from bench.perf.cell import Way, digest, digest_in_batches, digest_of_map
from bench.perf.plan import Sizes

PRESETS = ("rafdb", "affectnet", "sfew")
WORKERS = (0, 1, 4)
EVALUATION_BATCHES = (32, 64)
KILLED = "kill -9 in the third of four epochs and a second start"


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
    with ThreadPoolExecutor() as pool:  # what is killed and resumed is in processes of its own
        killed = {
            way: pool.submit(resumed, where.cache / f"killed-{way}", device, way)
            for way in (("faithful", "fast", "fast-compiled") if device.type == "cuda" else ("faithful",))
        }
        whole = digest(where.cache / "whole", device)
        others = {"of a second run": digest(where.cache / "again", device)}
        for workers in WORKERS:
            title = f"with {workers} loader workers, images out of the map"
            others[title] = digest_of_map(where.cache / f"workers-{workers}", device, workers)
        for images in EVALUATION_BATCHES:
            title = f"with {images} images evaluated at once"
            others[title] = digest_in_batches(where.cache / f"batch-{images}", device, images)
        others[f"after {KILLED}"] = killed["faithful"].result()
        found += _against(whole, others)
        if device.type == "cuda":
            captured = {
                "of `fast`, a second run": digest(where.cache / "fast-again", device, way="fast"),
                "of `fast`, step by step (nothing captured)": digest(where.cache / "plain", device, way="fast-plain"),
                f"of `fast`, after {KILLED}": killed["fast"].result(),
            }
            found += _against(digest(where.cache / "fast", device, way="fast"), captured)
            title = f"of `fast`, compiled (ResNet-18), after {KILLED}, compiled there anew"
            compiled = digest(where.cache / "compiled", device, way="fast-compiled")
            found += _against(compiled, {title: killed["fast-compiled"].result()})
    return tuple(found)


def _against(whole: str, others: Mapping[str, str]) -> list[Gate]:
    return [Gate(f"digest {title}", other[:12], whole[:12]) for title, other in others.items()]


def resumed(folder: Path, device: torch.device, way: Way = "faithful") -> str:
    """The record digest of a small cell that was killed and goes on, each time in a process of its own."""
    kill(folder, device, way)
    return run(folder, device, way)


def run(folder: Path, device: torch.device, way: Way = "faithful") -> str:
    """The record digest of a small cell, trained in a process of its own that goes on from what lies in `folder`."""
    done = subprocess.run(
        _command(folder, device, way), stdout=subprocess.PIPE, text=True, check=True, env=_environment(folder)
    )
    return done.stdout.split()[-1]


def kill(folder: Path, device: torch.device, way: Way = "faithful") -> None:
    """Begin the small cell and kill it when it reports that two epochs are behind it."""
    command, environment = _command(folder, device, way), _environment(folder)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if line.strip() == "2":
                child.send_signal(signal.SIGKILL)
                break
    if child.returncode != -signal.SIGKILL:
        raise RuntimeError("the cell that was to be killed ended before it could be")


def _command(folder: Path, device: torch.device, way: Way) -> list[str]:
    return [sys.executable, "-m", "bench.perf.cell", str(folder), str(device), way]


def _environment(folder: Path) -> dict[str, str]:
    """With a compiler's cache of its own: what another process compiled is not found there."""
    return os.environ | {"TORCHINDUCTOR_CACHE_DIR": str(folder / "compiled")}
