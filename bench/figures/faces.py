"""Where do heads look on a face?  Raw maps, and Grad-CAM++ of one head beside each of several (the paper's Figure 1).

Only rendered faces are shown: results are published, and a photograph is somebody's.
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
from bench.data.catalog import TWINS
from bench.figures import style
from bench.figures.chart import Chart, table
from bench.figures.networks import Network, Networks
from bench.figures.rows import Shown, View, circumstances, classes, label, shown
from bench.heads.diversity import Floats, unit
from bench.heads.measure import look
from bench.heads.regions import MOVED, REGIONS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEAT = "viridis"
REGION_COLOURS = (style.ORANGE, style.SKY, style.GREEN, style.PURPLE)


@dataclass(frozen=True)
class Column:
    """What one head does to each face: `heat` (faces, h, w), under a heading."""

    name: str
    heat: Floats


def charts(view: View, networks: Networks) -> Iterator[Chart]:
    """Head maps of the reference, and Grad-CAM++ of a single head beside its heads, on rendered faces."""
    for found in shown(view, "heads"):
        if found.dataset not in TWINS or found.reference is None:
            continue
        several = next(networks.of(found.reference, view.suite.name), None)
        if several is not None:
            yield _maps(found, several)
            single = _single(found, networks, view.suite.name)
            if single is not None:
                yield from _gradcam(found, single, several, networks)


def chosen(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The faces that are shown: the first test image of each class, whatever the networks answer."""
    return np.array([np.flatnonzero(labels == kind)[0] for kind in np.unique(labels)])


def grad_cam(method: DanMethod, images: torch.Tensor, kinds: Sequence[int], head: int) -> Floats:
    """Grad-CAM++ (n, S, S) in [0, 1] for the logit of each image's class, at the spatial unit of a head.

    Chattopadhay et al. 2018, by the package grad-cam: one weight for each of the unit's 512 channels.
    """
    from pytorch_grad_cam import GradCAMPlusPlus
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    layer = method.model.attention_heads[head].sa
    with GradCAMPlusPlus(model=method, target_layers=[layer]) as cam:
        found = cam(input_tensor=images, targets=[ClassifierOutputTarget(kind) for kind in kinds])
    return np.asarray(found, dtype=np.float64)


def _single(found: Shown, networks: Networks, suite: str) -> Network | None:
    row = next((row for row in found.rows if dict(row.row.variant).get("heads") == 1), None)
    return next(networks.of(row, suite), None) if row is not None else None


def _maps(found: Shown, network: Network) -> Chart:
    assert isinstance(network.method, DanMethod)
    faces = chosen(network.labels)
    maps = unit(look(network.method.model, network.feed).maps[faces])  # (faces, K, h, w)
    columns = [Column(f"head {head + 1}", maps[:, head]) for head in range(maps.shape[1])]
    what = "Raw attention maps of each head"
    where = circumstances(network.found, network.seed)
    return Chart(
        f"maps{found.table.id.removeprefix('diversity')}-{found.dataset}",
        what,
        f"{what}, {label(network.found)}: {where}; {maps.shape[2]} x {maps.shape[3]} fields, each map divided by its "
        "sum and drawn from zero to the row's highest share.  Faces are rendered: the first test image of each class.  "
        "In colour in the second column, where the renderer moved brow, eyes, nose and mouth by a millimetre or more.",
        (network.cell,),
        table(("image", "label", "head", "row", "column", "share"), _fields(network, faces, columns)),
        partial(_faces_figure, network, faces, columns, f"{what}: {label(network.found)}", where, True),
        "weights",
    )


