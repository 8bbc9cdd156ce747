"""How is the backbone pre-trained?  Regression of what the renderer set; resumable, and on a CPU bit-identical."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench import checkpoint, seeds
from bench.data.augment import gather_rows
from bench.data.twin.store import RenderedSplit, RenderedTwin
from bench.errors import UserError
from bench.pretrain import look, targets
from bench.train import batched
from dan.backbone import FEATURE_DIM, resnet18_trunk

EVALUATION_BATCH = 128


@dataclass(frozen=True)
class Plan:
    """One pre-training: `images` training pictures rendered at `render_size`, seen `epochs` times as crops of
    `image_size` pixels in batches of `batch_size`; AdamW with a cosine from `lr` to 0."""

    images: int
    render_size: int
    image_size: int
    epochs: int
    batch_size: int = 32
    lr: float = 1e-3
    weight_decay: float = 0.05
    seed: int = 0


@dataclass(frozen=True)
class EpochLog:
    """After an epoch: mean loss over the training pictures, and the coefficient of determination of each target
    on the held-out people (in the order of targets.NAMES)."""

    epoch: int
    loss: float
    r2: tuple[float, ...]
    seconds: float


class Regressor(nn.Module):
    """The trunk, mean pooling, and a linear map to the targets."""

    def __init__(self) -> None:
        super().__init__()
        self.features = resnet18_trunk()
        self.fc = nn.Linear(FEATURE_DIM, len(targets.NAMES))

    def forward(self, images: Tensor) -> Tensor:
        return self.fc(self.features(images).mean(dim=(2, 3)))


def pretrain(
    plan: Plan,
    people: RenderedTwin,
    folder: Path,
    key: str,
    device: torch.device,
    report: Callable[[EpochLog], None] | None = None,
) -> tuple[Regressor, list[EpochLog]]:
    """Train to the last epoch, or go on from the newest checkpoint in `folder` that carries `key`."""
    raw = targets.targets(people.train.meta)
    scale = targets.scale_of(raw)
    wanted = [torch.from_numpy(targets.standardised(part, scale)).to(device) for part in (raw, targets.mirrored(raw))]
    weights = torch.from_numpy(targets.weights()).to(device)
    model, optimizer = _fresh(plan, device)
    logs = _restore(folder, key, model, optimizer)
    for epoch in range(len(logs) + 1, plan.epochs + 1):
        began = time.monotonic()
        loss = _epoch(model, optimizer, people.train, wanted, weights, plan, epoch)
        held_out = targets.standardised(targets.targets(people.test.meta), scale)
        found = r2(predicted(model, people.test, plan, device), held_out)
        logs.append(EpochLog(epoch, loss, tuple(float(value) for value in found), round(time.monotonic() - began, 1)))
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "logs": _written(logs)}
        checkpoint.save(folder, key, state)
        if report is not None:
            report(logs[-1])
    return model.eval(), logs


def predicted(model: Regressor, split: RenderedSplit, plan: Plan, device: torch.device) -> NDArray[np.float32]:
    """(n, T) standardised targets as the model sees them in the middle crops of a split."""
    model.eval()
    zoom = plan.image_size / plan.render_size
    found = []
    with torch.no_grad():
        for start in range(0, len(split.labels), EVALUATION_BATCH):
            rows = np.arange(start, min(start + EVALUATION_BATCH, len(split.labels)))
            pixels = gather_rows(split.images, rows).to(device)
            found.append(model(look.plain(pixels, plan.image_size, zoom)))
    return torch.cat(found).cpu().numpy()


def r2(predicted: NDArray[np.float32], wanted: NDArray[np.float32]) -> NDArray[np.float64]:
    """(T,) coefficients of determination, 1 - squared error / variance; NaN for a target that does not vary."""
    error = ((predicted - wanted) ** 2).mean(axis=0, dtype=np.float64)
    variance = wanted.var(axis=0, dtype=np.float64)
    return np.where(variance > 0, 1 - error / np.where(variance > 0, variance, 1), np.nan)


def _epoch(
    model: Regressor,
    optimizer: torch.optim.Optimizer,
    split: RenderedSplit,
    wanted: list[Tensor],
    weights: Tensor,
    plan: Plan,
    epoch: int,
) -> float:
    """One pass over the training pictures; the mean loss."""
    model.train()
    batches = batched(seeds.order(plan.seed, epoch, len(split.labels)), plan.batch_size)
    losses = []
    for number, rows in enumerate(batches):
        generator = torch.Generator().manual_seed(seeds.stream_seed("look", plan.seed, epoch, number) >> 1)
        device = weights.device
        flip = (torch.rand(len(rows), generator=generator) < 0.5).to(device)
        images = look.randomised(gather_rows(split.images, rows).to(device), plan.image_size, flip, generator)
        index = torch.from_numpy(rows).to(device)
        target = torch.where(flip[:, None], wanted[1][index], wanted[0][index])  # (B, T)
        done = (epoch - 1 + number / len(batches)) / plan.epochs
        for group in optimizer.param_groups:
            group["lr"] = plan.lr * 0.5 * (1 + math.cos(math.pi * done))
        loss = ((model(images) - target) ** 2 @ weights).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach() * len(rows))
    total = float(torch.stack(losses).double().sum())
    if not math.isfinite(total):
        raise UserError(
            f"pre-training: the loss of epoch {epoch} is not finite; give a lower learning rate in the plan"
        )
    return total / len(split.labels)


def _fresh(plan: Plan, device: torch.device) -> tuple[Regressor, torch.optim.Optimizer]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeds.init_seed(plan.seed, "pretraining"))
        model = Regressor().to(device)
    return model, torch.optim.AdamW(model.parameters(), plan.lr, weight_decay=plan.weight_decay, fused=True)


def _restore(folder: Path, key: str, model: Regressor, optimizer: torch.optim.Optimizer) -> list[EpochLog]:
    state = checkpoint.load(folder, key, next(model.parameters()).device)
    if state is None:
        return []
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return [EpochLog(**log | {"r2": tuple(log["r2"])}) for log in json.loads(state["logs"])]


def _written(logs: list[EpochLog]) -> str:
    rows: list[dict[str, Any]] = [asdict(log) for log in logs]
    return json.dumps(rows)
