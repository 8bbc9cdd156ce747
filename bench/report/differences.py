"""By how much does each row differ from the reference, seed by seed?  Mean, intervals, exact sign-flip test, Holm.

The BCa bootstrap stands beside the t-interval from three seeds on; with so few it is too narrow (bench/stats.py says
by how much), so the sign-flip test decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bench.markdown import Column, half_width, p_value, plural, points, table
from bench.stats import (
    Bootstrap,
    SeedSummary,
    bca_interval,
    detectable_between_seeds,
    holm,
    sign_flip_p,
    smallest_sign_flip_p,
    summarise_seeds,
)

ALPHA = 0.05
FEWEST_RESAMPLED = 3  # two values have three distinct resamples: no interval of theirs means anything
ROUNDING = 1e-12  # differences of equal counts scatter by this much in floats
MOST_EXACT = 20  # seeds that bench.stats.sign_flip_p can enumerate


@dataclass(frozen=True)
class Difference:
    """A row minus the reference on their common seeds.

    `p` is None where no test is made, and `why` says why; `adjusted` is p after Holm's correction within the table.
    `detectable` is the least true difference that these seeds would show four times in five.
    """

    label: str
    seeds: int
    summary: SeedSummary
    smallest_p: float
    p: float | None
    why: str = ""
    adjusted: float | None = None
    bootstrap: Bootstrap | None = None
    detectable: float | None = None


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
        Column("Row", "left"), Column("Seeds"), Column("Difference"), Column("±"), Column("BCa 95 %"),
        Column("Detectable"), Column("p"), Column("p (Holm)"),
    )  # fmt: skip
    rows = [
        (
            each.label,
            str(each.seeds),
            points(each.summary.mean),
            half_width(each.summary.half_width),
            _interval(each.bootstrap),
            half_width(each.detectable),
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
    summary = summarise_seeds(differences)
    return Difference(
        label,
        len(seeds),
        summary,
        smallest,
        p,
        why,
        bootstrap=bca_interval(differences) if len(seeds) >= FEWEST_RESAMPLED else None,
        detectable=detectable_between_seeds(len(seeds), summary.sd) if summary.sd and summary.sd > ROUNDING else None,
    )


def _interval(found: Bootstrap | None) -> str:
    if found is None or found.interval is None:
        return ""
    return f"{points(found.interval.low)} to {points(found.interval.high)}"


def _key(paired: Sequence[Difference], reference: str) -> str:
    smallest = {each.seeds: each.smallest_p for each in paired}
    reach = ", ".join(f"{p_value(smallest[seeds])} with {plural(seeds, 'seed')}" for seeds in sorted(smallest))
    tests = sum(each.p is not None for each in paired)
    text = f"Each row less {reference}, in points, on the seeds that both have; ± is the 95 % t-interval of the mean. "
    text += (
        "Detectable is the least true difference that a paired t-test over so many seeds, scattered as these are, "
        "would show with a power of 80 %. "
    )
    if any(each.bootstrap for each in paired):
        text += "The BCa bootstrap describes and is too narrow for so few seeds. "
    if not tests:
        return f"{text}The smallest p that an exact sign-flip test can reach is {reach}: n too small for a test."
    return (
        f"{text}p is of the exact two-sided sign-flip test (the smallest that it can reach: {reach}), "
        f"corrected by Holm's method for the {plural(tests, 'test')} of this table."
    )
