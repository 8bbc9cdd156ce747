"""What is the verdict on every figure that the paper prints?  One line each, with what was run and the reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import get_args

from bench.cost import Cost
from bench.data.catalog import title
from bench.markdown import (
    MISSING,
    Column,
    Page,
    Section,
    count,
    grouped,
    half_width,
    percent,
    points,
    scaled,
    table,
)
from bench.report import reported as printed
from bench.report.all_verdicts import TEXT, Judged, judged, of_the_paper
from bench.report.granularity import attainable
from bench.report.reported import Accuracy, Reported
from bench.report.table_rows import HEADLINE, ORACLE, Finished
from bench.report.verdict import Verdict, Word, judge_count
from bench.spec import Suite
from bench.stats import summarise_seeds

WORDS: tuple[Word, ...] = tuple(word for word in get_args(Word) if word != "not comparable")
HEADING = "Verdicts on every figure of the paper"
SIZES = "Table 6: parameters and operations"
DECIDED: tuple[Word, ...] = ("consistent", "above", "below")
MILLION, BILLION = 10**6, 10**9
FOOTERS = (
    "Consistent, above, below: ours against the figure, by the rule at the head of `bench/report/verdict.py`, which "
    "counts both the chance of the run and that of the images.  Undecidable: no run of ours can be compared with the "
    "figure, or our seeds are too few.  Not attainable: no count of that many images prints as the figure.",
    "Fits is the count that prints as the figure, of the test size that the paper under test states and of the size "
    "that the digits point to.  A figure quoted from elsewhere may have been measured on another release of the data.",
    "Run on is where ours were measured; a twin is rendered faces and quick is a rehearsal, so their numbers stand "
    "there for orientation and decide nothing.  Scored is test images scored of expected.",
    "Last is the last epoch; best-test is the epoch that is best on the test split itself (the oracle: the paper's "
    "habit, never a headline here); gap is best-test less last; honest is the epoch that validation chose, of networks "
    "trained without those validation images, and a dash where that protocol was not run.  Means over seeds in %, "
    "± the half-width of the 95 % t-interval; one seed has none.",
)


def page(suite: Suite, finished: Finished, reported: Reported, costs: Mapping[str, Cost]) -> Page:
    """The page of one suite."""
    found = judged(suite, finished, reported)
    figures = cost_rows(suite, reported, costs)
    headline = HEADLINE[suite.protocol]
    sections = [
        Section(caption.rstrip("."), _section([each for each in found if each.figure.table == number], headline))
        for number, caption in _captions(found, reported.titles).items()
    ]
    return Page(
        heading=HEADING if _is_whole(found, reported) else f"Verdicts on figures of the paper: {suite.title}",
        status=status(of_the_paper(found)),
        table=tally(found, figures, reported.titles),
        sections=(*sections, Section(SIZES, _costs(figures))),
        footers=FOOTERS,
    )


def _is_whole(found: Sequence[Judged], reported: Reported) -> bool:
    """Whether no accuracy that the paper prints is missing."""
    return len(of_the_paper(found)) == sum(row.table.isdigit() or row.table == TEXT for row in reported.accuracies)


def status(found: Sequence[Judged]) -> str:
    """The line below the heading: how many of the paper's accuracies could be judged at all."""
    decided = sum(each.verdict.word in DECIDED for each in found)
    if decided:
        return f"Runs at full size decide {decided} of the {len(found)} accuracies that the paper prints."
    return (
        f"**Rehearsal**: none of the {len(found)} accuracies that the paper prints was put to the test on its own "
        "data at full size, so none is confirmed or refuted here."
    )


def _captions(found: Sequence[Judged], titles: Mapping[str, str]) -> dict[str, str]:
    """The captions of the tables of these figures, in their order."""
    return {each.figure.table: titles[each.figure.table] for each in found}


def tally(found: Sequence[Judged], figures: Sequence[tuple[printed.Cost, Cost]], titles: Mapping[str, str]) -> str:
    """How many figures have which verdict, table by table."""
    columns = (Column("Figures of", "left"), Column("n"), *map(Column, WORDS))
    rows = []
    for number, caption in _captions(found, titles).items():
        words = Counter(each.verdict.word for each in found if each.figure.table == number)
        rows.append((caption.rstrip("."), str(sum(words.values())), *(_n(words[word]) for word in WORDS)))
    if figures:
        words = Counter(verdict.word for figure, cost in figures for verdict in count_verdicts(figure, cost))
        rows.append((SIZES, str(sum(words.values())), *(_n(words[word]) for word in WORDS)))
    return table(columns, rows)


