"""What would a reader want to know first?  results/README.md: the question, the answer, tables, pictures, the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.cost import Cost
from bench.data.catalog import info
from bench.markdown import Page, Section, bullets, link
from bench.report import accuracy_table, all_verdicts, answer, pictures, verdicts_page
from bench.report import reported as printed
from bench.report.footers import COLUMNS
from bench.report.pages import FIGURES, VERDICTS, Material, datasets_of, with_tuned_rows
from bench.report.reported import Reported
from bench.spec import Suite, Table

SHOWN = ("paper", "heads")  # suites whose pictures the front page shows; of others it names the page
FILES = Path(__file__).with_name("what_files_mean.md")
FOOTERS = (
    "Each table's own page states its data digest, protocol, budget, seeds, weights and machines, and every row that "
    "failed or was not run.",
    "A verdict is consistent, above, below, undecidable or not attainable at this n; "
    "a rehearsal or a twin decides nothing.",
    *COLUMNS,
)


def page(suites: Sequence[Suite], pages: Mapping[str, Page], material: Material) -> Page:
    """The front page of a results folder."""
    suite = main_suite(suites)
    found = all_verdicts.judged(suite, material.finished, material.reported) if suite else ()
    sizes = verdicts_page.cost_rows(suite, material.reported, material.costs) if suite else []
    verdicts = f"{suite.name}/{VERDICTS}.md" if suite else ""
    tally = verdicts_page.tally(found, sizes, material.reported.titles) if found else ""
    whole = f"{tally}\n\nEach figure with its reason: {link('verdicts', f'tables/{verdicts}')}." if tally else ""
    return Page(
        heading="Does DAN hold up? The results",
        status=answer.rehearsal(material.finished),
        table="",
        sections=(
            Section("The question", question(material.reported)),
            Section("The answer", " ".join(_answer(suite, found, sizes, material))),
            Section("The paper's figures, verdict by verdict", whole),
            Section("Comparison with the baseline", _tables(suite, pages, material)),
            Section("Every page", _links(suites, pages, material.results)),
            Section("Pictures", _pictures(suites, material)),
            Section("What each file here means", FILES.read_text(encoding="utf-8").rstrip("\n")),
        ),
        footers=FOOTERS,
    )


def main_suite(suites: Sequence[Suite]) -> Suite | None:
    """The suite that the front page is about: the paper's, else the first."""
    return min(suites, key=lambda suite: (suite.name != "paper", suite.name), default=None)


def question(reported: Reported) -> str:
    """What the paper claims, in its own numbers."""
    claims = [f"{row.figure} % on {info(row.dataset).title}" for row in reported.table(all_verdicts.TEXT)]
    said = f" ({', '.join(claims)})" if claims else ""
    return (
        "Wen et al. (*Distract Your Attention*, Biomimetics 2023, 8, 199) report accuracies for facial expression "
        f"recognition with DAN{said} and gains over a ResNet-18 and over losses that DAN replaces. Do these figures "
        "come out again when DAN and its competitors are trained under one recipe, with fixed seeds, and judged by "
        "intervals instead of single best runs?"
    )


def _answer(
    suite: Suite | None,
    found: Sequence[all_verdicts.Judged],
    sizes: Sequence[tuple[printed.Cost, Cost]],
    material: Material,
) -> list[str]:
    comparison = comparison_of(suite)
    if suite is None or comparison is None:
        return answer.sentences(found, sizes, [], "DAN")
    datasets = datasets_of(comparison, suite, material.finished)
    gains = answer.gains_of(comparison, datasets, suite, material.finished, material.reported)
    return answer.sentences(found, sizes, gains, accuracy_table.reference_title(comparison) or "DAN")


def comparison_of(suite: Suite | None) -> Table | None:
    """The table of a suite that the front page shows; None where it has none."""
    return next((table for table in suite.tables if table.kind == "comparison"), None) if suite else None


def _tables(suite: Suite | None, pages: Mapping[str, Page], material: Material) -> str:
    """The comparison on every dataset that has one, without the rows that have no record."""
    comparison = comparison_of(suite)
    if suite is None or comparison is None:
        return ""
    parts = []
    for dataset in datasets_of(comparison, suite, material.finished):
        name = f"{suite.name}/{comparison.id}-{dataset}.md"
        whole = with_tuned_rows(comparison, dataset, suite, material)
        brief = accuracy_table.brief(whole, dataset, suite, material.finished, material.reported)
        if name in pages:
            parts.append(f"### {link(pages[name].heading, f'tables/{name}')}\n\n{pages[name].status}\n\n{brief}")
    return "\n\n".join(parts)


def _pictures(suites: Sequence[Suite], material: Material) -> str:
    """One picture of each kind from every suite, with links to the others."""
    parts = []
    for suite in sorted(suites, key=lambda suite: (suite.name != "paper", suite.name)):
        drawn = pictures.pictures(material.results, suite.name, material.finished.records)
        everything = link(f"figures of suite `{suite.name}`", f"tables/{suite.name}/{FIGURES}.md")
        parts.append(pictures.highlights(drawn, everything) if suite.name in SHOWN else "")
        if drawn and suite.name not in SHOWN:
            parts.append(f"More: {everything}.")
    return "\n\n".join(part for part in parts if part)


def _links(suites: Sequence[Suite], pages: Mapping[str, Page], results: Path) -> str:
    lines = [f"{link('All tables', 'tables/README.md')}, each with what it is"]
    for suite in sorted(suites, key=lambda suite: (suite.name != "paper", suite.name)):
        lines.append(f"{suite.title} (suite `{suite.name}`)")
        own = [link(page.heading, f"tables/{name}") for name, page in pages.items() if _of(name, suite)]
        lines[-1] += "".join(f"\n  - {each}" for each in own)
    if (results / "studies" / "README.md").is_file():
        lines.append(f"Tuning: {link('studies of the loss weights', 'studies/README.md')}")
    return bullets(lines)


def _of(name: str, suite: Suite) -> bool:
    return name.split("/")[0] == suite.name
