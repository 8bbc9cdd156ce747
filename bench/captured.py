"""How does a GPU in `fast` take its steps without waiting for Python?  As a captured CUDA graph."""

from __future__ import annotations

from bench.stepper import Stepper


class CapturedStepper(Stepper):
    pass
