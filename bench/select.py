"""Which epoch is reported?  Selections are objects with honest names; only one of them may see test labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Selection:
    """A rule that picks an epoch.  `sees` is the split whose correct answers the rule looks at, None for none."""

    name: str
    title: str
    sees: str | None

    def epoch(self, correct: Sequence[int]) -> int:
        """The chosen epoch (from 1), given the correct answers after each epoch; the earliest of equals."""
        if self.sees is None:
            return len(correct)
        return max(range(len(correct)), key=lambda epoch: (correct[epoch], -epoch)) + 1


LAST = Selection("last", "last epoch", None)
BEST_VAL = Selection("best-val", "best on the validation split", "val")
BEST_TEST = Selection("best-test", "test split (oracle)", "test")


def selections(protocol: str) -> tuple[Selection, ...]:
    """The selections that a protocol stores.  The paper's habit is BEST_TEST; it is never a headline here (FIDELITY
    T6)."""
    return (LAST, BEST_VAL, BEST_TEST) if protocol == "honest" else (LAST, BEST_TEST)
