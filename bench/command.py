"""How does every command end?  0 all is well, 1 a cell failed or a check found something, 2 bad usage, 130
interrupted."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from bench.errors import UserError

DATA_VARIABLE = "DAN_BENCH_DATA"


def finish(run: Callable[[], int], interrupted: str = "interrupted") -> int:
    """Run a command and turn a user's mistake or Ctrl-C into one line on stderr and its exit code."""
    try:
        return run()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\n{interrupted}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output went away (`| head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def writable(folder: Path) -> Path:
    """The folder, created and proved writable.  Raises UserError when it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UserError(f"{folder} cannot be written ({error.strerror}); give another folder") from None
    return folder


def data_folder(given: Path | None) -> Path | None:
    """--data, else the environment's DAN_BENCH_DATA.  Raises UserError for a folder that is not there."""
    folder = given or (Path(os.environ[DATA_VARIABLE]) if os.environ.get(DATA_VARIABLE) else None)
    if folder is not None and not folder.is_dir():
        raise UserError(f"--data {folder} is not a folder; give the folder that holds the datasets")
    return folder


def named_values(values: list[str], option: str, example: str) -> dict[str, str]:
    """`["rafdb=raf-basic"]` -> {"rafdb": "raf-basic"}.  Raises UserError for anything else, showing the example."""
    found = {}
    for text in values:
        name, separator, value = text.partition("=")
        if not separator or not name or not value:
            raise UserError(f"{option} {text}: write NAME=VALUE, such as {option} {example}")
        found[name] = value
    return found


def named_paths(values: list[str], option: str) -> dict[str, Path]:
    """`["rafdb=/data/raf"]` -> {"rafdb": Path("/data/raf")}.  Raises UserError as `named_values` does."""
    return {name: Path(path) for name, path in named_values(values, option, "rafdb=/data/raf-basic").items()}
