"""How is the person photographed?  Pose, camera, light, occluder and backdrop, drawn from a stream that never sees
the class."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.data.twin.hairstyle import Rgb
from bench.data.twin.presets import Preset
from bench.data.twin.stream import Domain, Stream

OCCLUDERS = ("none", "glasses", "sunglasses", "mask", "block")
_OCCLUDER_SHARES = (("glasses", 0.50), ("sunglasses", 0.10), ("mask", 0.10), ("block", 0.30))


@dataclass(frozen=True)
class Pose:
    """Head rotation in degrees."""

    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True)
class Camera:
    """`distance` in decimetres for an average face, `scale` the distance from eyes to mouth as a fraction of the
    image, shifts likewise."""

    distance: float
    scale: float
    shift_x: float
    shift_y: float


@dataclass(frozen=True)
class Light:
    """A key light from `direction` (unit vector, towards the light), a sky-like fill, and the exposure.  Colours are
    linear RGB."""

    direction: tuple[float, float, float]
    key: Rgb
    fill: Rgb
    exposure: float


@dataclass(frozen=True)
class Occluder:
    """`kind` is one of OCCLUDERS; `numbers` are eight uniform draws that settle its shape and colour."""

    kind: str
    numbers: tuple[float, ...]


@dataclass(frozen=True)
class Blob:
    """A soft ellipse of the backdrop: centre and radii as fractions of the image."""

    x: float
    y: float
    radius_x: float
    radius_y: float
    colour: Rgb
    opacity: float


@dataclass(frozen=True)
class Backdrop:
    """Colours of the four corners, soft ellipses, and the colour of the clothes."""

    corners: tuple[Rgb, Rgb, Rgb, Rgb]
    blobs: tuple[Blob, ...]
    clothes: Rgb


@dataclass(frozen=True)
class Scene:
    """Everything of an image but the person and the expression.  `noise` is in linear intensity, `blur` in pixels at
    112."""

    pose: Pose
    camera: Camera
    light: Light
    occluder: Occluder
    backdrop: Backdrop
    noise: float
    blur: float
    grey: bool


def sample_scene(seed: int, index: int, preset: Preset) -> Scene:
    """The scene of image `index`.  Neither the class nor the person is an argument: nothing can leak."""
    stream = Stream(seed, Domain.SCENE, index)
    varied = preset.light_spread > 0.6
    return Scene(
        pose=Pose(stream.bell(preset.yaw), stream.bell(preset.pitch), stream.bell(preset.roll)),
        camera=Camera(stream.uniform(7.0, 16.0), stream.uniform(0.295, 0.365), stream.bell(0.025), stream.bell(0.02)),
        light=_light(stream, preset.light_spread),
        occluder=_occluder(stream, preset.occlusion),
        backdrop=_backdrop(stream),
        noise=preset.noise * stream.uniform(0.2, 1.8),
        blur=max(0.0, preset.blur * stream.uniform(-0.3, 1.3)),
        grey=stream.chance(0.08 if varied else 0.0),
    )


def _light(stream: Stream, spread: float) -> Light:
    azimuth = math.radians(75.0 * spread * stream.uniform(-1.0, 1.0))
    elevation = math.radians(stream.uniform(-15.0, 60.0) * spread + 15.0 * (1.0 - spread))
    flat = math.cos(elevation)
    direction = (math.sin(azimuth) * flat, math.sin(elevation), math.cos(azimuth) * flat)
    warmth, strength = stream.uniform(-0.12, 0.12) * spread, stream.uniform(0.75, 1.2)
    coolness, fill = stream.uniform(-0.10, 0.10) * spread, stream.uniform(0.22, 0.55)
    return Light(
        direction=(
            round(direction[0], 9),
            round(direction[1], 9),
            round(direction[2], 9),
        ),  # libm may differ in the last bit
        key=(strength * (1.0 + warmth), strength, strength * (1.0 - warmth)),
        fill=(fill * (1.0 - coolness), fill, fill * (1.0 + coolness)),
        exposure=stream.uniform(0.80, 1.20) if spread > 0.6 else stream.uniform(0.95, 1.10),
    )


def _occluder(stream: Stream, probability: float) -> Occluder:
    present, target = stream.chance(probability), stream.uniform()
    numbers = tuple(stream.uniform() for _ in range(8))
    kind = "none"
    if present:
        for name, share in _OCCLUDER_SHARES:
            kind, target = name, target - share
            if target < 0.0:
                break
    return Occluder(kind, numbers)


def _backdrop(stream: Stream) -> Backdrop:
    colourful = stream.uniform(0.0, 0.45)
    corners = (
        _muted(stream, colourful),
        _muted(stream, colourful),
        _muted(stream, colourful),
        _muted(stream, colourful),
    )
    count = int(stream.uniform(0.0, 5.0))
    return Backdrop(
        corners,
        tuple(_blob(stream) for _ in range(count)),
        (stream.uniform(0.03, 0.6), stream.uniform(0.03, 0.6), stream.uniform(0.03, 0.6)),
    )


def _muted(stream: Stream, colourful: float) -> Rgb:
    red, green, blue = (stream.uniform(0.03, 0.75) for _ in range(3))
    grey = (red + green + blue) / 3.0
    return grey + (red - grey) * colourful, grey + (green - grey) * colourful, grey + (blue - grey) * colourful


def _blob(stream: Stream) -> Blob:
    base = 0.65 * stream.uniform()
    colour = (base + stream.uniform(0.0, 0.18), base + stream.uniform(0.0, 0.18), base + stream.uniform(0.0, 0.18))
    x, y, radius_x, radius_y = stream.uniform(), stream.uniform(), stream.uniform(0.08, 0.4), stream.uniform(0.05, 0.3)
    return Blob(x, y, radius_x, radius_y, colour, stream.uniform(0.2, 0.8))
