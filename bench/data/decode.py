"""What is in one image file?  RGB pixels of the face, as torchvision's loader would give them, or the reason why not.

Pillow decides: it raises on a truncated JPEG, where OpenCV hands out half a picture without a word.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from bench.data.listing import Sample
from bench.data.readers.text import LFS

MAX_PIXELS = 100_000_000
"""A larger image is a mistake or an attack (a decompression bomb), not a photo of a face."""
MIN_SIDE = 4

_ORIENTATION = 0x0112
_SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "MPO": (".jpg", ".jpeg"),
    "PNG": (".png",),
    "BMP": (".bmp",),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "PPM": (".ppm", ".pgm"),
}


class DecodeFault(ValueError):
    """The file is no usable image; the message says what it is and what to do, without its name."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself: stored width and height in pixels, Pillow's colour mode, and oddities worth a
    count."""

    width: int
    height: int
    mode: str
    oddities: tuple[str, ...] = ()


def header(path: Path) -> Header:
    """Read the header only.  Raises DecodeFault where there is no image."""
    with _opened(path) as image:
        return _header(image, path)


def load(root: Path, sample: Sample) -> tuple[Image.Image, Header]:
    """Decode a sample: EXIF rotation applied, converted to RGB, cropped to its box.  Raises DecodeFault."""
    path = root / sample.path
    with _opened(path) as image:
        facts = _header(image, path)
        try:
            upright = ImageOps.exif_transpose(image)
            rgb = _rgb(upright)
        except DecodeFault:
            raise
        except (
            OSError,
            ValueError,
            SyntaxError,
            EOFError,
            IndexError,
            MemoryError,
            Image.DecompressionBombError,
        ) as problem:
            raise DecodeFault(f"cut short or damaged ({problem}); fetch it again") from None
    if sample.box is None:
        return rgb, facts
    crop = clipped(sample.box, rgb.size)
    if crop is None:
        return rgb, Header(
            facts.width, facts.height, facts.mode, (*facts.oddities, "face box outside the image: whole image used")
        )
    left, top, width, height = sample.box
    if crop != (left, top, left + width, top + height):
        facts = Header(facts.width, facts.height, facts.mode, (*facts.oddities, "face box clipped to the image"))
    return rgb.crop(crop), facts


def clipped(box: tuple[int, int, int, int], size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """(left, top, right, bottom) of the part of `box` inside an image of `size` (width, height), or None where nothing
    is left."""
    left, top, width, height = box
    corners = max(left, 0), max(top, 0), min(left + width, size[0]), min(top + height, size[1])
    return corners if corners[2] - corners[0] >= MIN_SIDE and corners[3] - corners[1] >= MIN_SIDE else None


def _opened(path: Path) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # MAX_PIXELS is checked, and says more
            return Image.open(path)
    except UnidentifiedImageError:
        raise DecodeFault(_what_else(path)) from None
    except FileNotFoundError:
        raise DecodeFault("missing; fetch it again") from None
    except OSError as problem:
        raise DecodeFault(f"cannot be opened ({problem.strerror or problem}); check its permissions") from None
    except (Image.DecompressionBombError, ValueError, SyntaxError) as problem:
        raise DecodeFault(f"refused ({problem}); scale it down") from None


def _what_else(path: Path) -> str:
    with open(path, "rb") as file:
        head = file.read(256)
    if not head:
        return "zero bytes, not an image; fetch it again"
    if head.startswith(LFS):
        return "a Git-LFS pointer, not the image; run `git lfs pull`"
    if head.lstrip()[:16].lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        return "a web page, not an image (a download that failed); fetch it again"
    return f"not an image that Pillow knows (begins with {head[:8]!r}); fetch it again"


def _header(image: Image.Image, path: Path) -> Header:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise DecodeFault(f"{width}x{height} pixels, more than {MAX_PIXELS // 1_000_000} megapixels; scale it down")
    if min(width, height) < MIN_SIDE:
        raise DecodeFault(f"{width}x{height} pixels, too small to hold a face; fetch it again")
    oddities = []
    suffixes = _SUFFIXES.get(image.format or "", ())
    if suffixes and os.path.splitext(path.name)[1].lower() not in suffixes:
        oddities.append(f"content is {image.format}, unlike the extension")
    try:
        rotated = image.getexif().get(_ORIENTATION, 1) not in (0, 1)
    except (OSError, ValueError, SyntaxError, KeyError):
        rotated = False  # a damaged EXIF block says nothing about the pixels
    if rotated:
        oddities.append("EXIF rotation applied")
    return Header(width, height, image.mode, tuple(oddities))


def _rgb(image: Image.Image) -> Image.Image:
    """Any mode as RGB.  16-bit grey is scaled to 8 bits; Pillow's own conversion would clip it to white."""
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65_535:
            raise DecodeFault("32-bit grey outside 0..65535; convert it to 8 bits")
        return Image.fromarray(((values * 255 + 32_767) // 65_535).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise DecodeFault("floating-point pixels, whose white is unknown; convert it to 8 bits")
    return image.convert("RGB")
