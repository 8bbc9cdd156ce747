"""Is a file that holds no weights told apart, by its content, in one clear line, and is no code in it ever run?"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from dan.backbone import resnet18_trunk
from dan.weights import WeightsError, describe_checkpoint, load_backbone, load_dan_checkpoint


class Hostile:
    """An object whose unpickling makes a folder."""

    def __init__(self, marker: str) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple:
        return os.mkdir, (self.marker,)


def broken(kind: str, folder: Path) -> Path:
    path = folder / f"{kind.replace(' ', '_')}.pth"
    if kind == "folder":
        path.mkdir()
    elif kind == "module":
        torch.save(nn.Linear(2, 2), path)
    elif kind == "old module":
        torch.save(nn.Linear(2, 2), path, _use_new_zipfile_serialization=False)
    elif kind == "hostile":
        torch.save({"state_dict": Hostile(str(folder / "harm"))}, path)
    elif kind in ("half a zip", "half a safetensors"):
        (torch.save if kind == "half a zip" else save_file)({"conv1.weight": torch.zeros(64, 3, 7, 7)}, path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif kind == "other zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("readme.txt", "no weights")
    elif kind == "list":
        torch.save([torch.zeros(1)], path)
    elif kind == "epoch only":
        torch.save({"epoch": 3, "args": "x"}, path)
    elif kind == "empty dict":
        torch.save({"state_dict": {}}, path)
    elif kind != "missing":
        contents = {
            "web page": b"\n <!DOCTYPE html><html><title>Google Drive - Virus scan warning</title></html>",
            "git-LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 46827520\n",
            "noise": bytes(range(256)) * 40,
            "empty": b"",
        }
        path.write_bytes(contents[kind])
    return path


def load_into_trunk(path: Path) -> str:
    return load_backbone(resnet18_trunk(), path)


@pytest.mark.parametrize("load", [load_dan_checkpoint, describe_checkpoint, load_into_trunk])
@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "cannot be read"),
        ("folder", "cannot be read"),
        ("empty", "is empty"),
        ("web page", r"is a web page \(HTML\), not weights"),
        ("git-LFS pointer", "is a git-LFS pointer, not weights"),
        ("half a zip", "is truncated after"),
        ("half a safetensors", "is a damaged safetensors file"),
        ("other zip", "is neither a PyTorch nor a safetensors file"),
        ("noise", "is neither a PyTorch nor a safetensors file"),
        ("module", "holds a pickled torch.nn.modules.linear.Linear, not only tensors"),
        ("old module", "holds a pickled torch.nn.modules.linear.Linear, not only tensors"),
        ("hostile", "holds a pickled (posix|nt).mkdir, not only tensors"),
        ("list", "holds no state dict but a list"),
        ("epoch only", "its entry 'epoch' is not a tensor"),
        ("empty dict", "holds no state dict but an empty dict"),
    ],
)
def test_what_is_no_weights_file_gives_one_clear_line(tmp_path, load, kind, message):
    path = broken(kind, tmp_path)
    with pytest.raises(WeightsError, match=message) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)
    assert not (tmp_path / "harm").exists()
