"""What does the usual training script do?  The official data path and loop, re-stated: the reference of ratio A.

One image at a time: decode the file, PIL transforms of torchvision (v1), collate in a DataLoader's workers, copy the
batch to the device, one step in fp32 as torch computes it by default.  Source: the transforms, the order of the steps
and the settings of github.com/yaoing/DAN (rafdb.py), in our words; model and loss are ours, so only the loop differs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.transforms import functional

from bench.data.augment import IMAGENET_MEAN, IMAGENET_STD
from bench.data.draws import PAPER_SIZE, AugmentSpec, Draws
from bench.data.listing import Sample
from bench.method import Batch, Method


def official_transform(size: int) -> Callable[[Image.Image], Tensor]:
    """The RAF-DB training transform; the padding, which the script states for 224 pixels, is scaled with the image."""
    moved = [transforms.RandomRotation(20), transforms.RandomCrop(size, padding=round(32 * size / PAPER_SIZE))]
    return transforms.Compose(
        [
            transforms.Resize((size, size)),
            transforms.RandomHorizontalFlip(),
            transforms.RandomApply(moved, p=0.2),
            transforms.ToTensor(),
            transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD),
            transforms.RandomErasing(scale=(0.02, 0.25)),
        ]
    )


class Files(Dataset[tuple[Tensor, int]]):
    """Image files, decoded and transformed whenever they are asked for."""

    def __init__(self, root: Path, samples: Sequence[Sample], transform: Callable[[Image.Image], Tensor]) -> None:
        self.root, self.samples, self.transform = root, samples, transform

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, position: int) -> tuple[Tensor, int]:
        sample = self.samples[position]
        with Image.open(self.root / sample.path) as image:
            return self.transform(image.convert("RGB")), sample.label


def loader(files: Files, batch_size: int, workers: int, device: torch.device) -> DataLoader[Any]:
    """The DataLoader as the script makes it."""
    return DataLoader(files, batch_size, shuffle=True, num_workers=workers, pin_memory=device.type == "cuda")


def epoch(method: Method, optimizer: torch.optim.Optimizer, batches: DataLoader[Any], device: torch.device) -> int:
    """One epoch of the usual loop; returns how many images it took."""
    method.train()
    total, correct, seen = torch.zeros((), device=device), torch.zeros((), device=device), 0
    for images, labels in batches:
        optimizer.zero_grad()
        images, labels = images.to(device), labels.to(device)
        index = torch.arange(len(labels), device=device)  # what our method contract asks for, unused by DAN
        step = method.step(Batch(images, labels, index, 1))
        step.loss.backward()
        optimizer.step()
        total += step.loss.detach()
        correct += (step.logits.argmax(dim=1) == labels).sum()
        seen += len(labels)
    assert torch.isfinite(total)
    return seen


def on_given_draws(pixels: np.ndarray, spec: AugmentSpec, drawn: Draws, i: int) -> Tensor:
    """The official chain (torchvision's functional operations on a PIL image) with the draws of row i: (3, S, S)."""
    image = Image.fromarray(pixels)
    if drawn.flip[i]:
        image = functional.hflip(image)
    first, second = (int(value) for value in drawn.offset[i])
    if drawn.geometry[i] and spec.geometry == "rotate_crop":
        image = functional.rotate(image, float(drawn.angle[i]))
        image = functional.crop(functional.pad(image, [spec.padding]), first, second, spec.size, spec.size)
    elif drawn.geometry[i]:
        image = functional.affine(image, float(drawn.angle[i]), [first, second], float(drawn.scale[i]), [0.0, 0.0])
    tensor = functional.normalize(functional.to_tensor(image), list(IMAGENET_MEAN), list(IMAGENET_STD))
    top, left, height, width = (int(value) for value in drawn.erase[i])
    return functional.erase(tensor, top, left, height, width, torch.tensor(0.0)) if height else tensor
