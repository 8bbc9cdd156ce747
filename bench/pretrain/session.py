"""What happens in one pre-training?  Render, train, write the files, show the run in MLflow."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from bench import checkpoint
from bench.data.twin.population import digest
from bench.errors import UserError
from bench.key import TREE, imported
from bench.numeric import arithmetic
from bench.pretrain import files, tracked
from bench.pretrain.faces import faces, population
from bench.pretrain.train import EpochLog, Plan, pretrain
from bench.provenance import provenance
from bench.record import canonical


def run(
    plan: Plan, out: Path, runs: Path, device: torch.device, report: Callable[[EpochLog], None] | None = None
) -> tuple[Path, ...]:
    """Pre-train, or go on from the last finished epoch; returns the files that were written.

    Raises UserError where another process is at the same pre-training.
    """
    key = identity(plan)
    folder = runs / "pretraining" / key[:16]
    folder.mkdir(parents=True, exist_ok=True)
    label = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    facts = provenance(label)
    try:
        with FileLock(folder / "lock", timeout=0), arithmetic("faithful", device):
            people = faces(plan.images, plan.render_size, plan.seed, runs / "cache")
            model, logs = pretrain(plan, people, folder, key, device, report)
    except Timeout:
        raise UserError(f"{folder}: another process is at this very pre-training; wait for it") from None
    weights = files.backbone_bytes(model)
    told = files.story(plan, people.spec, logs, weights, facts)
    written = files.write(out, weights, told)
    checkpoint.clear(folder)
    tracked.show(told, written, runs, lambda line: print(line, file=sys.stderr))
    return written


def identity(plan: Plan) -> str:
    """The digest of everything that a pre-training's weights depend on: the plan, the pictures, and the sources."""
    sources = {
        name: hashlib.sha256((TREE / name).read_bytes()).hexdigest()
        for name in sorted(imported("bench.pretrain.train"))
    }
    pictures = digest(population(plan.images, plan.seed), plan.render_size)
    return hashlib.sha256(canonical({"plan": asdict(plan), "pictures": pictures, "sources": sources})).hexdigest()
