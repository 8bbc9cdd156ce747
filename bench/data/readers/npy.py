"""Which number does a tiny .npy annotation hold?  AffectNet stores each label as an array, in several shapes.

287,651 files of 130 bytes, but only a few different ones: `numpy.load` would spend 80 microseconds on each header, so
each distinct content is parsed once.  Pickled (object) arrays are never opened.
"""

from __future__ import annotations

import io
import os
from functools import lru_cache

from bench.data.readers.rows import integer

_LARGEST = 65_536
_MAGIC = b"\x93NUMPY"


class NpyFault(ValueError):
    """The file is not one number; the message says what it is and what to do."""


def read_code(path: str) -> int:
    """The class code in an `<id>_exp.npy`: 0-d or one element, an integer, a float or text such as "3" or "3.0".

    Raises NpyFault for anything else.
    """
    try:
        handle = os.open(path, os.O_RDONLY)
        try:
            content = os.read(handle, _LARGEST)
        finally:
            os.close(handle)
    except OSError as problem:
        raise NpyFault(f"cannot be read ({problem.strerror}); check its permissions") from None
    return parse_code(content)


@lru_cache(maxsize=1024)
def parse_code(content: bytes) -> int:
    """The class code in the bytes of a .npy file.  Raises NpyFault."""
    if not content:
        raise NpyFault("is empty; fetch it again")
    if not content.startswith(_MAGIC):
        raise NpyFault("is not a .npy file; fetch it again")
    import numpy as np

    try:
        values = np.load(io.BytesIO(content), allow_pickle=False).reshape(-1).tolist()
    except Exception as problem:  # numpy parses the header as Python text, whose damage has no one error
        if "allow_pickle" in str(problem):
            raise NpyFault(
                "holds pickled Python objects, which are never opened; save the label as a number or text"
            ) from None
        raise NpyFault(f"is damaged ({problem}); fetch it again") from None
    if len(values) != 1:
        raise NpyFault(f"holds {len(values)} values, expected 1 label; fetch it again")
    text = values[0].decode("ascii", "replace") if isinstance(values[0], bytes) else str(values[0])
    code = integer(text)
    if code is None:
        raise NpyFault(f"label {text!r} is not a whole number; fetch it again")
    return code
