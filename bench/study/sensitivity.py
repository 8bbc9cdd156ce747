"""Are the results "not particularly sensitive" to the weights?  The paper's sentence, answered by the trials."""

from __future__ import annotations

from collections.abc import Sequence

from bench.markdown import MISSING, Column, count, percent, plural, points, table
from bench.study.numbers import Sensitivity, log_edges, sensitivity, surface
from bench.study.space import Dimension
from bench.study.text import FinishedTrial, Study

CLAIM = (
    'The paper sets both weights to 1.0 and notes that the gains "are not particularly sensitive to their values" '
    "(section 3.4, below Eq. 7; no figure is given)."
)
GRID = 4  # bins of a linear axis


def answer(study: Study) -> str:
    """The claim, what was measured, and what follows from it."""
    found = sensitivity(study)
    claim = CLAIM if study.identity.method == "dan" else ""
    if found is None or len(study.complete) < 2:
        return " ".join(part for part in (claim, "Nothing can be said before two trials are complete.") if part)
    others = len(study.complete) - 1
    lost = sum(trial.state == "diverged" for trial in study.trials)
    parts = (
        claim,
        f"Measured: the {plural(len(study.complete), 'complete trial')} span {percent(found.worst)} to "
        f"{percent(found.best)} % ({_distance(found.spread)} points).  The published point has "
        f"{percent(found.published)} %, with a standard error of {_distance(found.error)} points on "
        f"{count(found.n_val)} validation images ({'images and seeds' if found.seeds_seen else 'images alone'}).",
        f"Of the {plural(others, 'other')}, {found.same} cannot be told from it (95 %, each on its own, as if measured "
        f"on other images: a cautious test), {len(found.below)} are worse and {len(found.above)} better.",
        f"{plural(found.stopped, 'trial')} stopped early, behind the median of the complete ones; "
        f"{len(found.behind)} of them were by then worse than the published point at the same step by more than that "
        "error explains."
        if found.stopped
        else "",
        f"In {plural(lost, 'trial')} the training diverged." if lost else "",
        _verdict(study, found, lost),
    )
    return "  ".join(part for part in parts if part)


def surface_table(study: Study) -> str:
    """Mean complete value by decade of the first two numeric parameters, with the number of trials behind it."""
    axes = numeric_axes(study.dimensions)
    if len(axes) < 2:
        return ""
    x, y = axes[:2]
    edges = (edges_of(x), edges_of(y))
    cells = surface(study, (x.name, y.name), edges)
    width = len(edges[0]) - 1
    columns = (Column(f"`{y.name}` \\ `{x.name}`", "left"), *(Column(_span(edges[0], place)) for place in range(width)))
    rows = []
    for place in range(len(edges[1]) - 1):
        line = cells[place * width : (place + 1) * width]
        texts = (
            (MISSING if cell.mean is None else f"{percent(cell.mean)} ({cell.complete})")
            + (f" +{cell.pruned} stopped" if cell.pruned else "")
            for cell in line
        )
        rows.append((_span(edges[1], place), *texts))
    key = "Mean validation value in % (complete trials in the cell) and how many were stopped or diverged."
    others = ", ".join(axis.name for axis in axes[2:])
    return f"{table(columns, rows)}\n\n{key}" + (f"  Other parameters vary too: {others}." if others else "")


def numeric_axes(dimensions: Sequence[Dimension]) -> tuple[Dimension, ...]:
    """The parameters that can be an axis."""
    return tuple(dimension for dimension in dimensions if not dimension.choices)


def edges_of(axis: Dimension) -> tuple[float, ...]:
    """Decades of a logarithmic axis, equal parts of a linear one."""
    if axis.log:
        return log_edges(axis.low, axis.high)
    return tuple(axis.low + (axis.high - axis.low) * place / GRID for place in range(GRID + 1))


def _verdict(study: Study, found: Sensitivity, lost: int) -> str:
    parts = []
    if found.below:
        parts.append(f"the score falls in part of the range (worse: {_ranges(study, found.below)})")
    if found.behind:
        parts.append(f"it was already lower where trials were stopped ({_ranges(study, found.behind)})")
    if found.above:
        parts.append(f"the published point can be improved on (better: {_ranges(study, found.above)}), on this split")
    if lost:
        parts.append("some weights end in no model at all")
    if parts and not found.seeds_seen:
        return (
            f"**So the trials differ, but one tuning seed cannot tell the weights from the chance of training**: "
            f"{'; '.join(parts)}.  --tuning-seeds 1000,1001 with another --study would."
        )
    if parts:
        return f"**So the score is not flat over the whole range**: {'; '.join(parts)}."
    return "**So no sensitivity can be seen on this data with this many images**; a smaller effect cannot be excluded."


def _distance(fraction: float) -> str:
    """A distance in points, without a sign."""
    return points(fraction).lstrip("+")


def _ranges(study: Study, trials: Sequence[FinishedTrial]) -> str:
    """`loss.lambda1 0.001-0.02, loss.lambda2 3-9`: the least box around these trials."""
    texts = []
    for axis in study.dimensions:
        values = [trial.params[axis.name] for trial in trials]
        if axis.choices:
            texts.append(f"{axis.name} {', '.join(sorted(set(map(str, values))))}")
        else:
            numbers = [float(value or 0) for value in values]
            low, high = f"{min(numbers):.2g}", f"{max(numbers):.2g}"
            texts.append(f"{axis.name} {low}" if low == high else f"{axis.name} {low} to {high}")
    return ", ".join(texts)


def _span(edges: Sequence[float], place: int) -> str:
    return f"{edges[place]:g} to {edges[place + 1]:g}"
