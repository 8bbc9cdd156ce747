"""Which layouts are known for a dataset?  The one table that finding and reading share."""

from __future__ import annotations

from bench.data.catalog import DATASETS, TWINS
from bench.data.readers import affectnet, affectnet_full, facial_expressions, rafdb, sfew
from bench.data.readers.layout import Layout
from bench.errors import unknown

_AFFECTNET = (affectnet.REDUCED, affectnet_full.FULL, affectnet.CLASS_FOLDERS)
_LAYOUTS: dict[str, tuple[Layout, ...]] = {
    "affectnet7": _AFFECTNET,
    "affectnet8": _AFFECTNET,
    "rafdb": rafdb.LAYOUTS,
    "sfew": sfew.LAYOUTS,
    "facial_expressions": facial_expressions.LAYOUTS,
    "facial_expressions8": facial_expressions.LAYOUTS,
}


def real_name(name: str) -> str:
    """The dataset whose layouts `name` has: a rendered twin lies on disk like the dataset it stands in for."""
    if name not in DATASETS and name not in TWINS:
        raise unknown("dataset", name, [*DATASETS, *TWINS])
    return TWINS.get(name, name)


def layouts(name: str) -> tuple[Layout, ...]:
    return _LAYOUTS[real_name(name)]


def layout_of(name: str, layout: str) -> Layout:
    """The layout of dataset `name` that a listing names."""
    return next(known for known in layouts(name) if known.name == layout)
