"""What is computed once per person and reused by all of the person's images?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from bench.data.twin.camera import Anchors, anchors
from bench.data.twin.hairstyle import height_over_hairline, scalp_lift
from bench.data.twin.head import Floats, load_head, vertex_normals
from bench.data.twin.identity import Identity, neutral_vertices, sample_identity
from bench.data.twin.presets import preset

_KEPT = 64  # people kept per process, about 0.2 MB each


@dataclass(frozen=True, eq=False)
class Person:
    """`neutral` (V, 3) and `lift` (V, 3, what hair adds to a vertex) in decimetres, `hair_height` (V,) over the
    hairline."""

    identity: Identity
    neutral: Floats
    face: Anchors
    hair_height: Floats
    lift: Floats


@lru_cache(maxsize=_KEPT)
def load_person(seed: int, number: int, preset_name: str) -> Person:
    """The person of that number under that seed and preset."""
    return build_person(sample_identity(seed, number, preset(preset_name)))


def build_person(identity: Identity) -> Person:
    """Geometry of an identity.  Hair follows the neutral face's normals: it does not swell when a brow moves."""
    head, neutral = load_head(), neutral_vertices(identity)
    height = height_over_hairline(identity.hair)
    lift = vertex_normals(head, neutral) * scalp_lift(identity.hair, height)[:, None]
    return Person(identity, neutral, anchors(head, neutral), height, lift)
