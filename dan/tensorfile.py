"""What tensors does this file hold, and what is its digest?  PyTorch and safetensors files, no code in them ever run.

A file is read once: the digest is of the very bytes that were loaded.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

_STATE_KEYS = ("model_state_dict", "state_dict")
_HEADER_LENGTH = 8  # safetensors: a little-endian u64, the length of the JSON header that follows
_LFS_POINTER = b"version https://git-lfs.github.com/spec"


class WeightsError(ValueError):
    """A weights file that cannot be used.  The message is one line: which file, what is wrong, what to do."""


class TensorFile(NamedTuple):
    """`content` is what was saved (dictionaries, lists, numbers, tensors on the CPU), `sha256` the digest in hex."""

    path: Path
    content: Any
    sha256: str


def read_tensor_file(path: str | Path) -> TensorFile:
    """Read a PyTorch file (zip or legacy) or a safetensors file, told apart by content, never by name.

    Raises WeightsError for anything that is neither, is damaged, or needs pickled code to be run.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror})") from error
    _refuse_what_is_no_weights_file(path, data)
    if _is_safetensors(data):
        content = _parsed(path, "a damaged safetensors file", lambda: _safetensors_load(data))
    else:
        content = _parsed(
            path,
            "neither a PyTorch nor a safetensors file, or a damaged one",
            lambda: torch.load(io.BytesIO(data), map_location="cpu", weights_only=True),
        )
    return TensorFile(path, content, hashlib.sha256(data).hexdigest())


def state_dict(file: TensorFile) -> dict[str, Tensor]:
    """The model's tensors by name: under `model_state_dict` or `state_dict`, or the file itself; without the `module.`
    that DataParallel puts before every name.  Raises WeightsError where there is no such dictionary of tensors."""
    content = file.content
    for key in _STATE_KEYS:
        if isinstance(content, Mapping) and key in content:
            content = content[key]
            break
    if not isinstance(content, Mapping) or not content:
        raise WeightsError(f"{file.path}: holds no state dict but {_what(content)}")
    strangers = [str(name) for name, value in content.items() if not isinstance(value, Tensor)]
    if strangers:
        raise WeightsError(
            f"{file.path}: holds no state dict: its entry {strangers[0]!r} is not a tensor, and it has none of "
            f"{', '.join(_STATE_KEYS)}"
        )
    tensors = {str(name): value for name, value in content.items()}
    prefixed = all(name.startswith("module.") for name in tensors)
    return {name.removeprefix("module."): value for name, value in tensors.items()} if prefixed else tensors


def _refuse_what_is_no_weights_file(path: Path, data: bytes) -> None:
    start = data[:512].lstrip().lower()
    if not data:
        raise WeightsError(f"{path}: is empty; download it again")
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        raise WeightsError(f"{path}: is a web page (HTML), not weights; download the file, not the page about it")
    if start.startswith(_LFS_POINTER):
        raise WeightsError(f"{path}: is a git-LFS pointer, not weights; run `git lfs pull` where it was cloned")
    if data.startswith(b"PK") and not zipfile.is_zipfile(io.BytesIO(data)):
        raise WeightsError(f"{path}: is truncated after {len(data):,} bytes; download it again")


def _is_safetensors(data: bytes) -> bool:
    header = int.from_bytes(data[:_HEADER_LENGTH], "little")
    return data[_HEADER_LENGTH : _HEADER_LENGTH + 1] == b"{" and _HEADER_LENGTH + header <= len(data)


def _safetensors_load(data: bytes) -> dict[str, Tensor]:
    from safetensors.torch import load  # only for files of this format: nothing else needs the package

    return load(data)


def _parsed(path: Path, what: str, parse: Callable[[], Any]) -> Any:
    try:
        return parse()
    except ModuleNotFoundError as error:
        raise WeightsError(f"{path}: is a safetensors file, and the package safetensors is not installed") from error
    except Exception as error:  # arbitrary bytes break a parser in arbitrary ways; each means that the file is unusable
        pickled = re.search(r"GLOBAL (\S+)", str(error))
        if pickled:
            raise WeightsError(
                f"{path}: holds a pickled {pickled[1]}, not only tensors; unpickling it could run any code, so it is "
                "refused: save `model.state_dict()` instead"
            ) from error
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise WeightsError(f"{path}: is {what} ({reason[:160]})") from error


def _what(content: Any) -> str:
    return f"an empty {type(content).__name__}" if isinstance(content, Mapping) else f"a {type(content).__name__}"
