"""By how much does each row differ from the reference, seed by seed?  Mean, t-interval, exact sign-flip test, Holm.

The interval is the t-interval of the paired differences.  The BCa bootstrap of bench/stats.py is not printed: with 3 to
8 seeds it held the true mean in 72 to 89 % of samples where 95 % is promised, and its import doubles a table's time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bench.markdown import Column, half_width, p_value, plural, points, table
from bench.stats import SeedSummary, holm, sign_flip_p, smallest_sign_flip_p, summarise_seeds

ALPHA = 0.05
MOST_EXACT = 20  # seeds that bench.stats.sign_flip_p can enumerate


@dataclass(frozen=True)
class Difference:
    """A row minus the reference on their common seeds.

    `p` is None where no test is made, and `why` says why; `adjusted` is p after Holm's correction within the table.
    """

    label: str
    seeds: int
    summary: SeedSummary
    smallest_p: float
    p: float | None
    why: str = ""
    adjusted: float | None = None


def against(
    reference: Mapping[int, float], rows: Sequence[tuple[str, Mapping[int, float]]]
) -> tuple[Difference | None, ...]:
    """Each labelled row's accuracies by seed, less the reference's; None for a row without a common seed."""
    found = [_paired(label, row, reference) for label, row in rows]
    adjusted = iter(holm([each.p for each in found if each is not None and each.p is not None]))
    return tuple(each if each is None or each.p is None else replace(each, adjusted=next(adjusted)) for each in found)


def section(found: Sequence[Difference | None], reference: str) -> str:
    """The differences as a table with its key; nothing where no row shares two seeds with the reference."""
    paired = [difference for difference in found if difference is not None and difference.seeds > 1]
    if not paired:
        return ""
    columns = (
        Column("Row", "left"), Column("Seeds"), Column("Difference"), Column("±"), Column("p"), Column("p (Holm)"),
    )  # fmt: skip
    rows = [
        (
            each.label,
            str(each.seeds),
            points(each.summary.mean),
            half_width(each.summary.half_width),
            each.why if each.p is None else p_value(each.p),
            "" if each.adjusted is None else p_value(each.adjusted),
        )
        for each in paired
    ]
    return f"{table(columns, rows)}\n\n{_key(paired, reference)}"


def _paired(label: str, row: Mapping[int, float], reference: Mapping[int, float]) -> Difference | None:
    seeds = sorted(row.keys() & reference.keys())
    if not seeds:
        return None
    differences = [row[seed] - reference[seed] for seed in seeds]
    smallest = smallest_sign_flip_p(len(seeds))
    why = "n too small" if smallest > ALPHA else "too many seeds" if len(seeds) > MOST_EXACT else ""
    p = None if why else sign_flip_p(differences)
    return Difference(label, len(seeds), summarise_seeds(differences), smallest, p, why)


def _key(paired: Sequence[Difference], reference: str) -> str:
    smallest = {each.seeds: each.smallest_p for each in paired}
    reach = ", ".join(f"{p_value(smallest[seeds])} with {plural(seeds, 'seed')}" for seeds in sorted(smallest))
    tests = sum(each.p is not None for each in paired)
    text = f"Each row less {reference}, in points, on the seeds that both have; ± is the 95 % t-interval of the mean. "
    if not tests:
        return f"{text}The smallest p that an exact sign-flip test can reach is {reach}: n too small for a test."
    return (
        f"{text}p is of the exact two-sided sign-flip test (the smallest that it can reach: {reach}), "
        f"corrected by Holm's method for the {plural(tests, 'test')} of this table."
    )
