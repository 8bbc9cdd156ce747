"""Do the losses on the features part the classes (the paper's Figure 3)?  t-SNE of the test images' features.

The picture is a picture: t-SNE keeps neighbours, not distances.  The two numbers are of the features themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from baselines.dan import DanMethod
from bench.data.catalog import TWINS, info
from bench.figures import style
from bench.figures.chart import Chart, table
from bench.figures.networks import Network, Networks
from bench.figures.rows import View, circumstances, classes, label, shown
from bench.heads.diversity import Floats
from bench.report.table_rows import Trained
from dan.losses import pooled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PERPLEXITY = 30.0
SEED = 0
BATCH = 100
LOSSES = ("none", "center", "affinity")  # in the order of the panels


@dataclass(frozen=True)
class Embedded:
    """The features of one network in the plane, `points` (n, 2).

    `silhouette` in [-1, 1] (scikit-learn, Euclidean) and `ratio`, the mean distance to the own class's mean over the
    mean distance between class means (smaller is better parted), are of the features in 512 dimensions.
    """

    name: str
    seed: int
    points: Floats
    silhouette: float
    ratio: float


def charts(view: View, networks: Networks) -> Iterator[Chart]:
    """A figure for each ablation of the losses on the features, where weights of its rows are at hand."""
    for found in shown(view, "ablation"):
        by_loss = {loss: row for loss in LOSSES for row in found.rows if affinity_kind(row) == loss}
        if len(by_loss) < 2 or (info(found.dataset).licensed and found.dataset not in TWINS):
            continue  # not even coordinates of a licensed image go into results
        at_hand = [next(networks.of(row, view.suite.name), None) for row in by_loss.values()]
        present = [network for network in at_hand if network is not None]
        if len(present) == len(by_loss):
            yield _chart(found.dataset, present)


def affinity_kind(found: Trained) -> str:
    """The loss on the features of a row of DAN that changes nothing else; empty for any other row."""
    variant = dict(found.row.variant)
    if found.row.method != "dan" or set(variant) - {"affinity"}:
        return ""
    return str(variant.get("affinity", "affinity"))


@torch.no_grad()
def features(network: Network) -> Floats:
    """Pooled features (n, 512) of the backbone on the test images."""
    assert isinstance(network.method, DanMethod)
    found = []
    for start in range(0, len(network.feed), BATCH):
        images = network.feed.plain(np.arange(start, min(start + BATCH, len(network.feed))))
        found.append(pooled(network.method.model.features(images)))
    return torch.cat(found).numpy().astype(np.float64)


def scatter_ratio(points: Floats, labels: NDArray[np.int64]) -> float:
    """Mean distance of points (n, D) to their class's mean over the mean distance between the means of classes."""
    kinds = np.unique(labels)
    means = np.stack([points[labels == kind].mean(axis=0) for kind in kinds])  # (C, D)
    inside = np.linalg.norm(points - means[np.searchsorted(kinds, labels)], axis=1).mean()
    first, second = np.triu_indices(len(kinds), 1)
    return float(inside / np.linalg.norm(means[first] - means[second], axis=1).mean())


def embed(points: Floats) -> Floats:
    """t-SNE (n, 2) of points (n, D), always from the same seed, perplexity and start."""
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, (len(points) - 1) / 3)
    found: Floats = TSNE(perplexity=perplexity, init="pca", random_state=SEED, n_jobs=1).fit_transform(points)
    return found


def _embedded(network: Network) -> Embedded:
    from sklearn.metrics import silhouette_score

    found = features(network)
    score = float(silhouette_score(found, network.labels))
    return Embedded(label(network.found), network.seed, embed(found), score, scatter_ratio(found, network.labels))


def _chart(dataset: str, networks: Sequence[Network]) -> Chart:
    names = classes(networks[0].found)
    panels = [_embedded(network) for network in networks]
    rows = [
        (panel.name, panel.seed, str(network.ids[place]), names[network.labels[place]], *map(float, point),
         panel.silhouette, panel.ratio)
        for panel, network in zip(panels, networks, strict=True)
        for place, point in enumerate(panel.points)
    ]  # fmt: skip
    what = "Features of the backbone under each loss"
    where = circumstances(networks[0].found, panels[0].seed)
    return Chart(
        f"embedding-{dataset}",
        what,
        f"{what}, t-SNE, perplexity {PERPLEXITY:g}, same start and seed in every panel: {where}.  Silhouette "
        "(higher is better parted) and the distance within classes over that between classes (lower is better) are "
        "computed on the features, not on the picture, in which distances between groups mean little.",
        tuple(network.cell for network in networks),
        table(("loss", "seed", "image", "label", "x", "y", "silhouette", "within_over_between"), rows),
        partial(_figure, panels, [network.labels for network in networks], names, what, where),
        "weights",
    )


def _figure(
    panels: Sequence[Embedded], labels: Sequence[NDArray[np.int64]], names: Sequence[str], what: str, where: str
) -> Figure:
    made = style.figure(3.4)
    grid = made.subplots(1, len(panels), squeeze=False)[0]
    for axes, panel, own in zip(grid, panels, labels, strict=True):
        for kind, name in enumerate(names):
            points = panel.points[own == kind]
            axes.scatter(
                points[:, 0], points[:, 1], s=11, marker=style.MARKERS[kind % len(style.MARKERS)], label=name,
                color=style.COLOURS[kind % len(style.COLOURS)], alpha=0.8, linewidths=0,
            )  # fmt: skip
        axes.set_title(f"{panel.name}\nsilhouette {panel.silhouette:.3f}, within/between {panel.ratio:.2f}")
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(True)
    handles, texts = grid[0].get_legend_handles_labels()
    made.legend(handles, texts, loc="outside lower center", ncols=len(names), markerscale=1.6, columnspacing=1.0)
    style.heading(made, f"{what}: t-SNE, perplexity {PERPLEXITY:g}", where)
    return made
