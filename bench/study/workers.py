"""Who trains the trials: this process, or several beside it?  Only the owner ever speaks to the storage."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Literal, Protocol

from bench.errors import CellError, UserError
from bench.orphan import end_with_parent
from bench.record import Score
from bench.switches import Scalar

DEATHS = 3  # so many dead worker processes end the study: what kills them will kill the next

Tell = Callable[[int, float], None]  # (step, value); raises Pruned when the trial should stop
Objective = Callable[[Mapping[str, Scalar], Tell], tuple[Score, ...]]
"""Trains a proposal and gives the validation counts of each tuning seed.  Raises CellError where it diverges."""


class Pruned(Exception):
    """The pruner stopped a trial."""


@dataclass(frozen=True)
class Ending:
    """How a trial ended.  `error` is a fault of the machine or the user, not of the proposal: the study stops."""

    state: Literal["complete", "pruned", "diverged", "error"]
    scores: tuple[Score, ...] = ()
    reason: str = ""
    seconds: float = 0.0


class Owner(Protocol):
    """What the owner process does around a trial; `trial` is whatever its `begin` gave."""

    def begin(self) -> Any | None:
        """The next trial, or None when enough are finished or under way."""

    def params(self, trial: Any) -> dict[str, Scalar]: ...

    def report(self, trial: Any, step: int, value: float) -> bool:
        """Note a value; True when the trial should stop."""

    def end(self, trial: Any, ending: Ending) -> None: ...

    def lose(self, trial: Any) -> None:
        """A trial that will have no ending: its process died or the study was interrupted."""


def in_turn(owner: Owner, objective: Objective) -> None:
    """One trial after another, in this process."""
    while (trial := owner.begin()) is not None:
        try:
            ending = attempt(objective, owner.params(trial), _asking(owner, trial))
        except BaseException:
            owner.lose(trial)
            raise
        _ended(owner, trial, ending)


def side_by_side(owner: Owner, objective: Objective, workers: int) -> None:
    """Several worker processes; they train, the owner asks, reports and tells."""
    deaths = 0
    busy: dict[Connection, Any] = {}
    with _pool(objective, workers) as pool:
        try:
            while True:
                for connection in [each for each in pool.idle if each not in busy]:
                    if (trial := owner.begin()) is None:
                        break
                    busy[connection] = trial
                    connection.send(owner.params(trial))
                if not busy:
                    return
                for connection in _ready(busy):
                    try:
                        message = connection.recv()
                        if not isinstance(message, Ending):
                            connection.send(owner.report(busy[connection], *message))
                            continue
                    except (EOFError, OSError):
                        owner.lose(busy.pop(connection))
                        pool.replace(connection)
                        deaths += 1
                        if deaths >= DEATHS:
                            raise UserError(
                                f"{deaths} worker processes died (killed, or out of memory); give fewer --workers"
                            ) from None
                        continue
                    _ended(owner, busy.pop(connection), message)
        finally:
            for trial in busy.values():
                owner.lose(trial)


def attempt(objective: Objective, params: Mapping[str, Scalar], tell: Tell) -> Ending:
    """Train one proposal and say how it ended."""
    began = time.monotonic()
    scores: tuple[Score, ...] = ()
    state: Literal["complete", "pruned", "diverged", "error"] = "complete"
    reason = ""
    try:
        scores = objective(params, tell)
    except Pruned:
        state = "pruned"
    except CellError as error:
        # A loss that explodes is a finding about the weights; a GPU that is full is none.
        state, reason = ("error" if _out_of_memory(error) else "diverged"), str(error)
    except UserError as error:
        state, reason = "error", str(error)
    except OSError as error:  # a full disk is no finding either
        state, reason = "error", f"a trial cannot be kept ({error.strerror or error}); free some space and run again"
    return Ending(state, scores, reason, round(time.monotonic() - began, 2))


def _out_of_memory(error: CellError) -> bool:
    return type(error.__context__).__name__ == "OutOfMemoryError"


def _ready(busy: Mapping[Connection, Any]) -> list[Connection]:
    """The connections on which a message waits, or whose worker is gone."""
    return [each for each in wait(list(busy)) if isinstance(each, Connection)]


def _asking(owner: Owner, trial: Any) -> Tell:
    def tell(step: int, value: float) -> None:
        if owner.report(trial, step, value):
            raise Pruned

    return tell


def _ended(owner: Owner, trial: Any, ending: Ending) -> None:
    if ending.state == "error":
        owner.lose(trial)
        raise UserError(ending.reason)
    owner.end(trial, ending)


class _Pool:
    """Worker processes by their connection."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self.processes: dict[Connection, BaseProcess] = {}

    @property
    def idle(self) -> list[Connection]:
        return list(self.processes)

    def add(self) -> None:
        context = get_context("spawn")  # fork after torch has started threads is not safe
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self.objective), daemon=True)
        process.start()
        theirs.close()
        self.processes[ours] = process

    def replace(self, connection: Connection) -> None:
        self.processes.pop(connection).join()
        connection.close()
        self.add()


@contextmanager
def _pool(objective: Objective, workers: int) -> Iterator[_Pool]:
    pool = _Pool(objective)
    try:
        for _ in range(workers):
            pool.add()
        yield pool
    finally:
        for connection, process in pool.processes.items():
            connection.close()
            process.terminate()
            process.join()


def _serve(connection: Connection, objective: Objective) -> None:
    """A worker: takes proposals until its owner is gone.  Ctrl-C is left to the owner."""
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["OMP_NUM_THREADS"] = "1"

    def tell(step: int, value: float) -> None:
        connection.send((step, value))
        if connection.recv():
            raise Pruned

    try:
        while True:
            connection.send(attempt(objective, connection.recv(), tell))
    except (EOFError, OSError):
        return
