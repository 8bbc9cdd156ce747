"""How does a file appear whole or not at all?  Temporary file beside it, fsync, rename."""

from __future__ import annotations

import fcntl
import glob
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

PART = ".part"


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a binary file that takes the place of `path` when the block ends, and vanishes when it raises.

    A reader sees the old bytes or the new ones, never a mixture, whenever the process is killed (POSIX rename).  What
    a kill leaves beside it is removed by the next writer.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = _opened(path)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.chmod(name, 0o644)  # mkstemp gives 0600; results are for reading
            os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)
    _sweep(path)


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path` atomically."""
    with replacing(path) as file:
        file.write(content)


def write_text(path: Path, content: str) -> None:
    """Write `content` to `path` atomically, as UTF-8 with the newlines given."""
    write_bytes(path, content.encode())


def _opened(path: Path) -> tuple[int, str]:
    """A temporary file beside `path`, locked for as long as it is open: so a living writer is told from a dead one."""
    while True:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=PART, dir=path.parent)
        with suppress(OSError):  # a file system without locks: then nothing is swept either
            fcntl.flock(handle, fcntl.LOCK_EX)  # waits for a sweeper that has just found it
        if os.fstat(handle).st_nlink:  # else it was swept away before it was locked
            return handle, name
        os.close(handle)


def _sweep(path: Path) -> None:
    """Remove what killed writers of `path` left beside it."""
    for part in path.parent.glob(f".{glob.escape(path.name)}.*{PART}"):
        with suppress(OSError):  # its writer is alive, or another sweeper was faster
            handle = os.open(part, os.O_RDWR)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises where its writer lives
                part.unlink(missing_ok=True)
            finally:
                os.close(handle)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
