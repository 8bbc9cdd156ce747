"""How is a command run so that it can be killed at once?  In a process group of its own, with the imports made before.

The processes are forked by multiprocessing's fork server, which has imported the heavy libraries: the kills of a proof
fall in the work, not in seconds of importing.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

from bench.orphan import end_with_parent

PRELOADED = ("torch", "scipy.stats", "PIL.Image", "tqdm", "filelock", "sqlalchemy", "mlflow", "optuna", "matplotlib")
POLL_SECONDS = 0.001
Command = tuple[str, tuple[str, ...]]  # (module, arguments)


@dataclass(frozen=True)
class Ended:
    """How a run ended: `code` is its exit code, None where it was killed; `seconds` since its start."""

    code: int | None
    seconds: float


def run(
    commands: Sequence[Command], environment: Mapping[str, str], log: Path, now: Callable[[float], bool] | None = None
) -> Ended:
    """Run the commands one after another; kill them all with SIGKILL as soon as `now(seconds since the start)`."""
    # What is killed leaves semaphores; multiprocessing's tracker removes them at the end, and need not warn of it.
    os.environ.setdefault("PYTHONWARNINGS", "ignore:resource_tracker:UserWarning")
    context = get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    child = context.Process(target=_serve, args=(tuple(commands), dict(environment), log))
    child.start()
    began = time.monotonic()
    try:
        while child.is_alive():
            seconds = time.monotonic() - began
            if now is not None and now(seconds):
                _kill(child)
                child.join()
                return Ended(None if child.exitcode == -signal.SIGKILL else child.exitcode, seconds)
            child.join(POLL_SECONDS if now is not None else None)
    finally:
        _kill(child)
    return Ended(child.exitcode, time.monotonic() - began)


def _kill(child: BaseProcess) -> None:
    """SIGKILL to the process and to all that it started."""
    assert child.pid is not None
    for kill in (os.killpg, os.kill):
        with suppress(ProcessLookupError, PermissionError):
            kill(child.pid, signal.SIGKILL)


def _serve(commands: Sequence[Command], environment: Mapping[str, str], log: Path) -> None:
    """What the child does.  Its words go to `log`."""
    os.setsid()
    end_with_parent()
    os.environ.update(environment)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    for module, arguments in commands:
        code = import_module(module).main(arguments)
        if code:
            sys.exit(code)
