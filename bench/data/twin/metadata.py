"""What is known about each rendered image?  One row per image of a structured array, beside its pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.data.twin.expression import ACTION_UNITS, EXPRESSIONS
from bench.data.twin.hairstyle import STYLES
from bench.data.twin.head import LANDMARKS
from bench.data.twin.render import Rendered
from bench.data.twin.scene import OCCLUDERS, Scene

# landmarks: x, y in pixels; action_units: intensities in the order of expression.ACTION_UNITS; pose: yaw, pitch, roll
# in degrees; light: direction x, y, z, strength of key and of fill, exposure; occluder, hairstyle and shown are
# positions in their tables.
ROW = np.dtype(
    [
        ("landmarks", np.float32, (len(LANDMARKS), 2)),
        ("action_units", np.float32, (len(ACTION_UNITS),)),
        ("strength", np.float32),
        ("shown", np.uint8),
        ("pose", np.float32, (3,)),
        ("light", np.float32, (6,)),
        ("occluder", np.uint8),
        ("grey", np.bool_),
        ("noise", np.float32),
        ("blur", np.float32),
        ("tone", np.float32),
        ("age", np.float32),
        ("gender", np.float32),
        ("hairstyle", np.uint8),
    ]
)
_STYLE_NAMES = tuple(style.name for style in STYLES)


def row(rendered: Rendered) -> NDArray:
    """The metadata of one image, as an array of shape () and type ROW."""
    person, expression, scene = rendered.person.identity, rendered.expression, rendered.scene
    filled = np.zeros((), ROW)
    filled["landmarks"] = rendered.landmarks
    filled["action_units"] = [expression.actions.get(action, 0.0) for action in ACTION_UNITS]
    filled["strength"] = expression.strength
    filled["shown"] = EXPRESSIONS.index(expression.name)
    filled["pose"] = (scene.pose.yaw, scene.pose.pitch, scene.pose.roll)
    filled["light"] = light_row(scene)
    filled["occluder"] = OCCLUDERS.index(scene.occluder.kind)
    filled["grey"], filled["noise"], filled["blur"] = scene.grey, scene.noise, scene.blur
    filled["tone"], filled["age"], filled["gender"] = person.skin.tone, person.age, person.gender
    filled["hairstyle"] = _STYLE_NAMES.index(person.hair.style.name)
    return filled


def light_row(scene: Scene) -> tuple[float, ...]:
    """The light as six numbers: direction, strength of key and fill (green), exposure."""
    light = scene.light
    return (*light.direction, light.key[1], light.fill[1], light.exposure)
