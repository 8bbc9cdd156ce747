"""Is this the whole dataset?  Counts per split and class beside the official ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bench.data.catalog import TWINS, info
from bench.data.listing import Sample
from bench.data.notes import Notes


def per_class(samples: Sequence[Sample], classes: Sequence[str]) -> dict[str, int]:
    """Images of each class, in class order."""
    counts = Counter(sample.label for sample in samples)
    return {name: counts[label] for label, name in enumerate(classes)}


def compare(name: str, train: Sequence[Sample], test: Sequence[Sample], notes: Notes) -> None:
    """Warn about empty classes, and about counts that are not the official ones (with the table, in one line)."""
    facts = info(name)
    for split, samples, official in (("train", train, facts.train), ("test", test, facts.test)):
        counts = per_class(samples, facts.classes)
        if not samples:
            if not any(finding.severity == "error" for finding in notes.findings):  # else that is the reason
                done = "trained" if split == "train" else "scored"
                notes.error("empty-split", f"the {split} split holds no image; nothing can be {done}")
            continue
        if empty := [word for word, count in counts.items() if count == 0]:
            notes.warn("empty-class", f"{split}: no image of {', '.join(empty)}")
        totals = facts.test_totals if split == "test" else ()
        if (
            name in TWINS
            or not official
            or tuple(counts.values()) == official
            or _is_known_total(len(samples), totals, official)
        ):
            continue
        table = ", ".join(
            f"{word} {count:,} ({wanted:,})" for (word, count), wanted in zip(counts.items(), official, strict=True)
        )
        small = " (a sample or a re-labelled copy, not the benchmark)" if len(samples) < sum(official) / 2 else ""
        notes.warn(
            "counts-differ",
            f"{split}: {len(samples):,} images, official {sum(official):,}{small}; per class, official in brackets: "
            f"{table}",
        )


def _is_known_total(total: int, known: Sequence[int], official: Sequence[int]) -> bool:
    """Whether another release in circulation has this size (AffectNet's reduced one scores 3,999 images, not 4,000)."""
    return total in known and total != sum(official)
