"""What does a study look like?  Surface over two weights, history and expected best as PNG, and their data as CSV.

Colours are cividis and Okabe-Ito's, which people with any colour vision tell apart; shapes say the same again in grey.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.atomic import replacing, write_text
from bench.data.catalog import title
from bench.study.numbers import best_so_far, expected_best, values_of
from bench.study.sensitivity import numeric_axes
from bench.study.space import Dimension, as_trained
from bench.study.text import FinishedTrial, Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#6E6E6E"
DPI = 200
FEWEST_FOR_CONTOUR = 4
GRID = 300


def draw(study: Study, folder: Path) -> dict[str, str]:
    """Write the figures of a study and their data.  Returns file names by surface, history and expected."""
    names: dict[str, str] = {}
    if not study.trials:
        return names
    write_text(folder / f"{study.name}-trials.csv", trials_csv(study))
    write_text(folder / f"{study.name}-expected-best.csv", expected_csv(study))
    axes = numeric_axes(study.dimensions)
    figures: dict[str, Figure | None] = {
        "surface": surface_figure(study, axes) if axes else None,
        "history": history_figure(study),
        "expected": expected_figure(study),
    }
    for which, figure in figures.items():
        if figure is not None:
            names[which] = f"{study.name}-{'expected-best' if which == 'expected' else which}.png"
            with replacing(folder / names[which]) as file:
                figure.savefig(file, format="png", dpi=DPI, metadata={"Software": None})
    return names


def trials_csv(study: Study) -> str:
    """Every trial: number, state, weights as trained, value, best so far.  Values are fractions."""
    names = list(study.identity.space)
    rows = [
        [number, trial.state, *(as_trained(trial.params)[name] for name in names), trial.value, best, len(trial.steps)]
        for number, (trial, best) in enumerate(zip(study.trials, best_so_far(study), strict=True))
    ]
    return _csv(["trial", "state", *names, "value", "best_so_far", "epochs"], rows)


def expected_csv(study: Study) -> str:
    """The expected best of b trials, b = 1..n."""
    return _csv(["trials", "expected_best"], [list(row) for row in enumerate(expected_best(values_of(study)), 1)])


def surface_figure(study: Study, axes: tuple[Dimension, ...]) -> Figure:
    """Complete trials coloured by value over two weights, with a contour between them; over one weight, points."""
    figure, plot = _figure(4.6)
    x, y = axes[0], axes[1] if len(axes) > 1 else None
    if y is None:
        _along(plot, study, x)
    else:
        _plane(figure, plot, study, x, y)
    _axis(plot, x, "x")
    plot.set_title(_title(study), fontsize=9)
    return figure


def history_figure(study: Study) -> Figure:
    """Each trial's value, and the best so far."""
    figure, plot = _figure(3.4)
    for state, marker, colour, label in (
        ("complete", "o", BLUE, "complete"),
        ("pruned", "x", GREY, "stopped early (last report)"),
    ):
        found = [
            (number, 100 * trial.value)
            for number, trial in enumerate(study.trials)
            if trial.state == state and trial.value is not None
        ]
        if found:
            plot.plot(*zip(*found, strict=True), marker, color=colour, label=label, markersize=5)
    best = [np.nan if value is None else 100 * value for value in best_so_far(study)]
    plot.step(range(len(best)), best, where="post", color=ORANGE, label="best complete so far")
    plot.set_xlabel("trial (0 is the published point)")
    _finish(plot, study)
    return figure


def expected_figure(study: Study) -> Figure:
    """The expected best value of so many trials drawn at random from the study, beside the published point."""
    figure, plot = _figure(3.4)
    curve = expected_best(values_of(study))
    plot.plot(
        range(1, len(curve) + 1),
        [100 * value for value in curve],
        color=BLUE,
        marker="o",
        markersize=3,
        label="expected best",
    )
    first = study.published
    if first is not None and first.value is not None:
        plot.axhline(100 * first.value, color=ORANGE, linestyle="--", label="published point")
    plot.set_xlabel("trials spent")
    _finish(plot, study)
    return figure


