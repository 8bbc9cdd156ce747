"""What does the face do?  Action units per class (tables), drawn for an image and turned into face units of the
mesh."""

from __future__ import annotations

from dataclasses import dataclass

from bench.data.twin.presets import Preset
from bench.data.twin.stream import Domain, Stream

EXPRESSIONS = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")
SIDES = ("Left", "Right")

# Action unit (FACS) -> (face unit, gain); `*` stands for both sides.
FACE_UNITS: dict[int, tuple[tuple[str, float], ...]] = {
    1: (("browInnerUp", 1.0),),
    2: (("browOuterUp*", 1.0),),
    4: (("browDown*", 1.0),),
    5: (("eyeWide*", 1.0),),
    6: (("cheekSquint*", 1.0), ("eyeSquint*", 0.35)),
    7: (("eyeSquint*", 1.0),),
    9: (("noseSneer*", 1.0), ("mouthUpperUp*", 0.25), ("browDown*", 0.3)),
    10: (("mouthUpperUp*", 1.0), ("noseSneer*", 0.25)),
    12: (("mouthSmile*", 1.0),),
    14: (("mouthDimple*", 1.0),),
    15: (("mouthFrown*", 1.0),),
    16: (("mouthLowerDown*", 1.0),),
    17: (("mouthShrugLower", 1.0), ("mouthShrugUpper", 0.35)),
    18: (("mouthPucker", 1.0),),
    20: (("mouthStretch*", 1.0),),
    22: (("mouthFunnel", 1.0),),
    23: (("mouthRollLower", 0.35), ("mouthRollUpper", 0.35), ("mouthPress*", 0.6)),
    24: (("mouthPress*", 1.0),),
    25: (("mouthLowerDown*", 0.35), ("mouthUpperUp*", 0.15), ("jawOpen", 0.06)),
    26: (("jawOpen", 0.45),),
    27: (("jawOpen", 0.95),),
    29: (("jawForward", 1.0),),
    43: (("eyeBlink*", 1.0),),
}
ACTION_UNITS = tuple(FACE_UNITS)


@dataclass(frozen=True)
class Unit:
    """How an action unit takes part in a class: its probability and the range of its intensity."""

    action: int
    probability: float
    low: float
    high: float
    one_sided: bool = False


def _units(*rows: tuple[int, float, float, float]) -> tuple[Unit, ...]:
    return tuple(Unit(*row) for row in rows)


CLASS_UNITS: dict[str, tuple[Unit, ...]] = {
    "neutral": (),
    "happiness": _units(
        (6, 0.75, 0.35, 1.0), (12, 0.97, 0.40, 1.0), (25, 0.60, 0.3, 1.0), (26, 0.28, 0.2, 0.8), (7, 0.15, 0.2, 0.6),
        (14, 0.10, 0.1, 0.5), (10, 0.08, 0.1, 0.4), (1, 0.06, 0.1, 0.4), (2, 0.06, 0.1, 0.4),
    ),
    "sadness": _units(
        (1, 0.80, 0.40, 1.0), (15, 0.78, 0.35, 1.0), (4, 0.60, 0.25, 0.8), (17, 0.50, 0.25, 0.9),
        (43, 0.35, 0.15, 0.45), (7, 0.15, 0.1, 0.5), (6, 0.12, 0.1, 0.5),
        (25, 0.12, 0.2, 0.6), (20, 0.08, 0.1, 0.4),
    ),
    "surprise": _units(
        (1, 0.88, 0.40, 1.0), (2, 0.88, 0.40, 1.0), (5, 0.75, 0.30, 1.0), (26, 0.55, 0.4, 1.0), (25, 0.35, 0.2, 0.8),
        (27, 0.30, 0.4, 1.0), (22, 0.12, 0.2, 0.6), (4, 0.05, 0.1, 0.3),
    ),
    "fear": _units(
        (1, 0.86, 0.40, 1.0), (5, 0.82, 0.40, 1.0), (20, 0.72, 0.35, 1.0), (4, 0.68, 0.25, 0.9), (25, 0.60, 0.3, 1.0),
        (2, 0.55, 0.20, 0.8), (26, 0.42, 0.2, 0.8), (7, 0.25, 0.2, 0.6), (15, 0.10, 0.1, 0.4),
    ),
    "disgust": _units(
        (9, 0.76, 0.40, 1.0), (10, 0.62, 0.35, 1.0), (4, 0.45, 0.2, 0.8), (7, 0.40, 0.2, 0.8), (17, 0.38, 0.2, 0.9),
        (25, 0.32, 0.2, 0.8), (15, 0.30, 0.2, 0.7), (16, 0.25, 0.2, 0.7), (6, 0.22, 0.2, 0.6), (43, 0.12, 0.1, 0.4),
    ),
    "anger": _units(
        (4, 0.92, 0.45, 1.0), (7, 0.60, 0.3, 1.0), (23, 0.55, 0.35, 1.0), (5, 0.42, 0.2, 0.8), (24, 0.40, 0.35, 1.0),
        (17, 0.36, 0.2, 0.8), (10, 0.22, 0.2, 0.7), (25, 0.22, 0.3, 0.9), (9, 0.16, 0.2, 0.6), (29, 0.15, 0.2, 0.6),
        (26, 0.14, 0.2, 0.7), (15, 0.12, 0.1, 0.5),
    ),
    "contempt": (
        Unit(14, 0.78, 0.40, 1.0, one_sided=True), Unit(12, 0.75, 0.35, 0.9, one_sided=True),
        Unit(2, 0.22, 0.2, 0.6, one_sided=True), Unit(10, 0.12, 0.2, 0.6, one_sided=True),
        *_units((24, 0.15, 0.1, 0.5), (7, 0.15, 0.1, 0.5), (17, 0.12, 0.1, 0.5), (43, 0.10, 0.1, 0.3),
                (12, 0.06, 0.1, 0.3)),
    ),
}  # fmt: skip

