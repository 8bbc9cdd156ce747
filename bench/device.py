"""Is there a CUDA GPU?  Asked of the driver, so that a plan need not import torch."""

from __future__ import annotations

import ctypes


def cuda_present() -> bool:
    """Whether the NVIDIA driver is there and counts at least one GPU (CUDA_VISIBLE_DEVICES is honoured by the
    driver)."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int(0)
    return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0
