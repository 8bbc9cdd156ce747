"""How is a cell trained by one process only?  Two locks: one beside its results, one beside its checkpoints.

Two runs may share results and keep their checkpoints apart (machines with disks of their own), or the other way round.
The locks are the operating system's: they go with the process, however it ends.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.launch.reason import keeping

CLAIMS = ".claims"  # below the results folder; empty, and gone, when no cell is being run


@contextmanager
def claimed(results: Path, folder: Path, cell: str, patience: float = 0.0) -> Iterator[None]:
    """Hold the cell `cell`, whose checkpoints are in `folder`.

    Raises filelock.Timeout where another process holds it for longer than `patience` seconds, UserError where a lock
    cannot be written.
    """
    from filelock import FileLock

    claim = claim_path(results, cell)
    with keeping(results):
        claim.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
    with FileLock(claim, timeout=patience), FileLock(folder / "lock", timeout=patience):
        try:
            yield
        finally:
            with suppress(OSError):
                claim.unlink()  # while it is held: who waits on it finds it unlinked, and begins anew
                claim.parent.rmdir()  # fails while another cell is being run


def sweep(results: Path) -> None:
    """Remove the claims that killed processes left behind."""
    from filelock import FileLock, Timeout

    folder = results / CLAIMS
    for claim in folder.glob("*.lock"):
        with suppress(OSError, Timeout), FileLock(claim, timeout=0):
            claim.unlink()
    with suppress(OSError):
        folder.rmdir()


def claim_path(results: Path, cell: str) -> Path:
    """The lock of a cell beside its results.  A cell's name can be too long for a file's, its digest cannot."""
    return results / CLAIMS / f"{hashlib.sha256(cell.encode()).hexdigest()[:32]}.lock"
