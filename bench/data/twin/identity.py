"""Who is it?  One person's shape, skin, brows, eyes and hair, drawn from the identity's own stream."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.data.twin.hairstyle import Hair, Rgb, sample_hair
from bench.data.twin.head import Floats, displace, load_head
from bench.data.twin.presets import Preset
from bench.data.twin.stream import Domain, Stream

ANCESTRIES = ("african", "asian", "caucasian")  # the package's names for its three shape families
_ANCESTRY_TONE = (0.80, 0.38, 0.18)

# Shapes that look like an expression: low brows like anger, drooping corners like sadness, narrow eyes like a squint.
LOOKALIKE_SHAPES = (
    "eyebrows", "mouth-angles", "eye-height", "eye-corner", "mouth-trans", "lowerlip", "upperlip",
    "eye-eyefold", "laugh-lines",
)  # fmt: skip
_QUIET_SHAPES = ("age", "fat", "head-", "double")

_IRIS: tuple[Rgb, ...] = (
    (0.16, 0.09, 0.05),
    (0.10, 0.06, 0.035),
    (0.17, 0.20, 0.13),
    (0.16, 0.22, 0.30),
    (0.24, 0.17, 0.08),
)


@dataclass(frozen=True)
class Brow:
    """An eyebrow as a curve over the rest pose: lengths in decimetres; `density` is the opacity."""

    thickness: float
    arch: float
    lift: float
    inner: float
    outer: float
    density: float
    colour: Rgb


@dataclass(frozen=True)
class Skin:
    """`tone` is 0 (light) to 1 (dark); the rest are strengths in [0, 1]; colours are linear RGB."""

    tone: float
    blush: float
    freckles: float
    gloss: float
    wrinkles: float
    mottle: float
    eye_shadow: float
    eyeliner: float
    lip_colour: Rgb
    lip_strength: float
    beard: float
    moustache: bool


@dataclass(frozen=True)
class Identity:
    """A person.  `age` is 0.30 (child) to 1 (old) and `gender` 0 (female) to 1 (male) on the package's scales."""

    number: int
    age: float
    gender: float
    ancestry: tuple[float, float, float]
    weight: float
    shapes: tuple[tuple[str, float], ...]
    skin: Skin
    brow: Brow
    iris: Rgb
    hair: Hair


def sample_identity(seed: int, number: int, preset: Preset) -> Identity:
    """The person of that number.  Nothing of an image enters, so all images of a person agree."""
    stream = Stream(seed, Domain.IDENTITY, number)
    age = stream.uniform(0.58, 0.85) if stream.chance(0.5) else stream.uniform(0.30, 1.0)
    gender = _pushed_apart(stream.uniform())
    ancestry = _ancestry(stream)
    weight = _clip(0.5 + stream.bell(0.22))
    shapes = _shapes(stream, preset)
    tone = _clip(sum(a * t for a, t in zip(ancestry, _ANCESTRY_TONE, strict=True)) + stream.bell(0.12))
    darkness = max(tone, 0.9 * ancestry[0] + 0.55 * ancestry[1])
    hair = sample_hair(stream, age, gender, darkness)
    return Identity(
        number=number, age=age, gender=gender, ancestry=ancestry, weight=weight, shapes=shapes,
        skin=_skin(stream, age, gender, tone), brow=_brow(stream, gender, hair.colour),
        iris=_IRIS[0] if stream.chance(0.30 + 0.80 * darkness) else stream.choice(_IRIS), hair=hair,
    )  # fmt: skip


def neutral_vertices(identity: Identity) -> Floats:
    """The face of that person at rest (V, 3), in decimetres."""
    head = load_head()
    vertices = head.rest.copy()
    for name, weight in _macro_weights(identity).items():
        if weight > 1e-4:
            displace(vertices, head.displacements[name], weight)
    for name, weight in identity.shapes:
        displace(vertices, head.displacements[("loc+" if weight > 0 else "loc-") + name], abs(weight))
    return vertices


