"""What does torch's compiler make of a step and of the augmentation?  Fewer passes over memory, by rules that repeat.

Compiled augmentation has the bits of the other (integers, then a table).  A compiled step has bits of its own, the same
in every process on one kind of GPU (gate of bench.perf); a cell that is stopped and resumed takes them again.

Counted by cells of `fast` alone (bench/key.py).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench.data.augment import fused
from bench.method import Batch, Method, Step


def compiled_step(method: Method) -> Callable[[Batch], Step]:
    """`method.step` by torch's compiler, each cell's anew."""
    keep_to_oneself()
    torch.compiler.reset()  # what other cells of this process compiled counts against a limit, and then is not compiled
    options: dict[str, str | int | bool | Callable[..., Any]] = {
        # No kernel is chosen by timing it: the choice would differ between two runs, and the order of sums with it.
        "deterministic": True,
        # Values are rounded to bf16 where the step says so.  Otherwise a fused kernel keeps what it has in fp32, and a
        # maximum's gradient finds no element that equals it (CBAM's channel attention: NaN in the second step).
        "emulate_precision_casts": True,
    }
    return torch.compile(method.step, dynamic=False, options=options)


def compiled_augment(
    images: Tensor, index: Tensor, draws: Tensor, table: Tensor, memory_format: torch.memory_format
) -> Tensor:
    """bench.data.augment.augment with the same bits, in a tenth of the time (H200, batch of 256)."""
    rows = images[index]  # (B, H, W, 3): one shape for the compiler, whatever the number of images
    own = torch.arange(len(rows), device=rows.device)
    return compiled_fused()(rows, own, draws, table, torch.float32, memory_format)


@cache
def compiled_fused() -> Callable[..., Tensor]:
    """`fused`, compiled for each shape that comes, once a process."""
    keep_to_oneself()
    return torch.compile(fused, dynamic=False)


def keep_to_oneself() -> None:
    """Let the compiler keep what it made in a folder of this user's: its default has a name that others can foresee, in
    a folder that all can write to, and what lies there is run.  TORCHINDUCTOR_CACHE_DIR, where set, is left as it is.
    """
    if "TORCHINDUCTOR_CACHE_DIR" in os.environ:
        return
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dan-bench" / "compiled"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # no home, or none that can be written to
        folder = Path(tempfile.mkdtemp(prefix="dan-bench-compiled-"))
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(folder)
