"""How does training survive a kill?  Whole files only, the previous one kept, loaded without pickle, tied to the cell's
key."""

from __future__ import annotations

import logging
import zipfile
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from bench.atomic import PART, replacing

CURRENT, PREVIOUS = "checkpoint.pt", "checkpoint.previous.pt"
log = logging.getLogger(__name__)


class Writer:
    """Writes the checkpoints of one cell in a thread of its own, so that training waits for a copy and not for a disk.

    At most one write is under way: a disk that is slower than training slows it down and piles nothing up.  Used as a
    context manager, whose end waits for the last write.  What a write raised (OSError where the disk is full) is
    raised at the next `save` or at the end, unless another error is on its way.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.folder, self.key = folder, key
        self._thread = ThreadPoolExecutor(1, "checkpoint")
        self._writing: Future[None] | None = None

    def save(self, state: dict[str, Any]) -> None:
        """Take `state` as it is now; it may change as soon as this returns."""
        self._wait()
        self._writing = self._thread.submit(save, self.folder, self.key, on_host(state))

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._thread.shutdown(wait=True)
        if kind is None:
            self._wait()
        elif self._writing is not None and (fault := self._writing.exception()) is not None:
            log.warning("the last checkpoint was not written either (%s)", fault)

    def _wait(self) -> None:
        if self._writing is not None:
            self._writing.result()


def on_host(state: Any) -> Any:
    """`state` with every tensor copied to host memory, in lists, tuples and dicts of any depth."""
    match state:
        case torch.Tensor():
            return state.detach().to("cpu", copy=True)
        case dict():
            return {name: on_host(value) for name, value in state.items()}
        case list() | tuple():
            return type(state)(on_host(value) for value in state)
    return state


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
            _check(path)
            content = torch.load(path, map_location=device, weights_only=True)
        except Exception as error:  # what a damaged file may raise has no end (tests/test_fuzz.py)
            log.warning("%s is damaged (%s); using the one before it", path, type(error).__name__)
            continue
        if isinstance(content, dict) and content.get("key") == key and isinstance(content.get("state"), dict):
            return content["state"]
    return None


def clear(folder: Path) -> None:
    """Remove the checkpoints of a finished cell, and what a kill left of one that was being written."""
    for path in (folder / CURRENT, folder / PREVIOUS, *folder.glob(f".{CURRENT}.*{PART}")):
        path.unlink(missing_ok=True)


def _check(path: Path) -> None:
    """Raises BadZipFile where a byte is not what was written: torch reads over a flipped bit in a tensor."""
    with zipfile.ZipFile(path) as archive:
        if (name := archive.testzip()) is not None:
            raise zipfile.BadZipFile(f"{name} does not fit its checksum")
