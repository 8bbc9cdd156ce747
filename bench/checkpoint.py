"""How does training survive a kill?  Whole files only, the previous one kept, loaded without pickle, tied to the cell's
key."""

from __future__ import annotations

import logging
import zipfile
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from bench.atomic import replacing

CURRENT, PREVIOUS = "checkpoint.pt", "checkpoint.previous.pt"
# What torch.load raises for a file that is cut, filled with zeros, or holds more than tensors.
_DAMAGE = (RuntimeError, OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, UnpicklingError)
log = logging.getLogger(__name__)


def save(folder: Path, key: str, state: dict[str, Any]) -> None:
    """Write `state` (tensors, numbers, text, lists and dicts of them); the file that it replaces is kept as the
    previous one."""
    current = folder / CURRENT
    # Hard link, then rename over it: at no moment is there no checkpoint.
    previous = folder / PREVIOUS
    if current.exists():
        previous.unlink(missing_ok=True)
        previous.hardlink_to(current)
    with replacing(current) as file:
        torch.save({"key": key, "state": state}, file)


def load(folder: Path, key: str, device: torch.device) -> dict[str, Any] | None:
    """The newest state that was saved under `key`, or None.

    A damaged file falls back to the previous one, with a warning; a state of another key is of no use and is passed
    over.
    """
    for name in (CURRENT, PREVIOUS):
        path = folder / name
        if not path.exists():
            continue
        try:
            content = torch.load(path, map_location=device, weights_only=True)
        except _DAMAGE as error:
            log.warning("%s is damaged (%s); using the one before it", path, str(error).splitlines()[0])
            continue
        if isinstance(content, dict) and content.get("key") == key:
            return content["state"]
    return None


def clear(folder: Path) -> None:
    """Remove the checkpoints of a finished cell."""
    for name in (CURRENT, PREVIOUS):
        (folder / name).unlink(missing_ok=True)
