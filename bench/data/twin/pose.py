"""How does the mesh move?  Gaze and expression displace the neutral face; how far, per region, is the action mask."""

from __future__ import annotations

import numpy as np

from bench.data.twin.expression import Expression, region
from bench.data.twin.head import REGIONS, Floats, displace, load_head
from bench.data.twin.person import Person

MILLIMETRES = 100.0  # per decimetre


def posed_vertices(person: Person, expression: Expression) -> tuple[Floats, Floats]:
    """The face in action (V, 3) in decimetres, and the displacement by the expression per region (V, 4) in
    millimetres."""
    head = load_head()
    vertices = person.neutral.copy()
    for unit, weight in expression.gaze.items():
        displace(vertices, head.displacements[f"au:{unit}"], weight)
    moved = np.zeros((len(vertices), len(REGIONS)), np.float32)
    for column, name in enumerate(REGIONS):
        units = [(unit, weight) for unit, weight in expression.units.items() if region(unit) == name]
        if units:
            offset = np.zeros_like(vertices)
            for unit, weight in units:
                displace(offset, head.displacements[f"au:{unit}"], weight)
            vertices += offset
            x, y, z = offset.T
            moved[:, column] = np.sqrt(x * x + y * y + z * z) * np.float32(MILLIMETRES)
    return vertices, moved
