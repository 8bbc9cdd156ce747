"""What is the number of attention heads worth (the paper's Figure 5)?  With a band over seeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from bench.data.catalog import title
from bench.figures import style
from bench.figures.chart import Chart, table
from bench.figures.rows import Shown, View, epoch_reported, shown
from bench.markdown import count
from bench.report.table_rows import Trained
from bench.stats import summarise_seeds

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FEWEST = 2  # points that make a curve


def charts(view: View) -> Iterator[Chart]:
    """One curve for each table of kind `curve` and dataset."""
    for found in shown(view, "curve"):
        by_heads = {heads_of(row): row for row in found.rows}
        if len(by_heads) >= FEWEST:
            yield _chart(view, found, by_heads)


def heads_of(found: Trained) -> int:
    """The number of heads that a row was trained with."""
    return int(next(iter(found.records.values())).settings["heads"] or 0)


def _chart(view: View, found: Shown, by_heads: Mapping[int, Trained]) -> Chart:
    ordered = dict(sorted(by_heads.items()))
    scores = {heads: list(row.accuracies(view.selection).values()) for heads, row in ordered.items()}
    rows = []
    for heads, values in scores.items():
        summary = summarise_seeds(values)
        seeds = sorted(ordered[heads].records)
        for seed in seeds:
            accuracy = ordered[heads].accuracies(view.selection)[seed]
            rows.append((heads, seed, accuracy, summary.mean, summary.half_width))
    first = next(iter(ordered.values()))
    assert first.conditions is not None
    what = "Accuracy by number of attention heads"
    numbers = sorted({len(values) for values in scores.values()})
    seeds_said = f"{' or '.join(map(str, numbers))} seed{'s' * (numbers != [1])} a point"
    quick = "rehearsal (quick budget)" if first.conditions.budget == "quick" else "full budget"
    where = f"{title(found.dataset)}, n = {count(first.conditions.n_test)} test images, {seeds_said}, {quick}"
    sizes = next(iter(first.records.values())).data.test_per_class
    return Chart(
        f"{found.table.id}-{found.dataset}",
        what,
        f"{what}: {where}.  {epoch_reported(view)}.  Points are seeds, the line is their mean, the band its 95 % "
        "t-interval (none with one seed); dashed, the accuracy of always answering the most frequent class.  One head "
        "has neither log-softmax over heads nor partition loss (ledger L9).",
        tuple(cell for row in ordered.values() for cell in row.cells),
        table(("heads", "seed", "accuracy", "mean", "half_width_95"), rows),
        partial(_figure, scores, max(sizes) / sum(sizes), what, where),
    )


def _figure(scores: Mapping[int, Sequence[float]], floor: float, what: str, where: str) -> Figure:
    made = style.figure(3.1, 5.4)
    axes = made.subplots()
    summaries = {heads: summarise_seeds(values) for heads, values in scores.items()}
    at = list(summaries)
    mean = [100 * summary.mean for summary in summaries.values()]
    half = [100 * (summary.half_width or 0.0) for summary in summaries.values()]
    low = [max(0.0, middle - width) for middle, width in zip(mean, half, strict=True)]
    high = [min(100.0, middle + width) for middle, width in zip(mean, half, strict=True)]
    axes.fill_between(at, low, high, color=style.SKY, alpha=0.3, linewidth=0, label="95 % t-interval over seeds")
    axes.plot(at, mean, "-o", color=style.BLUE, label="mean over seeds")
    for heads, values in scores.items():
        axes.plot([heads] * len(values), [100 * value for value in values], "x", color=style.BLACK, markersize=4)
    axes.plot([], [], "x", color=style.BLACK, markersize=4, label="a seed")
    axes.axhline(100 * floor, color=style.ORANGE, linestyle="--", linewidth=1, label="most frequent class")
    axes.set_xticks(range(min(at), max(at) + 1))
    axes.set_xlabel("attention heads")
    axes.set_ylabel("test accuracy in %")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    style.light_grid(axes)
    style.heading(made, what, where)
    return made
