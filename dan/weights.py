"""Which weights does a model start from?  Official DAN checkpoints, and ResNet-18 files for the backbone.

Nothing is loaded in part: a file that does not match in every name and shape is refused, and the message names the
first that is missing and the first that is unexpected.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dan.backbone import FEATURE_DIM, TRUNK_INDEX, resnet18_trunk
from dan.model import DAN
from dan.options import OFFICIAL, Head, Options
from dan.tensorfile import TensorFile, WeightsError, read_tensor_file, state_dict

__all__ = [
    "CheckpointInfo",
    "WeightsError",
    "dan_from_tensors",
    "describe_checkpoint",
    "load_backbone",
    "load_dan_checkpoint",
]

# Classifiers that come with a backbone file: torchvision's and MS-Celeb's `fc`, and the second one of SCN and RAN.
_CLASSIFIERS = ("fc.", "feature.")
_BATCHES_SEEN = "num_batches_tracked"  # older files lack it, and nothing here reads it
_MOMENTUM = ("momentum_buffer", "exp_avg")  # of SGD and of Adam


@dataclass(frozen=True)
class CheckpointInfo:
    """What a DAN checkpoint says of its training.

    `epoch` counts from 1, None where it was not saved.  `num_centers` is the number of affinity centres that the
    optimiser's state tells (the centres are not saved), None where it tells nothing.  `sha256` is the file's digest.
    """

    epoch: int | None
    num_classes: int
    num_heads: int
    num_centers: int | None
    sha256: str


def load_dan_checkpoint(path: str | Path, num_classes: int | None = None, options: Options = OFFICIAL) -> DAN:
    """The model of an official checkpoint, in evaluation mode, on the CPU.

    Classes, heads and `head.logit_bn` come from the tensors; the other switches leave no trace in them and come from
    `options`.  Raises WeightsError for a file that is no DAN checkpoint, or has another number of classes than asked.
    """
    file = read_tensor_file(path)
    model = dan_from_tensors(state_dict(file), options, where=str(path))
    if num_classes is not None and model.fc.out_features != num_classes:
        raise WeightsError(f"{path}: is a checkpoint for {model.fc.out_features} classes, not {num_classes}")
    return model


def dan_from_tensors(tensors: Mapping[str, Tensor], options: Options = OFFICIAL, where: str = "state dict") -> DAN:
    """The model whose state dict is `tensors`, in evaluation mode; `where` is the word for it in a WeightsError."""
    num_classes, num_heads = _shape_of_dan(tensors, where)
    options = replace(options, head=Head(logit_bn="bn.weight" in tensors))
    with torch.device("meta"):  # no memory, and no draw from the caller's random state
        model = DAN(num_classes, num_heads, options)
    _require_match(model.state_dict(), tensors, f"{where}: is no DAN checkpoint", "tensors")
    model = model.to_empty(device="cpu")
    model.load_state_dict(tensors)
    return model.eval()


def describe_checkpoint(path: str | Path) -> CheckpointInfo:
    """Epoch, classes, heads and number of centres of an official checkpoint.  Errors are those of the loader."""
    file = read_tensor_file(path)
    model = dan_from_tensors(state_dict(file), where=str(path))
    saved: Mapping[str, Any] = file.content if isinstance(file.content, Mapping) else {}
    epoch = saved.get("iter")
    return CheckpointInfo(
        epoch=epoch if isinstance(epoch, int) else None,
        num_classes=model.fc.out_features,
        num_heads=model.options.heads,
        num_centers=_centers_in(saved.get("optimizer_state_dict"), len(list(model.parameters()))),
        sha256=file.sha256,
    )


def load_backbone(model: nn.Module, path: str | Path) -> str:
    """Load a ResNet-18 file into `model` (a trunk, a module whose `features` is one, or a torchvision ResNet-18), and
    return the file's SHA-256.

    Reads MS-Celeb, ImageNet, and SCN/RAN files: torchvision's names, with or without `module.`, under `state_dict` or
    bare.  Raises WeightsError, and leaves the model as it was, unless all 100 backbone tensors match in name and shape.
    """
    file = read_tensor_file(path)
    tensors = _backbone_tensors(file)
    own = _trunk_tensors(model)
    with torch.no_grad():
        for name, value in tensors.items():
            own[name].copy_(value)
    return file.sha256


def _backbone_tensors(file: TensorFile) -> dict[str, Tensor]:
    """The trunk's tensors of a file by torchvision's names: all 100, and the counters of batches where it has them."""
    tensors = {name: value for name, value in state_dict(file).items() if not name.startswith(_CLASSIFIERS)}
    with torch.device("meta"):
        expected = _trunk_tensors(resnet18_trunk())
    optional = {name for name in expected if name.endswith(_BATCHES_SEEN)}
    found = {name: value for name, value in tensors.items() if name not in optional}
    wanted = {name: value for name, value in expected.items() if name not in optional}
    _require_match(wanted, found, f"{file.path}: is no ResNet-18 backbone", "backbone tensors")
    return tensors


def _trunk_tensors(model: nn.Module) -> dict[str, Tensor]:
    """The tensors of a model's trunk by torchvision's names, sharing its memory."""
    trunk = getattr(model, "features", model)
    torchvision_name = {str(index): name for name, index in TRUNK_INDEX.items()}
    tensors = {}
    for name, value in trunk.state_dict().items():
        layer, _, rest = name.partition(".")
        tensors[f"{torchvision_name.get(layer, layer)}.{rest}"] = value
    if "conv1.weight" not in tensors:
        raise TypeError(f"{type(model).__name__} has no ResNet-18 trunk")
    return tensors


def _shape_of_dan(tensors: Mapping[str, Tensor], where: str) -> tuple[int, int]:
    """Number of classes and of heads."""
    heads = {int(match[1]) for name in tensors if (match := re.match(r"cat_head(\d+)\.", name))}
    weight = tensors.get("fc.weight")
    if weight is None or weight.dim() != 2 or not heads:
        absent = "attention heads (cat_head0...)" if not heads else "classifier (fc.weight)"
        raise WeightsError(f"{where}: is no DAN checkpoint: it has no {absent}; its first tensor is {_first(tensors)}")
    if heads != set(range(len(heads))):
        lost = _first(set(range(max(heads))) - heads)
        raise WeightsError(f"{where}: is no DAN checkpoint: it has cat_head{max(heads)} but no cat_head{lost}")
    return weight.shape[0], len(heads)


def _require_match(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor], lead: str, noun: str) -> None:
    """Raise WeightsError, with the first fault of each kind, unless names and shapes agree and values are finite."""
    missing = [name for name in wanted if name not in found]
    unexpected = [name for name in found if name not in wanted]
    shared = [name for name in wanted if name in found]
    misshapen = [name for name in shared if found[name].shape != wanted[name].shape]
    faults = []
    if missing:
        faults.append(f"first missing: {missing[0]}")
    if unexpected:
        faults.append(f"first unexpected: {unexpected[0]}")
    if misshapen:
        name = misshapen[0]
        faults.append(f"first wrong shape: {name} {_sizes(found[name])} where {_sizes(wanted[name])} belongs")
    if faults:
        matched = len(shared) - len(misshapen)
        raise WeightsError(f"{lead}: {matched} of {len(wanted)} {noun} match; {'; '.join(faults)}")
    broken = [name for name in shared if not found[name].isfinite().all()]
    if broken:
        raise WeightsError(f"{lead}: {broken[0]} holds NaN or infinity")


def _centers_in(optimizer: Any, num_parameters: int) -> int | None:
    """The number of centres: rows of the momentum of the parameter that follows the model's `num_parameters`."""
    if not isinstance(optimizer, Mapping):
        return None
    order = [key for group in optimizer.get("param_groups", ()) for key in group["params"]]
    state = optimizer.get("state", {}).get(order[num_parameters], {}) if len(order) > num_parameters else {}
    for name in _MOMENTUM:
        buffer = state.get(name)
        if isinstance(buffer, Tensor) and buffer.dim() == 2 and buffer.shape[1] == FEATURE_DIM:
            return buffer.shape[0]
    return None


def _first(names: Iterable[Any]) -> Any:
    return next(iter(names), "none")


def _sizes(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"
