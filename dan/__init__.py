"""What does `import dan` offer?  The model of "Distract Your Attention" (DAN) and its switches.

`dan.Options` needs no torch; `dan.DAN`, `dan.DanOutput` and the modules with torch in them are imported when first
named (PEP 562), so that a plan or a help page can read the switches at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dan.options import Options

if TYPE_CHECKING:
    from dan.model import DAN, DanOutput

__all__ = ["DAN", "DanOutput", "Options"]

_FROM_MODEL = ("DAN", "DanOutput")
_MODULES = ("attention", "backbone", "losses", "model", "weights")


def __getattr__(name: str) -> Any:
    if name in _FROM_MODEL:
        return getattr(import_module("dan.model"), name)
    if name in _MODULES:
        return import_module(f"dan.{name}")
    raise AttributeError(f"module 'dan' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*__all__, *_MODULES, "options"])
