"""How are the weights of a finished cell kept, and how do they answer again?  One file without pickle, below runs/."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from baselines.registry import METHODS, entry
from bench.atomic import replacing
from bench.errors import UserError
from bench.method import Context, Method
from bench.spec import Cell, settings_of
from bench.switches import flatten, resolve

WEIGHTS = "weights.pt"
_MARK = "dan-bench cell"


@dataclass(frozen=True)
class TrainedInfo:
    """What a weights file says of itself.  `classes` is the order of the logits; `images` how many were trained on."""

    dataset: str
    method: str
    settings: dict[str, Any]
    classes: tuple[str, ...]
    image_size: int
    images: int
    key: str


def save_trained(folder: Path, cell: Cell, method: Method, classes: tuple[str, ...], images: int, key: str) -> Path:
    """Write the weights of a finished cell, with what is needed to build its method again."""
    settings = flatten(settings_of(cell.method, cell.variant))
    info = TrainedInfo(cell.dataset, cell.method, settings, classes, cell.recipe.image_size, images, key)
    path = folder / WEIGHTS
    with replacing(path) as file:
        torch.save({_MARK: json.dumps(asdict(info)), "method": method.state_dict()}, file)
    return path


def is_trained(content: Any) -> bool:
    """Whether a loaded file is one of ours."""
    return isinstance(content, dict) and isinstance(content.get(_MARK), str) and isinstance(content.get("method"), dict)


def load_trained(content: dict[str, Any], path: Path) -> tuple[Method, TrainedInfo]:
    """The method of a file that `is_trained`, in evaluation mode.  Raises UserError where it does not fit this
    version."""
    try:
        stated = json.loads(content[_MARK])
        info = TrainedInfo(**stated | {"classes": tuple(stated["classes"])})
        if info.method not in METHODS:
            raise ValueError(f"its method '{info.method}' does not exist here")
        context = Context(
            dataset=info.dataset,
            num_classes=len(info.classes),
            image_size=info.image_size,
            train_labels=torch.zeros(info.images, dtype=torch.int64),
            epochs=1,
            batch_size=1,
        )
        settings: Any = resolve(entry(info.method).settings, info.settings, str(path))
        method: Method = import_module(entry(info.method).module).build(settings, context)
        method.load_state_dict(content["method"])
    except (ValueError, TypeError, KeyError, RuntimeError) as error:
        raise UserError(
            f"{path}: {str(error).splitlines()[0]}; it was written by another version, train the cell again"
        ) from None
    return method.eval(), info