def cost_rows(suite: Suite, reported: Reported, costs: Mapping[str, Cost]) -> list[tuple[printed.Cost, Cost]]:
    """The printed sizes that were counted here, where the suite has the table of them."""
    if not any(table.kind == "cost" for table in suite.tables):
        return []
    sizes = [row for row in reported.costs if row.table == "6"]
    return [(row, costs[row.method]) for row in sizes if row.method and row.method in costs]


def count_verdicts(figure: printed.Cost, cost: Cost) -> tuple[Verdict, Verdict]:
    """The verdicts on the printed parameters and operations."""
    return (
        judge_count(figure.parameters_millions, cost.parameters, MILLION),
        judge_count(figure.operations_billions, cost.ops_paper, BILLION),
    )


def _section(found: Sequence[Judged], headline: str) -> str:
    if not found:
        return ""
    columns = (
        Column("Row", "left"), Column("Paper"), Column("Fits"), Column("Run on", "left"), Column("Seeds"),
        Column("Scored"), Column("Last"), Column("±"), Column("Best-test (oracle)"), Column("Gap"), Column("Honest"),
        Column("Verdict", "left"),
    )  # fmt: skip
    rows = [
        (each.row, each.figure.figure, _fits(each.figure), *_measured(each, headline),
         each.verdict.word)
        for each in found
    ]  # fmt: skip
    reasons = grouped((each.name, each.verdict.reason) for each in found)
    return f"{table(columns, rows)}\n\n{reasons}"


def _measured(each: Judged, headline: str) -> tuple[str, ...]:
    """Run on, seeds, scored, last, its interval, best-test, gap, honest."""
    trained = each.trained
    if trained is None or trained.conditions is None:
        return ("", "", "", MISSING, "", MISSING, MISSING, MISSING)
    shared = trained.conditions
    last, oracle = (summarise_seeds(list(trained.accuracies(name).values())) for name in ("last", ORACLE))
    honest = each.trained if headline == "best-val" else each.honest
    chosen = list(honest.accuracies("best-val").values()) if honest else []
    return (
        f"{title(trained.dataset).replace(' (rendered faces)', '')}, {shared.budget}",
        f"{len(trained.records)}/{len(trained.wanted)}",
        f"{count(shared.n_test)}/{count(shared.n_expected)}",
        percent(last.mean),
        half_width(last.half_width),
        percent(oracle.mean),
        points(oracle.mean - last.mean),
        percent(summarise_seeds(chosen).mean) if chosen else MISSING,
    )


def _fits(figure: Accuracy) -> str:
    """`2752/3068`, `no k/4000, 2483/3999`; nothing where no test size is stated or the figure is a mean of runs."""
    if figure.runs != 1:
        return f"mean of {figure.runs}"
    said = [_count(figure.figure, n) for n in dict.fromkeys((*figure.n_paper, *_evidence(figure)))]
    return ", ".join(said) or MISSING


def _count(text: str, n: int) -> str:
    found = attainable(text, n)
    if found.rounded:
        counts = found.counts_rounded
        return f"{counts[0]}/{n}" if len(counts) == 1 else f"{counts[0]}-{counts[-1]}/{n}"
    return f"{found.counts_truncated[0]}/{n} truncated" if found.counts_truncated else f"no k/{n}"


def _evidence(figure: Accuracy) -> Iterable[int]:
    return () if figure.n_evidence is None else (figure.n_evidence,)


def _costs(figures: Sequence[tuple[printed.Cost, Cost]]) -> str:
    columns = (
        Column("Row", "left"), Column("Paper (M)"), Column("Params (M)"), Column("Verdict", "left"),
        Column("Paper (G)"), Column("Ops (G)"), Column("Verdict", "left"),
    )  # fmt: skip
    rows = []
    for figure, cost in figures:
        parameters, operations = count_verdicts(figure, cost)
        rows.append(
            (
                figure.label,
                figure.parameters_millions,
                scaled(cost.parameters, MILLION, 2),
                parameters.word,
                figure.operations_billions,
                scaled(cost.ops_paper, BILLION, 2),
                operations.word,
            )
        )
    note = "Counted here, exactly, in the paper's convention: no data, no chance."
    return f"{table(columns, rows)}\n\n{note}" if rows else ""


def _n(number: int) -> str:
    return str(number) if number else MISSING
