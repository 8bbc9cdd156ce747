"""What does a user's mistake look like?  One line that says what, where and what to do; never a traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake that the user can mend.  The message is the whole of what is printed; the command exits with 2."""


class CellError(Exception):
    """A cell cannot end in a record (NaN loss, out of memory).  The message becomes the reason in failure.json."""


def unknown(kind: str, name: str, known: Iterable[str], where: str = "") -> UserError:
    """An error for a name that does not exist, with the nearest names that do.

    `kind` is the word for what was asked ("method"), `where` the place that asked ("paper.toml, table 3").
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"nearest: {', '.join(near)}" if near else f"known: {', '.join(names) or 'none'}"
    return UserError(f"{where + ': ' if where else ''}unknown {kind} '{name}' ({hint})")
