"""How fast could a ResNet-18 step be on this GPU?  Its bytes at the bandwidth, its products at the rate, measured now.

The floor of PERFORMANCE: convolutions and linear layers at the rate of a large bf16 matrix product, everything between
them at the bandwidth of a large copy, one after the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

# Passes over a map of bf16 values in forward and backward.  Batch normalisation: statistics, then read and write;
# backward two reads for the sums, two reads and a write for the gradient.  ReLU in place: read, write; read twice,
# write.  A residual sum: two reads and a write, its backward shares the gradient.
PASSES = {nn.BatchNorm2d: 8, nn.ReLU: 5}
RESIDUAL_PASSES = 3
BF16_BYTES = 2


@dataclass(frozen=True)
class Floor:
    """`bandwidth` in bytes and `products` in floating-point operations a second, measured; `seconds` an image."""

    bandwidth: float
    products: float
    seconds: float


def work_of(network: nn.Module, size: int) -> tuple[int, int]:
    """Bytes between the products, and operations of the products (two a multiply-add), of one image forward and
    backward."""
    from bench.cost import cost_of

    moved = 0

    def count(layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        nonlocal moved
        if isinstance(layer, nn.MaxPool2d):
            moved += (inputs[0].numel() + output.numel()) * 2 * BF16_BYTES
        elif hasattr(layer, "bn2"):  # a residual block
            moved += RESIDUAL_PASSES * output.numel() * BF16_BYTES
        else:
            moved += PASSES.get(type(layer), 0) * output.numel() * BF16_BYTES

    hooks = [layer.register_forward_hook(count) for layer in network.modules()]
    device = next(network.parameters()).device
    with torch.no_grad():
        network.eval()(torch.zeros(1, 3, size, size, device=device))
    for hook in hooks:
        hook.remove()
    return moved, 3 * 2 * cost_of(network, (3, size, size)).macs  # backward multiplies twice as often as forward


def measured(network: nn.Module, size: int, device: torch.device) -> Floor:
    """The floor of one training image on this GPU."""
    bandwidth, products = _bandwidth(device), _products(device)
    moved, operations = work_of(network, size)
    return Floor(bandwidth, products, moved / bandwidth + operations / products)


def _bandwidth(device: torch.device) -> float:
    source = torch.ones(2**30 // 4, device=device)
    target = torch.empty_like(source)
    return 2 * 2**30 / _seconds(lambda: target.copy_(source))


def _products(device: torch.device, side: int = 8192) -> float:
    one = torch.randn(side, side, device=device, dtype=torch.bfloat16)
    return 2 * side**3 / _seconds(lambda: one @ one)


def _seconds(work: Any, repeats: int = 20) -> float:
    """Seconds of one call on the GPU, the median of several groups."""
    found = []
    for _ in range(5):
        start, stop = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        for _ in range(repeats):
            work()
        stop.record()
        torch.cuda.synchronize()
        found.append(start.elapsed_time(stop) / 1000 / repeats)
    return sorted(found)[2]