def _macro_weights(identity: Identity) -> dict[str, float]:
    """Trilinear weights of the age, gender, weight and ancestry shapes, as MakeHuman mixes them."""
    age, weight = identity.age, identity.weight
    ages = {
        "child": max(0.0, 1.0 - 3.0 * abs(age - 1.0 / 3.0)),
        "young": max(0.0, 1.0 - 3.0 * abs(age - 2.0 / 3.0)),
        "old": max(0.0, 1.0 - 3.0 * (1.0 - age)),
    }
    bodies = {
        "minweight": max(0.0, 1.0 - 2.0 * weight),
        "averageweight": 1.0 - abs(2.0 * weight - 1.0),
        "maxweight": max(0.0, 2.0 * weight - 1.0),
    }
    mixed: dict[str, float] = {}
    for gender, gender_weight in (("female", 1.0 - identity.gender), ("male", identity.gender)):
        for period, age_weight in ages.items():
            part = gender_weight * age_weight
            mixed |= {f"univ:{gender}-{period}-{body}": part * share for body, share in bodies.items()}
            mixed |= {
                f"race:{a}-{gender}-{period}": part * s for a, s in zip(ANCESTRIES, identity.ancestry, strict=True)
            }
    return mixed


def _shapes(stream: Stream, preset: Preset) -> tuple[tuple[str, float], ...]:
    """Local shapes; the two sides of a face share a value, and each has a little of its own."""
    shared: dict[str, float] = {}
    shapes: list[tuple[str, float]] = []
    for name in load_head().local_shapes:
        paired = name[:2] in ("l-", "r-")
        key = name[2:] if paired else name
        if key not in shared:
            present, value = stream.chance(0.6), stream.bell(0.6 * _shape_spread(key, preset))
            shared[key] = value if present else 0.0
        weight = shared[key] + (stream.bell(0.06 * preset.identity_spread) if paired else 0.0)
        if abs(weight) > 1e-4:
            shapes.append((name, weight))
    return tuple(shapes)


def _shape_spread(key: str, preset: Preset) -> float:
    lookalike = any(word in key for word in LOOKALIKE_SHAPES)
    spread = preset.identity_spread * (0.40 * preset.lookalike_spread if lookalike else 0.45)
    if "ear-" in key:
        spread *= 0.5
    return spread * (0.5 if any(word in key for word in _QUIET_SHAPES) else 1.0)


def _ancestry(stream: Stream) -> tuple[float, float, float]:
    draws = [stream.uniform() for _ in ANCESTRIES]
    raw = [u * u * u + 1e-3 for u in draws]  # cubed: most people are mainly of one family
    total = sum(raw)
    return raw[0] / total, raw[1] / total, raw[2] / total


def _skin(stream: Stream, age: float, gender: float, tone: float) -> Skin:
    made_up = gender < 0.5 and stream.chance(0.35)
    natural = (stream.uniform(0.58, 0.68), stream.uniform(0.34, 0.42), stream.uniform(0.33, 0.41))
    painted = (stream.uniform(0.50, 0.70), stream.uniform(0.12, 0.27), stream.uniform(0.16, 0.31))
    freckled, bearded = tone < 0.3 and stream.chance(0.25), gender > 0.55 and age > 0.55 and stream.chance(0.5)
    return Skin(
        tone=tone,
        blush=stream.uniform(0.0, 0.35),
        freckles=stream.uniform(0.1, 0.5) if freckled else 0.0,
        gloss=stream.uniform(0.06, 0.30),
        wrinkles=0.25 + 0.75 * max(0.0, (age - 0.55) / 0.45),
        mottle=stream.uniform(0.25, 1.0),
        eye_shadow=stream.uniform(0.0, 0.5),
        eyeliner=stream.uniform(0.3, 0.9) if gender < 0.5 and stream.chance(0.6) else stream.uniform(0.0, 0.35),
        lip_colour=painted if made_up else natural,
        lip_strength=stream.uniform(0.35, 0.75),
        beard=stream.uniform(0.10, 0.85) if bearded else 0.0,
        moustache=stream.chance(0.8),
    )


def _brow(stream: Stream, gender: float, hair: Rgb) -> Brow:
    shade = stream.uniform(0.75, 1.0) if stream.chance(0.8) else 0.5
    return Brow(
        thickness=stream.uniform(0.026, 0.048) * (1.0 + 0.25 * (gender - 0.5)),
        arch=stream.uniform(0.015, 0.075),
        lift=stream.uniform(-0.015, 0.020),
        inner=stream.uniform(0.10, 0.15),
        outer=stream.uniform(0.50, 0.56),
        density=stream.uniform(0.72, 0.97),
        colour=(hair[0] * shade, hair[1] * shade, hair[2] * shade),
    )


def _pushed_apart(u: float) -> float:
    """A uniform number moved towards 0 and 1: most people are not halfway between the two shapes."""
    x = 2.0 * u - 1.0
    return 0.5 + 0.5 * x / (math.sqrt(abs(x)) + 1e-9)


def _clip(x: float) -> float:
    return min(max(x, 0.0), 1.0)
