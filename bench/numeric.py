"""In which arithmetic does a cell run?  Two declared numeric modes; nothing about them is left to a default of torch.

`faithful` is fp32 without TF32 and with deterministic algorithms.  `fast` is bf16 autocast in channels_last with fp32
weights and losses, on a GPU with its steps captured (bench.captured); a CPU runs the same arithmetic step by step, to
compare accuracies and not for speed.  A CPU cell runs on one thread, because one, two and four threads differ from the
first forward on; several cells side by side use the other cores.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
import torch.utils.deterministic

from bench.errors import UserError, unknown

_MEMORY: Any = torch.utils.deterministic


@dataclass(frozen=True)
class Arithmetic:
    """Device and formats of a cell.  `memory_format` is that of images and convolutions."""

    device: torch.device
    autocast: bool
    memory_format: torch.memory_format

    @property
    def captures(self) -> bool:
        """Whether training steps are captured and replayed (`fast` on a GPU)."""
        return self.autocast and self.device.type == "cuda"

    def forward(self) -> torch.autocast | nullcontext[None]:
        """The context in which a network's forward pass runs."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16) if self.autocast else nullcontext()


def choose_device(name: str) -> torch.device:
    """`auto` is CUDA where there is one.  Raises UserError for a device that is not there."""
    available = torch.cuda.is_available()
    if name == "auto":
        return torch.device("cuda" if available else "cpu")
    if name.split(":")[0] not in ("cpu", "cuda"):
        raise unknown("device", name, ("auto", "cpu", "cuda"))
    if name.startswith("cuda") and not available:
        raise UserError("device 'cuda' is not available here: torch finds no CUDA GPU; use --device cpu")
    return torch.device(name)


@contextmanager
def arithmetic(numeric: str, device: torch.device) -> Iterator[Arithmetic]:
    """Set torch up for one cell, and set it back afterwards."""
    before = (
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        _MEMORY.fill_uninitialized_memory,
        torch.backends.cudnn.benchmark,
        torch.backends.cuda.matmul.allow_tf32,
        torch.backends.cudnn.allow_tf32,
    )
    faithful = numeric == "faithful"
    if device.type == "cpu":
        torch.set_num_threads(1)
    else:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is deterministic only with it
    torch.use_deterministic_algorithms(faithful)
    # With deterministic algorithms torch also fills every new tensor, lest a read of unwritten memory make two runs
    # differ.  Nothing here reads such memory, and the filling takes 8 % of a CPU step (bench.perf, "D filled").
    _MEMORY.fill_uninitialized_memory = False
    torch.backends.cudnn.benchmark = False  # it may choose another algorithm in each run
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = not faithful
    try:
        yield Arithmetic(device, not faithful, torch.contiguous_format if faithful else torch.channels_last)
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
        _MEMORY.fill_uninitialized_memory = before[2]
        torch.backends.cudnn.benchmark = before[3]
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before[4:]
