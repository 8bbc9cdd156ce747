"""How much memory did a cell take, and which batch would have fitted?"""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

PROBES = (8, 16)  # images; two small steps tell what an image costs and what is there whatever the batch
SPARE = 0.9  # of the GPU's memory: the rest is lost to fragmentation


def forget_peak(device: torch.device) -> None:
    """Let `peak_bytes` count from now on."""
    if device.type == "cuda":
        torch.cuda.init()  # before the first use of the GPU there is nothing to reset, and torch says so with an error
        # cuBLAS keeps a workspace for every stream that it met, and each captured cell has a stream of its own: 64 MiB
        # a cell on an H200, up to 2 GiB, would count as the next cell's.  No earlier cell's graph is replayed any more.
        torch._C._cuda_clearCublasWorkspaces()
        torch.cuda.reset_peak_memory_stats(device)
        return
    try:
        Path("/proc/self/clear_refs").write_text("5")  # Linux: the peak of resident memory becomes the present one
    except OSError:
        return  # then the peak is that of the process


def peak_bytes(device: torch.device) -> int:
    """The most memory held since `forget_peak`: allocated by torch on a GPU; resident, mapped files included, on a
    CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024
    except (OSError, StopIteration):  # not Linux
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def largest_batch(peaks: Mapping[int, int], available: int) -> int | None:
    """About how many images fit into `available` bytes, from the peak bytes of two smaller batches; None for none.

    Memory is taken to be a constant and a share for each image: the line through the two peaks is followed up to
    `SPARE` of what is available, and rounded down to a multiple of eight.
    """
    (small, low), (large, high) = sorted(peaks.items())
    per_image = (high - low) / (large - small)
    if per_image <= 0:
        return None
    count = int((SPARE * available - (low - small * per_image)) / per_image)
    return max(0, count // 8 * 8) or None


def probed(step: Callable[[int], None], device: torch.device) -> dict[int, int] | None:
    """Peak bytes of `step(images)` for the batches of PROBES; None where even those do not fit."""
    peaks = {}
    for size in PROBES:
        gc.collect()
        torch.cuda.empty_cache()
        forget_peak(device)
        try:
            step(size)
        except torch.OutOfMemoryError:
            return None
        peaks[size] = peak_bytes(device)
    return peaks


def within_reach(device: torch.device) -> int:
    """Bytes that torch can have on this GPU: what is free, and what torch holds already."""
    return torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device)
