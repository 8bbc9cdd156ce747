"""Is there a CUDA GPU, and how many?  Asked of the driver, so that a plan need not import torch."""

from __future__ import annotations

import ctypes


def cuda_count() -> int:
    """How many GPUs the NVIDIA driver counts, 0 without one (CUDA_VISIBLE_DEVICES is honoured by the driver)."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    return count.value if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 else 0


def cuda_present() -> bool:
    """Whether there is at least one GPU."""
    return cuda_count() > 0
