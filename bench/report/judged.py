"""What is the verdict on a printed figure, given the row that re-trains it, or none?"""

from __future__ import annotations

from dataclasses import replace

from baselines.registry import entry
from bench.data.catalog import title
from bench.pretrained import family
from bench.report.granularity import attainable, explain
from bench.report.reported import Accuracy
from bench.report.table_rows import Trained
from bench.report.verdict import Ours, Verdict, judge


def ours_of(trained: Trained, selection: str) -> Ours | None:
    """A row's result under a selection; None without a record."""
    shared = trained.conditions
    if shared is None or not trained.records:
        return None
    return Ours(
        dataset=trained.dataset,
        budget=shared.budget,
        selection=selection,
        weights=family(shared.weights),
        correct={seed: record.scores[selection].correct for seed, record in trained.records.items()},
        n=shared.n_test,
        n_expected=shared.n_expected,
        backbone="resnet18" if entry(trained.row.method).trunk == "resnet18" else None,
    )


def beside(figure: Accuracy, trained: Trained, selection: str) -> Verdict | None:
    """The verdict on a figure beside a row of ours in a table; None where the row has no record."""
    ours = ours_of(trained, selection)
    # It is re-trained, whatever the file of printed figures plans: here are its records.
    return judge(replace(figure, retrained=True), ours) if ours else None


def on_figure(figure: Accuracy, trained: Trained | None, selection: str) -> Verdict:
    """The verdict on a figure for the list of all of them: one of the paper's five words, never `not comparable`.

    A figure that is no count of its stated test size is called so with or without a run of ours; what cannot be
    compared is undecidable, and the reason says why.
    """
    found = beside(figure, trained, selection) if trained else None
    if found is not None and found.word != "not comparable":
        return found
    if granular := impossible(figure):
        return Verdict("not attainable at this n", f"{granular}; no run of ours is needed to say so")
    if found is not None:
        return Verdict("undecidable", f"a rehearsal only: {found.reason}")
    if not figure.retrained:
        return Verdict("undecidable", f"quoted only: {figure.why}")
    return Verdict("undecidable", f"no finished run on {title(figure.dataset)} or its twin")


def impossible(figure: Accuracy) -> str:
    """Why no count of the figure's stated test sizes prints as it, rounded or truncated; empty where one does, or
    where nothing is stated."""
    if figure.runs != 1 or not figure.n_paper or any(attainable(figure.figure, n).possible for n in figure.n_paper):
        return ""
    fits = f" (it is one of {figure.n_evidence:,})" if figure.n_evidence not in (None, *figure.n_paper) else ""
    return "; ".join(explain(figure.figure, n) for n in figure.n_paper) + fits
