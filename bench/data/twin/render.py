"""What does one image look like?  A person with an expression in a scene, to pixels, action masks and landmarks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.data.twin.backdrop import render_backdrop
from bench.data.twin.camera import View, view
from bench.data.twin.creases import crease
from bench.data.twin.expression import Expression, sample_expression
from bench.data.twin.features import paint_features
from bench.data.twin.hair import coverage, opacity, paint_hair
from bench.data.twin.head import LEFT_EYE, REGIONS, RIGHT_EYE, Floats, centre, load_head, vertex_normals
from bench.data.twin.occluder import occlude
from bench.data.twin.person import Person, load_person
from bench.data.twin.pose import posed_vertices
from bench.data.twin.presets import preset
from bench.data.twin.raster import Fragments, rasterise
from bench.data.twin.scene import Scene, sample_scene
from bench.data.twin.sensor import bin_down, record
from bench.data.twin.shading import shade
from bench.data.twin.shadow import lit
from bench.data.twin.skin import skin_albedo
from bench.data.twin.stream import Domain, Stream
from bench.data.twin.surface import Surface, interpolate, surface

SUBPIXELS = 2  # along each side
MASK_STEPS_PER_MM = 20  # a mask counts 0.05 mm


@dataclass(frozen=True, eq=False)
class Rendered:
    """`image` (size, size, 3) RGB; `masks` (size, size, 4) visible displacement by the expression per head.REGIONS,
    in 0.05 mm, at most 255; `landmarks` (5, 2) x, y in pixels in the order of head.LANDMARKS."""

    image: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    landmarks: Floats
    person: Person
    expression: Expression
    scene: Scene


@dataclass(frozen=True, eq=False)
class _Posed:
    """The mesh in camera space: `placed` (V, 3), pixel coordinates, nearness, normals in camera axes, and
    displacement (V, 4) in mm."""

    placed: Floats
    x: Floats
    y: Floats
    nearness: Floats
    normals: Floats
    moved: Floats


def render_image(seed: int, index: int, expression: str, identity: int, preset_name: str, size: int) -> Rendered:
    """Image `index` of a seed, showing a class name and a person.  It depends on the arguments alone."""
    difficulty = preset(preset_name)
    person = load_person(seed, identity, preset_name)
    shown = sample_expression(expression, seed, index, difficulty)
    scene = sample_scene(seed, index, difficulty)
    return render(person, shown, scene, Stream(seed, Domain.PIXELS, index), size)


def render(person: Person, expression: Expression, scene: Scene, stream: Stream, size: int) -> Rendered:
    """Draw the picture.  `stream` gives the noise of backdrop and sensor."""
    width = size * SUBPIXELS
    camera = view(person.face, scene.pose, scene.camera, width)
    mesh = _pose(person, expression, camera)
    seen = _see(person, scene, mesh, width)
    cover = coverage(seen, person.identity.hair)
    colour = _colour(seen, cover, person, expression, scene)
    picture = render_backdrop(scene, person, camera, stream, size, SUBPIXELS).reshape(3, width * width)
    solid = opacity(seen, cover, person.identity.hair)
    picture[:, seen.pixel] += (colour - picture[:, seen.pixel]) * solid
    hidden = occlude(picture, seen, person, scene, camera, width)
    image = record(bin_down(picture.reshape(3, width, width), SUBPIXELS), scene, stream)
    masks = _masks(seen, mesh.moved, cover, hidden, size)
    return Rendered(image, masks, _landmarks(mesh, person, camera), person, expression, scene)


def _pose(person: Person, expression: Expression, camera: View) -> _Posed:
    vertices, moved = posed_vertices(person, expression)
    placed = camera.place(vertices + person.lift)
    normals = vertex_normals(load_head(), placed)
    x, y, nearness = camera.project(placed)
    return _Posed(placed, x, y, nearness, normals, moved)


def _see(person: Person, scene: Scene, mesh: _Posed, width: int) -> Surface:
    head = load_head()
    fragments = rasterise(mesh.x, mesh.y, mesh.nearness, head.triangles, width)
    return surface(
        head, fragments, mesh.nearness, mesh.normals, lit(mesh.placed, scene.light.direction), person.hair_height
    )


def _colour(seen: Surface, cover: Floats, person: Person, expression: Expression, scene: Scene) -> Floats:
    """Linear RGB (3, n) of the fragments."""
    identity = person.identity
    albedo = skin_albedo(seen, identity, scene.backdrop.clothes)
    crease(albedo, seen, expression.units, identity.skin.wrinkles)
    paint_hair(albedo, cover, seen, identity.hair)
    occlusion = paint_features(albedo, seen, identity.iris)
    return shade(albedo, occlusion, cover, identity.skin.gloss, seen, scene.light)


def _masks(seen: Surface, moved: Floats, cover: Floats, hidden: Floats | None, size: int) -> NDArray[np.uint8]:
    """Sampled at one subpixel per pixel: the masks are smooth."""
    width = size * SUBPIXELS
    row, column = seen.pixel // width, seen.pixel % width
    bare = cover < 0.5
    if hidden is not None:
        bare &= hidden[seen.pixel] < 0.5
    index = np.flatnonzero((row % SUBPIXELS == 0) & (column % SUBPIXELS == 0) & bare)
    fragments: Fragments = seen.fragments
    corners, weights = load_head().triangles[fragments.triangle[index]].T, fragments.weights[:, index]
    masks = np.zeros((size * size, len(REGIONS)), np.uint8)
    target = row[index] // SUBPIXELS * size + column[index] // SUBPIXELS
    for k in range(len(REGIONS)):
        steps = interpolate(np.ascontiguousarray(moved[:, k]), corners, weights) * np.float32(MASK_STEPS_PER_MM)
        masks[target, k] = np.clip(steps, 0, 255).astype(np.uint8)
    return masks.reshape(size, size, len(REGIONS))


def _landmarks(mesh: _Posed, person: Person, camera: View) -> Floats:
    """Eyeball centres (an expression does not move them), nose tip and mouth corners, in pixels of the image."""
    head = load_head()
    eyes = [camera.pixel(centre(person.neutral, head.eye(part))) for part in (LEFT_EYE, RIGHT_EYE)]
    points = [*eyes, *((float(mesh.x[v]), float(mesh.y[v])) for v in head.landmark_vertices)]
    return np.array(points, np.float32) / np.float32(SUBPIXELS)
