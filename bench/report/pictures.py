"""Which pictures are there, and what does each show?  Every PNG below results/figures, with the data beside it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.data.catalog import DATASETS, TWINS, title

# By the first words of a file's name; the longest that fits counts.
KINDS = {
    "confusion": "Confusion matrix: rows are the labels, columns the answers, each row adds up to one",
    "precision-recall": "Precision against recall for each class, with the average precision",
    "pr": "Precision against recall for each class, with the average precision",
    "tsne": "t-SNE of the features: same seed and perplexity in every panel; distances between clusters mean little",
    "gradcam": "Grad-CAM++ of a single head beside each of the four heads",
    "head-maps": "Raw spatial attention of each head",
    "head-diversity": "Do the heads look at different places? Overlap and distance of their maps beside the controls",
    "heads": "Accuracy against the number of attention heads, with a band over seeds",
    "learning": "Learning curves: training and test accuracy after each epoch",
    "cost": "Accuracy against the size of the network",
}


@dataclass(frozen=True)
class Picture:
    """A picture by its path below the results, its caption, and its data's path (empty for none)."""

    path: str
    caption: str
    data: str


def pictures(results: Path) -> tuple[Picture, ...]:
    """Every picture, in the order of its path."""
    folder = results / "figures"
    found = sorted(path.relative_to(results) for path in folder.rglob("*.png")) if folder.is_dir() else []
    return tuple(_picture(results, path) for path in found)


def section(found: Iterable[Picture]) -> str:
    """The pictures as Markdown, each with its caption below it."""
    return "\n\n".join(
        f"![{each.caption}]({each.path})\n\n*{each.caption}.*" + (f" ([data]({each.data}))" if each.data else "")
        for each in found
    )


def _picture(results: Path, path: Path) -> Picture:
    data = path.with_suffix(".csv")
    return Picture(path.as_posix(), caption(path), data.as_posix() if (results / data).is_file() else "")


def caption(path: Path) -> str:
    """What a file shows, from its name and its folders: the kind, then the dataset where one is named."""
    kind = max((name for name in KINDS if path.stem.startswith(name)), key=len, default="")
    words = KINDS.get(kind) or path.stem.replace("-", " ").replace("_", " ").capitalize()
    names = sorted((*DATASETS, *TWINS), key=len, reverse=True)
    dataset = next((name for name in names if name in path.as_posix().split("/") or name in path.stem), "")
    return f"{words} ({title(dataset)})" if dataset else words
