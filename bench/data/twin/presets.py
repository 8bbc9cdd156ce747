"""How difficult are the faces?  Each preset as data."""

from __future__ import annotations

from dataclasses import dataclass

from bench.errors import unknown


@dataclass(frozen=True)
class Preset:
    """Spread of everything that is not the expression, and how strong the expression is.

    `strength` multiplies the action-unit intensities.  `leak` scales the probability that an action unit of no class
    appears, `leak_strength` its intensity.  `talking` is the probability of a speaking mouth.  `asymmetry` is the
    spread of left against right. `identity_spread` scales the shapes of a person, `lookalike_spread` those that
    resemble an expression (low brows, drooping mouth). `yaw`, `pitch`, `roll` are standard deviations in degrees.
    `light_spread` is 0 (frontal) to 1; `occlusion` a probability. `noise` is the sensor's, in linear intensity;
    `blur` a standard deviation in pixels of a 112-pixel image. `label_noise` is the probability that the shown
    expression is not the label's.
    """

    strength: tuple[float, float]
    leak: float
    leak_strength: float
    talking: float
    asymmetry: float
    identity_spread: float
    lookalike_spread: float
    yaw: float
    pitch: float
    roll: float
    light_spread: float
    occlusion: float
    noise: float
    blur: float
    label_noise: float


PRESETS: dict[str, Preset] = {
    "easy": Preset((0.85, 1.15), 0.10, 0.20, 0.00, 0.10, 0.70, 0.35, 8, 5, 4, 0.50, 0.00, 0.008, 0.35, 0.00),
    "default": Preset((0.65, 1.15), 0.35, 0.30, 0.05, 0.15, 0.85, 0.60, 12, 7, 5, 0.75, 0.08, 0.014, 0.50, 0.00),
    "hard": Preset((0.45, 1.10), 0.60, 0.40, 0.10, 0.20, 1.00, 0.80, 18, 9, 7, 0.90, 0.15, 0.020, 0.70, 0.00),
    "extreme": Preset((0.25, 1.00), 1.00, 0.55, 0.20, 0.30, 1.20, 1.10, 28, 13, 10, 1.00, 0.30, 0.035, 1.10, 0.05),
}


def preset(name: str) -> Preset:
    """The preset of that name, or a UserError with the nearest names."""
    if name not in PRESETS:
        raise unknown("preset", name, PRESETS)
    return PRESETS[name]