def _gradcam(found: Shown, single: Network, several: Network, networks: Networks) -> Iterator[Chart]:
    assert isinstance(single.method, DanMethod) and isinstance(several.method, DanMethod)
    faces = chosen(several.labels)
    kinds = several.labels[faces].tolist()
    images = several.feed.plain(faces)
    heads = len(several.method.model.attention_heads)
    try:
        alone = grad_cam(single.method, images, kinds, 0)
        maps = [grad_cam(several.method, images, kinds, head) for head in range(heads)]
    except ImportError as error:
        networks.notes.append(f"no Grad-CAM++ is drawn: {error} (pip install 'dan-bench[figures]')")
        return
    columns = [Column("single head", alone), *(Column(f"head {j + 1} of {heads}", heat) for j, heat in enumerate(maps))]
    what = "Grad-CAM++: a single head beside each head of DAN"
    where = circumstances(several.found, several.seed)
    yield Chart(
        f"gradcam{found.table.id.removeprefix('diversity')}-{found.dataset}",
        what,
        f"{what}: {where}.  Taken at the output of each head's spatial unit for the logit of the label; each picture "
        "is scaled to its own highest value.  Faces are rendered: the first test image of each class, whatever the "
        "networks answer.",
        (single.cell, several.cell),
        table(("image", "label", "head", "row", "column", "value"), _fields(several, faces, columns)),
        partial(_faces_figure, several, faces, columns, what, where, False),
        "weights",
    )


def _fields(
    network: Network, faces: NDArray[np.int64], columns: Sequence[Column], most: int = 14
) -> Iterator[tuple[str | int | float, ...]]:
    """A line for each field of each map; finer maps as means over at most `most` x `most` blocks."""
    names = classes(network.found)
    for place, face in enumerate(faces):
        for column in columns:
            heat = blocks(column.heat[place], most)
            for (down, across), value in np.ndenumerate(heat):
                yield (
                    str(network.ids[face]), names[network.labels[face]], column.name, down, across, float(value)
                )  # fmt: skip


def blocks(heat: Floats, most: int) -> Floats:
    """A map (S, S) as means over equal blocks, at most `most` a side; as it is where it is that small."""
    side = len(heat)
    if side <= most:
        return heat
    parts = max(count for count in range(1, most + 1) if side % count == 0)
    return heat.reshape(parts, side // parts, parts, side // parts).mean(axis=(1, 3))


def _faces_figure(
    network: Network, faces: NDArray[np.int64], columns: Sequence[Column], what: str, where: str, regions: bool
) -> Figure:
    names = classes(network.found)
    width = 1 + regions + len(columns)
    made = style.figure(0.7 + 1.02 * len(faces), 0.8 + 1.02 * width)
    grid = made.subplots(len(faces), width, squeeze=False)
    for place, face in enumerate(faces):
        image = network.images[face]
        row = iter(grid[place])
        first = next(row)
        first.imshow(image)
        first.set_ylabel(names[network.labels[face]])
        if regions:
            _draw_regions(next(row), image, network.masks[face] if network.masks is not None else None)
        highest = max(float(column.heat[place].max()) for column in columns) if regions else 1.0
        for axes, column in zip(row, columns, strict=True):
            _overlay(axes, image, column.heat[place], highest)
    headings = ["rendered face", *(["moving regions"] if regions else []), *(column.name for column in columns)]
    for axes, name in zip(grid[0], headings, strict=True):
        axes.set_title(name)
    for axes in grid.ravel():
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    if regions:
        from matplotlib.patches import Patch

        marks = [Patch(color=colour, label=name) for name, colour in zip(REGIONS, REGION_COLOURS, strict=True)]
        made.legend(handles=marks, loc="outside lower center", ncols=len(marks))
    style.heading(made, what, where)
    return made


def _overlay(axes: Axes, image: NDArray[np.uint8], heat: Floats, highest: float) -> None:
    """The face in grey under the map's colours; fields of a coarse map keep their edges."""
    side = len(image)
    axes.imshow(image.mean(axis=2), cmap="gray", vmin=0, vmax=255)
    frame = (-0.5, side - 0.5, side - 0.5, -0.5)
    axes.imshow(heat, cmap=HEAT, vmin=0, vmax=highest or 1.0, alpha=0.6, extent=frame, interpolation="nearest")


def _draw_regions(axes: Axes, image: NDArray[np.uint8], masks: NDArray[np.uint8] | None) -> None:
    from matplotlib.colors import to_rgb

    grey = np.repeat(image.mean(axis=2, keepdims=True) / 255, 3, axis=2)
    for place, colour in enumerate(REGION_COLOURS):
        if masks is not None:
            moved = masks[..., place] > MOVED
            grey[moved] = 0.35 * grey[moved] + 0.65 * np.array(to_rgb(colour))
    axes.imshow(grey)
