"""Which number does a tiny .npy annotation hold?  AffectNet stores each label as an array of its own, in several shapes.

287,651 files of 130 bytes: `numpy.load` spends nearly all of its time on parsing the header, and there are only a handful of
different headers, so each distinct one is parsed once.  Pickled (object) arrays are never opened.
"""

from __future__ import annotations

import io
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

_MAGIC = b"\x93NUMPY"


class NpyFault(ValueError):
    """The file is not one number; the message says what it is and what to do."""


def read_code(path: str) -> int:
    """The class code in an `<id>_exp.npy`: 0-d or one element, an integer, a float or text such as "3" or "3.0"."""
    values = read_values(path)
    if len(values) != 1:
        raise NpyFault(f"holds {len(values)} values, expected 1 label; fetch it again")
    text = values[0].decode("ascii", "replace") if isinstance(values[0], bytes) else str(values[0])
    try:
        number = float(text)
    except ValueError:
        raise NpyFault(f"label {text!r} is not a number; fetch it again") from None
    if not number.is_integer():
        raise NpyFault(f"label {text!r} is not a whole number; fetch it again")
    return int(number)


def read_values(path: str) -> list[object]:
    """All values of the array in `path`, flat.  Raises NpyFault for anything that is not a plain array."""
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as problem:
        raise NpyFault(f"cannot be read ({problem.strerror})") from None
    if not content.startswith(_MAGIC):
        raise NpyFault("is empty; fetch it again" if not content else "is not a .npy file; fetch it again")
    width = 2 if content[6] == 1 else 4
    start = 8 + width + int.from_bytes(content[8 : 8 + width], "little")
    dtype = _dtype(content[:start])
    body = content[start:]
    if dtype.itemsize == 0 or not body:
        raise NpyFault("holds no value; fetch it again")
    if len(body) % dtype.itemsize:
        raise NpyFault("is cut short; fetch it again")
    import numpy as np

    return np.frombuffer(body, dtype=dtype).tolist()


@lru_cache(maxsize=256)
def _dtype(header: bytes) -> np.dtype[np.generic]:
    from numpy.lib import format as npy

    try:
        file = io.BytesIO(header)
        read = npy.read_array_header_1_0 if npy.read_magic(file) == (1, 0) else npy.read_array_header_2_0
        _, _, dtype = read(file)
    except ValueError as problem:
        raise NpyFault(f"has a broken header ({problem}); fetch it again") from None
    if dtype.hasobject:
        raise NpyFault("holds pickled Python objects, which are never opened; save the label as a number or text")
    return dtype
