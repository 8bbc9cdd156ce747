"""What is said of a cell that failed, and where?  All to the person at the screen, nothing private to the results.

A failure file is shared with the results: it holds no path of this machine and no name of an image file, which can be a
person's.
"""

from __future__ import annotations

import errno
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench.errors import UserError

# The disk takes no more: no fault of the cell, and the next one would meet it too.
DISK_FAULTS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG})


@contextmanager
def keeping(folder: Path) -> Iterator[None]:
    """Turn what a full or read-only disk raises into the line that ends the run.  Raises UserError."""
    try:
        yield
    except OSError as error:
        raise disk_error(folder, error) from None


def disk_error(folder: Path, error: OSError) -> UserError:
    return UserError(
        f"{folder} cannot be written ({error.strerror or error}); what was finished is kept: free some space, or make "
        "the folder writable, and run the same command again"
    )


def unreadable(dataset: str) -> str:
    """The kept reason where the images cannot be opened: the message itself names files."""
    return f"its images cannot be read; python -m bench.data verify {dataset} says which"


def one_line(error: Exception) -> str:
    """A message of ours without its line breaks."""
    return " ".join(str(error).split())


def described(error: Exception) -> str:
    """An error that nobody foresaw, with the place where it rose: a cell's failure must be findable."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    said = error.strerror if isinstance(error, OSError) and error.strerror else (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {said} ({Path(frame.filename).name}:{frame.lineno})"


def without_folders(said: str, folders: Mapping[str, Path | None]) -> str:
    """The text with the run's own folders, by option, named by those options."""
    for option, folder in folders.items():
        for written in {str(folder), str(folder.resolve())} - {".", "/"} if folder else ():
            said = said.replace(written, f"<{option}>")
    return said.replace(str(Path.home()), "~") if Path.home() != Path("/") else said