def _plane(figure: Figure, plot: Axes, study: Study, x: Dimension, y: Dimension) -> None:
    done = [trial for trial in study.complete if trial.value is not None]
    early = [trial for trial in study.trials if trial.state != "complete"]
    at, across, values = _values(done, x), _values(done, y), np.array([100 * (trial.value or 0.0) for trial in done])
    shade: dict[str, Any] = (
        {"cmap": "cividis", "vmin": values.min(initial=np.inf), "vmax": values.max(initial=-np.inf)} if done else {}
    )
    if _spans_a_plane(_scaled(at, x), _scaled(across, y)) and np.ptp(values) > 0:
        plot.contourf(*_between(at, across, values, x, y), levels=np.linspace(values.min(), values.max(), 9), **shade)
    if done:
        points = plot.scatter(
            at, across, c=values, s=34, edgecolors="black", linewidths=0.6, zorder=3, label="complete", **shade
        )
        figure.colorbar(points, ax=plot, label=f"validation {_objective(study)} in %")
    if early:
        plot.plot(
            _values(early, x), _values(early, y), "x", color="black", markersize=6, zorder=3, label="stopped early"
        )
    if study.published is not None:
        _star(plot, study.published, x, y, "*", "published")
    if study.best is not None:
        _star(plot, study.best, x, y, "D", "best")
    _axis(plot, y, "y")
    plot.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=4, frameon=False)


def _between(at: Any, across: Any, values: Any, x: Dimension, y: Dimension) -> tuple[Any, Any, Any]:
    """A fine grid with values linear between the measured points, on the axes' own scale: nothing smoothed, nothing
    extrapolated (Delaunay triangles)."""
    from matplotlib.tri import LinearTriInterpolator, Triangulation

    u, v = _scaled(at, x), _scaled(across, y)
    across_x, across_y = (np.linspace(side.min(), side.max(), GRID) for side in (u, v))
    grid = np.meshgrid(across_x, across_y)  # (GRID, GRID) each
    inside = LinearTriInterpolator(Triangulation(u, v), values)(*grid)
    return _unscaled(across_x, x), _unscaled(across_y, y), inside


def _along(plot: Axes, study: Study, x: Dimension) -> None:
    done = [trial for trial in study.complete if trial.value is not None]
    plot.plot(_values(done, x), [100 * (trial.value or 0.0) for trial in done], "o", color=BLUE)
    plot.axvline(float(x.published or 0), color=ORANGE, linestyle="--", label="published")
    plot.set_ylabel(f"validation {_objective(study)} in %")
    plot.legend(fontsize=7, frameon=False)


def _star(plot: Axes, trial: FinishedTrial, x: Dimension, y: Dimension, marker: str, label: str) -> None:
    size = 230 if marker == "*" else 110
    plot.scatter(
        _values([trial], x), _values([trial], y), s=size, marker=marker, label=label,
        facecolors="none", edgecolors=ORANGE, linewidths=1.8, zorder=4,
    )  # fmt: skip


def _values(trials: list[FinishedTrial] | tuple[FinishedTrial, ...], axis: Dimension) -> Any:
    return np.array([float(trial.params[axis.name] or 0) for trial in trials])


def _scaled(values: Any, axis: Dimension) -> Any:
    return np.log10(values) if axis.log else values


def _unscaled(values: Any, axis: Dimension) -> Any:
    return 10.0**values if axis.log else values


def _spans_a_plane(x: Any, y: Any) -> bool:
    """Whether the points span a plane: triangles need three that lie on no line."""
    points = np.unique(np.column_stack([x, y]), axis=0)
    return len(points) >= FEWEST_FOR_CONTOUR and np.linalg.matrix_rank(points - points.mean(axis=0), tol=1e-6) == 2


def _figure(height: float) -> tuple[Figure, Axes]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _axis(plot: Axes, axis: Dimension, which: str) -> None:
    if axis.log:
        getattr(plot, f"set_{which}scale")("log")
    getattr(plot, f"set_{which}lim")(axis.low, axis.high)
    getattr(plot, f"set_{which}label")(axis.name)


def _finish(plot: Axes, study: Study) -> None:
    from matplotlib.ticker import MaxNLocator

    plot.xaxis.set_major_locator(MaxNLocator(integer=True))
    plot.set_ylabel(f"validation {_objective(study)} in %")
    plot.set_title(_title(study), fontsize=9)
    plot.grid(alpha=0.25)
    plot.legend(fontsize=7, frameon=False)


def _objective(study: Study) -> str:
    return study.identity.objective.replace("-", " ")


def _title(study: Study) -> str:
    identity = study.identity
    return f"{identity.method} on {title(identity.dataset)}, {identity.budget} budget, {len(study.trials)} trials"


def _csv(head: list[str], rows: list[list[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(["" if value is None else value for value in row] for row in rows)
    return text.getvalue()
