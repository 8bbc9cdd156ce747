"""What did a reader notice?  A collector of findings, so that all faults of a tree come out in one run."""

from __future__ import annotations

from collections.abc import Sequence

from bench.data.listing import Finding

EXAMPLES = 5
LISTED = 20


class Notes:
    """Warnings and errors in the order in which they were met."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def warn(self, code: str, message: str) -> None:
        self.findings.append(Finding("warning", code, message))

    def error(self, code: str, message: str) -> None:
        self.findings.append(Finding("error", code, message))

    def errors(self, code: str, messages: Sequence[str]) -> None:
        """One error for each of the first messages, and one line that counts the others: 15,000 lines help nobody."""
        for message in messages[:LISTED]:
            self.error(code, message)
        if len(messages) > LISTED:
            self.error(code, f"... and {len(messages) - LISTED:,} more of the kind '{code}'")


def first(names: Sequence[str]) -> str:
    """The first few names, printable, with the number of those left out."""
    more = f" and {len(names) - EXAMPLES:,} more" if len(names) > EXAMPLES else ""
    return ", ".join(printable(name) for name in names[:EXAMPLES]) + more


def printable(name: object) -> str:
    """A file name as it may stand in a one-line message: control characters and undecodable bytes are escaped."""
    text = str(name).encode("utf-8", "backslashreplace").decode()
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
