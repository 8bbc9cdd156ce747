"""How does a table of accuracies read?  The paper's figure, ours over seeds, the oracle's, differences and verdicts."""

from __future__ import annotations

from collections.abc import Sequence

from baselines.registry import METHODS, entry
from bench.data.catalog import TWINS, title
from bench.markdown import (
    MISSING,
    Column,
    Page,
    Section,
    bullets,
    grouped,
    half_width,
    one_line,
    percent,
    points,
    spans,
    table,
)
from bench.report import differences, protocols_table, seed_by_seed
from bench.report.differences import Difference
from bench.report.footers import footers, status
from bench.report.granularity import attainable, explain
from bench.report.judged import beside
from bench.report.reported import Reported
from bench.report.table_lines import Line, layout
from bench.report.table_rows import HEADLINE, ORACLE, Conditions, Finished, Trained, same_images
from bench.report.verdict import Verdict
from bench.spec import Suite, Table
from bench.stats import summarise_seeds

TITLES = {"last": "Last", "best-val": "Best val", "best-test": "Oracle"}
LONGEST_REASON = 60  # characters of a failure's reason in a cell; the whole stands below


def page(spec: Table, dataset: str, suite: Suite, finished: Finished, reported: Reported) -> Page:
    """The page of one table on one dataset."""
    laid = layout(spec, dataset, suite, finished, reported)
    lines, main = laid.lines, laid.main
    headline = HEADLINE[suite.protocol]
    reference = _reference(spec, lines)
    compared = _differences(lines, reference, headline)
    verdicts = [_verdict(line, headline) for line in lines]
    against = reference_title(spec)
    judged = [
        (line.name, f"{found.word}, {found.reason}") for line, found in zip(lines, verdicts, strict=True) if found
    ]
    return Page(
        heading=f"{laid.number + '. ' if laid.number else ''}{spec.title}: {title(dataset)}",
        status=status(dataset, main, any(line.printed for line in lines)),
        table=_table(spec, lines, headline, compared, against, verdicts),
        sections=(
            Section("Seed by seed", seed_by_seed.section(lines, headline)),
            Section(f"Difference to {against}, paired by seed", differences.section(compared, against)),
            Section("Verdicts", grouped(judged)),
            Section("Protocols side by side", protocols_table.section(lines, spec, dataset, suite, finished)),
            Section("Seeds without a result", grouped((line.name, lacking(line.trained)) for line in lines)),
            Section("Quoted rows", grouped((line.name, _why_quoted(line)) for line in lines)),
            Section("Notes", _notes(lines, laid.notes, verdicts, official=dataset not in TWINS and _is_full(main))),
        ),
        footers=footers(dataset, suite, main, laid.trained),
    )


def brief(spec: Table, dataset: str, suite: Suite, finished: Finished, reported: Reported) -> str:
    """The table of a page without the rows that have no record: what a summary shows."""
    laid = layout(spec, dataset, suite, finished, reported)
    lines = [line for line in laid.lines if line.trained and line.trained.records]
    headline = HEADLINE[suite.protocol]
    compared = _differences(lines, _reference(spec, lines), headline)
    return _table(spec, lines, headline, compared, reference_title(spec), [_verdict(line, headline) for line in lines])


def reference_title(spec: Table) -> str:
    """What a table calls the row that the others are compared with."""
    return entry(spec.reference).title if spec.reference in METHODS else spec.reference


def lacking(trained: Trained | None) -> str:
    """Which seeds of a row have no record, and why; empty where all have one."""
    if trained is None:
        return ""
    reasons: dict[str, list[int]] = {}
    for seed, reason in trained.failures.items():
        reasons.setdefault(f"failed: {one_line(reason)}", []).append(seed)
    if trained.not_run:
        reasons["not run yet"] = list(trained.not_run)
    if not trained.wanted:
        reasons["a rehearsal does not train it"] = []
    said = [f"seed{'s' * (len(seeds) > 1)} {spans(seeds)} {text}" if seeds else text for text, seeds in reasons.items()]
    return "; ".join(said)


def _reference(spec: Table, lines: Sequence[Line]) -> Line | None:
    """The first line with records of the table's reference row."""
    row = spec.reference_row
    return next((line for line in lines if line.trained and line.trained.row == row and line.trained.records), None)


def _differences(lines: Sequence[Line], reference: Line | None, headline: str) -> tuple[Difference | None, ...]:
    """One for each line; None for the reference, what repeats it, quoted rows, and rows on other images."""
    base = reference.trained if reference else None
    if base is None:
        return (None,) * len(lines)
    found = [line.trained.accuracies(headline) if line.trained and _pairs(line.trained, base) else {} for line in lines]
    return differences.against(base.accuracies(headline), list(zip([line.name for line in lines], found, strict=True)))


