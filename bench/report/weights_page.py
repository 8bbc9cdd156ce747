"""What are the starting weights worth?  The same rows, the same seeds, from random and from given weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from baselines.registry import entry
from bench.data.catalog import title
from bench.markdown import Column, Page, Section, half_width, p_value, percent, plural, points, spans, table
from bench.report.answer import rehearsal
from bench.report.table_rows import HEADLINE, Conditions, Finished, Trained, rows_of
from bench.spec import Suite, Table, slug
from bench.stats import Paired, compare_paired

RANDOM = "none"
SCORES = ("accuracy", "balanced_accuracy")


@dataclass(frozen=True)
class Worth:
    """One row from two starts: trained from random weights, and from given ones."""

    name: str
    random: Trained
    given: Trained

    @property
    def conditions(self) -> Conditions:
        assert self.given.conditions is not None
        return self.given.conditions

    def by_seed(self, score: str) -> tuple[dict[int, float], dict[int, float]]:
        """`accuracy` or `balanced_accuracy` of both by seed, as the protocol reports them."""
        headline = HEADLINE[self.conditions.protocol]
        one, other = (
            {seed: float(getattr(record.scores[headline], score)) for seed, record in each.records.items()}
            for each in (self.random, self.given)
        )
        return one, other


def worth(tables: Sequence[Table], dataset: str, suite: Suite, finished: Finished) -> tuple[Worth, ...]:
    """The rows of a dataset's tables that were trained from random and from given weights on a common seed."""
    found: dict[tuple[str, Conditions], Worth] = {}
    for spec in tables:
        for random, given in _pairs(rows_of(spec, dataset, suite, finished)):
            assert given.conditions is not None
            variant = slug(given.row.variant) if given.row.variant else ""
            name = " ".join(part for part in (entry(given.row.method).title, variant) if part)
            found.setdefault((name, given.conditions), Worth(name, random, given))
    return tuple(found.values())


def page(found: Mapping[str, Sequence[Worth]], finished: Finished) -> Page:
    """The page of a suite; `found` maps a dataset to its rows."""
    columns = (
        Column("Row", "left"), Column("Weights", "left"), Column("Seeds"), Column("Score", "left"), Column("n"),
        Column("Random"), Column("Given"), Column("Difference"), Column("±"), Column("BCa 95 %"), Column("p"),
    )  # fmt: skip
    sections = [
        Section(title(dataset), table(columns, [row for each in rows for row in _rows(each)]))
        for dataset, rows in found.items()
    ]
    everything = [each for rows in found.values() for each in rows]
    digests = sorted({(each.conditions.weights, str(each.conditions.weights_sha256)) for each in everything})
    smallest = {_paired(each, "accuracy").smallest_p for each in everything}
    footers = (
        "Each row was trained twice at each seed, on the same images in the same order: from random weights and from "
        "the weights named.  Scores are percentages, differences percentage points.",
        "± is the half-width of the 95 % t-interval of the mean difference over seeds; BCa is the bootstrap interval, "
        "which is too narrow for few seeds.",
        "p is of the exact sign-flip test; the smallest that it can reach with these seeds is "
        + ", ".join(p_value(p) for p in sorted(smallest))
        + ".",
        *(f"Weights `{name}`: SHA-256 `{sha256}`." for name, sha256 in digests),
    )
    return Page("What are the starting weights worth?", rehearsal(finished), "", tuple(sections), footers)


def _pairs(lines: Sequence[Trained]) -> Iterator[tuple[Trained, Trained]]:
    for given in lines:
        if given.conditions is None or given.conditions.weights == RANDOM:
            continue
        wanted = replace(given.conditions, weights=RANDOM, weights_sha256=None)
        for other in lines:
            if other.row == given.row and other.conditions == wanted and other.records.keys() & given.records.keys():
                yield other, given


def _rows(each: Worth) -> Iterator[tuple[str, ...]]:
    for score in SCORES:
        paired = _paired(each, score)
        random, given = each.by_seed(score)
        common = paired.seeds
        interval = paired.bootstrap.interval
        yield (
            each.name,
            each.conditions.weights,
            spans(common),
            score.replace("_", " "),
            str(each.conditions.n_test),
            percent(sum(random[seed] for seed in common) / len(common)),
            percent(sum(given[seed] for seed in common) / len(common)),
            points(paired.difference.mean),
            half_width(paired.difference.half_width),
            f"{points(interval.low)} to {points(interval.high)}" if interval else "",
            p_value(paired.p) if len(common) > 1 else plural(1, "seed"),
        )


def _paired(each: Worth, score: str) -> Paired:
    random, given = each.by_seed(score)
    return compare_paired(given, random)
