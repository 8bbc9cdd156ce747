"""On whom is the backbone pre-trained?  Rendered people of their own, of whom no twin shows anybody."""

from __future__ import annotations

from pathlib import Path

from bench.data.twin import store
from bench.data.twin.expression import EXPRESSIONS
from bench.data.twin.population import TwinSpec
from bench.data.twin.store import RenderedTwin

# Identities are drawn from a seed that is derived from the population's name (twin/stream.py), so a population with a
# name of its own shares no person and no image with any twin.
POPULATION = "pretraining"
PRESET = "default"  # as three of the four twins; bench/pretrain/look.py adds what cameras do
_HELD_OUT = 10  # one validation image for so many training images


def population(images: int, seed: int) -> TwinSpec:
    """`images` training images, every expression equally often, and a tenth as many of other people for validation.

    The class names only choose which action units are drawn; no target is made of them.
    """
    each = max(1, images // len(EXPRESSIONS))
    held_out = max(1, each // _HELD_OUT)
    counts = (each,) * len(EXPRESSIONS), (held_out,) * len(EXPRESSIONS)
    return TwinSpec(POPULATION, EXPRESSIONS, PRESET, seed, *counts, source_size=(0, 0))


def faces(images: int, size: int, seed: int, cache: Path, progress: bool = True) -> RenderedTwin:
    """The population rendered at `size` pixels, out of the store below `cache`; what is missing is rendered first."""
    return store.load(population(images, seed), size, cache, progress=progress)
