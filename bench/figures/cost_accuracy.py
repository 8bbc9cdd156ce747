"""What does accuracy cost (the paper's Table 6, drawn)?  Parameters and operations against accuracy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bench.cost import Cost
from bench.data.catalog import title
from bench.figures import style
from bench.figures.chart import Chart, table
from bench.figures.heads_curve import heads_of
from bench.figures.rows import View, epoch_reported, label, shown
from bench.markdown import count, spans
from bench.report.table_rows import Trained
from bench.spec import slug
from bench.stats import summarise_seeds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEWEST = 3  # points worth a figure
AS_COMPARED = {"resnet18": "resnet18-fair", "psr": "psr-224"}  # Table 6 prints these on another basis


@dataclass(frozen=True)
class Point:
    """A row with its counts; `accuracies` by seed, in [0, 1]; `heads` where it is a DAN."""

    name: str
    cost: Cost
    accuracies: tuple[float, ...]
    heads: int = 0


def charts(view: View) -> Iterator[Chart]:
    """One figure a dataset: every row of comparisons and curves whose network is counted."""
    found: dict[str, dict[str, Trained]] = {}
    for each in shown(view, "comparison", "curve"):
        for row in each.rows:
            if counted(row) in view.costs:
                found.setdefault(each.dataset, {}).setdefault(counted(row), row)
    for dataset, rows in found.items():
        if len(rows) >= FEWEST:
            yield _chart(view, dataset, rows)


def counted(found: Trained) -> str:
    """The network of a row as costs.json calls it; empty for one that is not counted there."""
    row = found.row
    if row.method == "dan" and slug(row.variant) in ("default", f"heads={heads_of(found)}"):
        return f"dan-{heads_of(found)}"
    return AS_COMPARED.get(row.method, row.method) if not row.variant else ""


def _chart(view: View, dataset: str, rows: dict[str, Trained]) -> Chart:
    points = [
        Point(label(row), view.costs[name], tuple(row.accuracies(view.selection).values()), _heads(name, row))
        for name, row in rows.items()
    ]
    first = next(iter(rows.values()))
    assert first.conditions is not None
    size = dict(first.conditions.recipe)["image_size"]
    what = "Cost against accuracy"
    quick = "rehearsal (quick budget)" if first.conditions.budget == "quick" else "full budget"
    where = f"{title(dataset)}, n = {count(first.conditions.n_test)} test images, {quick}"
    lines = [
        (point.name, point.cost.parameters, point.cost.ops_paper, point.cost.macs, len(point.accuracies), *_mean(point))
        for point in points
    ]
    return Chart(
        f"cost-accuracy-{dataset}",
        what,
        f"{what}: {where}.  {epoch_reported(view)}; points are means over seeds, bars from the lowest to the highest "
        f"seed.  Parameters and operations are counted at 224 pixels in the paper's convention; accuracy is "
        f"measured at {size} pixels.  Networks that Table 6 counts.",
        tuple(cell for row in rows.values() for cell in row.cells),
        table(("row", "parameters", "ops_paper", "macs", "seeds", "accuracy", "lowest", "highest"), lines),
        partial(_figure, points, what, where),
    )


def _heads(name: str, found: Trained) -> int:
    return heads_of(found) if name.startswith("dan-") else 0


def _mean(point: Point) -> tuple[float, float, float]:
    return summarise_seeds(point.accuracies).mean, min(point.accuracies), max(point.accuracies)


def _series(points: Sequence[Point]) -> list[list[Point]]:
    """The points that one line joins: DAN by its heads; every other network stands alone."""
    heads = sorted((point for point in points if point.heads), key=lambda point: point.heads)
    return [series for series in (heads, *([point] for point in points if not point.heads)) if series]


def _draw(axes: Axes, series: Sequence[Point], at: Sequence[float], place: int) -> None:
    means, lows, highs = zip(*(_mean(point) for point in series), strict=True)
    middle = [100 * mean for mean in means]
    bars = [
        [100 * (mean - low) for mean, low in zip(means, lows, strict=True)],
        [100 * (high - mean) for mean, high in zip(means, highs, strict=True)],
    ]
    name = series[0].name if not series[0].heads else f"DAN, {spans(point.heads for point in series)} heads"
    line, marker = ("-" if len(series) > 1 else "none"), style.MARKERS[place % len(style.MARKERS)]
    colour = style.COLOURS[place % len(style.COLOURS)]
    axes.errorbar(
        at, middle, bars, linestyle=line, marker=marker, color=colour, linewidth=0.8, capsize=2, label=name, zorder=3
    )
    if len(series) > 1:
        for x, y, point in zip(at, middle, series, strict=True):
            axes.annotate(str(point.heads), (x, y), xytext=(4, 3), textcoords="offset points", fontsize=6)


def _figure(points: Sequence[Point], what: str, where: str) -> Figure:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    made = style.figure(3.3, style.WIDTH)
    left, right = made.subplots(1, 2, sharey=True)
    sides = (
        (left, "parameters in millions", [point.cost.parameters / 1e6 for point in points]),
        (right, "operations in billions (paper's convention)", [point.cost.ops_paper / 1e9 for point in points]),
    )
    for axes, text, at in sides:
        for place, series in enumerate(_series(points)):
            _draw(axes, series, [at[points.index(point)] for point in series], place)
        if max(at) > 5 * min(at):
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        else:
            axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.set_xlabel(text)
        style.light_grid(axes)
    left.set_ylabel("test accuracy in %")
    handles, names = left.get_legend_handles_labels()
    made.legend(handles, names, loc="outside right upper")
    style.heading(made, what, where)
    return made
