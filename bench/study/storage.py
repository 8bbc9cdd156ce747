"""Where does Optuna keep a study, who owns it now, and what is said when it cannot be read?"""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
from filelock import FileLock, Timeout
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from sqlalchemy.exc import SQLAlchemyError

from bench.atomic import write_text
from bench.errors import UserError


@contextmanager
def owned(folder: Path, name: str) -> Iterator[str]:
    """Hold the study on this machine; gives the machine's token, which marks the trials that it began.

    The lock goes with the process, however it ends.  Raises UserError where another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / f"{name}.lock", timeout=0):
            token = folder / f"{name}.owner"
            if not token.exists():
                write_text(token, uuid.uuid4().hex)
            yield token.read_text(encoding="utf-8").strip()
    except Timeout:
        raise UserError(
            f"the study '{name}' is being run by another process ({folder / f'{name}.lock'} is locked); "
            "wait for it or end it; --workers N runs trials side by side in one process"
        ) from None


def open_storage(folder: Path, name: str, url: str | None) -> BaseStorage:
    """The journal below `folder`, or the database at `url`.  The study must be owned: a torn journal is mended here."""
    with plain_errors(folder, name, url):
        if url is not None:
            return RDBStorage(url)
        path = journal(folder, name)
        _mend(path)
        # Held by nobody alive: only the owner writes.  Optuna would wait 30 seconds for a killed process.
        Path(f"{path}.lock").unlink(missing_ok=True)
        return JournalStorage(JournalFileBackend(str(path), JournalFileOpenLock(str(path))))


def journal(folder: Path, name: str) -> Path:
    """The file of a study's default storage; `optuna-dashboard FILE` opens it."""
    return folder / f"{name}.log"


@contextmanager
def plain_errors(folder: Path, name: str, url: str | None) -> Iterator[None]:
    """Turn what a storage raises into one line for people."""
    place = shown(url) if url is not None else str(journal(folder, name))
    try:
        yield
    except ImportError as error:
        raise UserError(f"--storage {place}: the database driver is not installed ({error}); install it") from None
    except (StorageInternalError, OSError, SQLAlchemyError) as error:
        reason = _first_line(error)
        advice = (
            "another program holds the database: end it, or wait and run the command again"
            if "locked" in reason
            else "check the address and that the database answers"
            if url is not None
            else "check the folder's permissions"
        )
        raise UserError(f"{place}: the study's storage cannot be used ({reason}); {advice}") from None
    except UpdateFinishedTrialError:
        raise UserError(f"{place}: another process took over a trial of this one (--take-over); run again") from None
    except (KeyError, ValueError, TypeError, AssertionError, AttributeError) as error:
        advice = "give another --storage" if url is not None else "delete it"
        raise UserError(
            f"{place}: the study's storage is damaged ({_first_line(error)}); {advice}: "
            "the study is rebuilt from its text in results/studies"
        ) from None


def shown(url: str) -> str:
    """A storage address without its password."""
    return re.sub(r"(//[^/:@]*):[^@/]*@", r"\1:***@", url)


def quiet() -> None:
    """Optuna's own lines would break the progress of ours."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def _mend(path: Path) -> None:
    """Take back an append that a kill cut short: a last line without its end never happened.

    Raises ValueError with the line's number for damage anywhere else.
    """
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            json.loads(line)
        except ValueError:
            raise ValueError(f"line {number} is no journal entry") from None
    if whole != content:
        with path.open("r+b") as file:
            file.truncate(len(whole))
            os.fsync(file.fileno())


def _first_line(error: BaseException) -> str:
    """The innermost reason: Optuna wraps what the database said."""
    while error.__cause__ is not None:
        error = error.__cause__
    return shown((str(error).splitlines() or [type(error).__name__])[0] or type(error).__name__)