# Action units of no class: the probability of each at leak 1.
LEAK: dict[int, float] = {
    25: 0.15, 4: 0.12, 7: 0.12, 1: 0.10, 2: 0.10, 12: 0.10, 43: 0.10, 15: 0.08, 17: 0.08,
    24: 0.08, 14: 0.06, 26: 0.06, 5: 0.05, 18: 0.05,
}  # fmt: skip
_SPEECH = ((25, 26), (22, 25), (25, 16), (26, 20))
_MAX_UNIT = 1.15
_MAX_SQUINT = 0.9
_FAR_SIDE = 0.08  # what the other side does of a one-sided action


@dataclass(frozen=True)
class Expression:
    """`actions` are action-unit intensities (the stronger side), `units` the face units of the mesh; `gaze` is no
    part of the expression."""

    name: str
    strength: float
    actions: dict[int, float]
    units: dict[str, float]
    gaze: dict[str, float]


def sample_expression(name: str, seed: int, index: int, preset: Preset) -> Expression:
    """Draw how image `index` shows the class `name`; with probability `label_noise` it shows another class."""
    stream = Stream(seed, Domain.EXPRESSION, index)
    gaze = _gaze(stream)
    mislabelled, other = stream.chance(preset.label_noise), stream.choice(EXPRESSIONS)
    shown = other if mislabelled else name
    strength = stream.uniform(*preset.strength)
    both, single = _draw_actions(shown, strength, stream, preset)
    units = _face_units(both, single, stream, preset)
    actions = {action: max(both.get(action, 0.0), single.get(action, 0.0)) for action in {*both, *single}}
    return Expression(shown, strength, dict(sorted(actions.items())), units, gaze)


def _draw_actions(
    name: str, strength: float, stream: Stream, preset: Preset
) -> tuple[dict[int, float], dict[int, float]]:
    """Intensities of two-sided and of one-sided action units: those of the class, leaks of no class, and speech."""
    both: dict[int, float] = {}
    single: dict[int, float] = {}
    for unit in CLASS_UNITS[name]:
        present, intensity = stream.chance(unit.probability), stream.uniform(unit.low, unit.high)
        if present:
            (single if unit.one_sided else both)[unit.action] = intensity * strength
    for action, probability in LEAK.items():
        present, intensity = stream.chance(probability * preset.leak), stream.uniform(0.05, 1.0) * preset.leak_strength
        if present:
            both[action] = max(both.get(action, 0.0), intensity)
    if stream.chance(preset.talking):
        for action in stream.choice(_SPEECH):
            both[action] = max(both.get(action, 0.0), stream.uniform(0.2, 0.7))
    return both, single


def _face_units(both: dict[int, float], single: dict[int, float], stream: Stream, preset: Preset) -> dict[str, float]:
    units: dict[str, float] = {}
    near = stream.choice(SIDES)
    for actions, one_sided in ((both, False), (single, True)):
        for action, intensity in actions.items():
            for pattern, gain in FACE_UNITS[action]:
                skew = stream.bell(0.5 * preset.asymmetry) if pattern.endswith("*") else 0.0
                for name, share in _sides(pattern, skew, near if one_sided else None):
                    units[name] = units.get(name, 0.0) + gain * intensity * share
    return _antagonists(units)


def _sides(pattern: str, skew: float, near: str | None) -> list[tuple[str, float]]:
    """The face units of a pattern with their shares: left more than right by `skew`, the far side of a one-sided
    action almost still."""
    if not pattern.endswith("*"):
        return [(pattern, 1.0)]
    shares = []
    for side, sign in zip(SIDES, (1.0, -1.0), strict=True):
        reach = 1.0 if near in (None, side) else _FAR_SIDE
        shares.append((pattern[:-1] + side, reach * max(0.0, 1.0 + sign * skew)))
    return shares


def _antagonists(units: dict[str, float]) -> dict[str, float]:
    """A wide eye does not blink; a squint never closes the eye; no unit goes beyond what its shape bears."""
    for side in SIDES:
        blink, wide, squint = f"eyeBlink{side}", f"eyeWide{side}", f"eyeSquint{side}"
        if blink in units:
            units[blink] = max(0.0, units[blink] - units.get(wide, 0.0))
        if squint in units:
            units[squint] = min(units[squint], _MAX_SQUINT)
    return {name: min(value, _MAX_UNIT) for name, value in units.items() if value > 0.004}


def _gaze(stream: Stream) -> dict[str, float]:
    aside, up = stream.bell(0.35), stream.bell(0.25)
    left, right = ("Out", "In") if aside > 0 else ("In", "Out")
    level = "Up" if up > 0 else "Down"
    turn, lift = min(abs(aside), 1.0), min(abs(up), 1.0)
    return {
        f"eyeLook{left}Left": turn,
        f"eyeLook{right}Right": turn,
        f"eyeLook{level}Left": lift,
        f"eyeLook{level}Right": lift,
    }


def region(face_unit: str) -> str:
    """Where on the face a unit acts: one of head.REGIONS."""
    if face_unit.startswith(("eye", "cheekSquint")):
        return "eyes"
    return next((name for name in ("brow", "nose") if face_unit.startswith(name)), "mouth")