def _pairs(trained: Trained, base: Trained) -> bool:
    first, second = ((found.row.method, found.row.variant, found.conditions) for found in (trained, base))
    return first != second and same_images(trained, base)


def _table(
    spec: Table,
    lines: Sequence[Line],
    headline: str,
    compared: Sequence[Difference | None],
    reference: str,
    verdicts: Sequence[Verdict | None],
) -> str:
    figures = any(line.printed for line in lines)
    kinds = spec.kind == "comparison" or any(line.kind != "re-trained" for line in lines)
    columns = (
        Column("Group", "left"),
        Column("Method", "left"),
        Column("Row", "left"),
        Column("Paper"),
        Column(TITLES[headline]),
        Column("±"),
        Column("Last"),
        Column("Balanced"),
        Column(TITLES[ORACLE]),
        Column("Gap"),
        Column("Seeds"),
        Column(f"vs {reference}"),
        Column("Verdict" if figures else "Remark", "left"),
    )
    rows = [
        (
            line.group,
            line.marked,
            line.kind if kinds else "",
            line.printed.figure if line.printed else MISSING if figures else "",
            *_measured(line.trained, headline),
            points(difference.summary.mean) if difference else MISSING if any(compared) else "",
            _remark(line, verdict),
        )
        for line, difference, verdict in zip(lines, compared, verdicts, strict=True)
    ]
    return table(columns, rows)


def _measured(trained: Trained | None, headline: str) -> tuple[str, ...]:
    """Our own cells: headline, its interval, last (where the headline is another), balanced, oracle, gap, seeds."""
    if trained is None or not trained.records:
        seeds = f"0/{len(trained.wanted)}" if trained else MISSING
        return (MISSING, "", "" if headline == "last" else MISSING, MISSING, MISSING, MISSING, seeds)
    ours, last, oracle = (
        summarise_seeds(list(trained.accuracies(selection).values())) for selection in (headline, "last", ORACLE)
    )
    balanced = [record.scores[headline].balanced_accuracy for record in trained.records.values()]
    return (
        percent(ours.mean),
        half_width(ours.half_width),
        "" if headline == "last" else percent(last.mean),
        percent(summarise_seeds(balanced).mean),
        percent(oracle.mean),
        points(oracle.mean - ours.mean),
        f"{len(trained.records)}/{len(trained.wanted)}",
    )


def _verdict(line: Line, headline: str) -> Verdict | None:
    """The verdict on a line that has the paper's figure and a record of ours."""
    return beside(line.printed, line.trained, headline) if line.printed and line.trained else None


def _remark(line: Line, verdict: Verdict | None) -> str:
    """The verdict's word, and why seeds failed."""
    parts: list[str] = [verdict.word] if verdict else []
    if failures := line.trained.failures if line.trained else {}:
        reason = one_line(next(iter(failures.values())))
        short = reason if len(reason) <= LONGEST_REASON else f"{reason[: LONGEST_REASON - 3]}..."
        parts.append(f"{len(failures)} failed: {short}")
    return "; ".join(parts)


def _why_quoted(line: Line) -> str:
    if line.trained is not None or line.printed is None:
        return ""
    return line.printed.why or "no row of this suite re-trains it"


def _notes(lines: Sequence[Line], marks: Sequence[str], verdicts: Sequence[Verdict | None], official: bool) -> str:
    """What the letters mean, remarks on rows, and figures that the paper's own test size does not allow."""
    remarks = [(line.name, line.trained.row.note) for line in lines if line.trained]
    remarks += [(line.name, line.printed.note) for line in lines if line.printed]
    if official:
        remarks += [
            (line.name, _granularity(line))
            for line, verdict in zip(lines, verdicts, strict=True)
            if verdict is None or verdict.word != "not attainable at this n"
        ]
    return "\n".join(part for part in (bullets(marks), grouped(remarks)) if part)


def _granularity(line: Line) -> str:
    """What is odd about a printed figure: no count of the stated test size prints as it."""
    figure = line.printed
    if figure is None or figure.runs != 1 or not figure.n_paper:
        return ""
    if any(attainable(figure.figure, n).rounded for n in figure.n_paper):
        return ""
    return "; ".join(explain(figure.figure, n) for n in figure.n_paper)


def _is_full(main: Conditions | None) -> bool:
    return main is not None and main.budget == "full"
