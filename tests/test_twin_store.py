"""Is a twin rendered once, whole, the same by any number of workers, and none the worse for a kill?"""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from bench.data import parallel
from bench.data.twin import store
from bench.data.twin.metadata import ROW
from bench.data.twin.population import roster, spec
from bench.data.twin.render import render_image
from bench.data.twin.stream import derive_seed
from bench.errors import UserError

SPEC = spec("affectnet8-twin", "quick", count=160)
SIZE = 24
LOAD = """
import sys
from pathlib import Path
from bench.data.twin import store
from bench.data.twin.population import spec
if __name__ == "__main__":
    store.load(spec("affectnet8-twin", "quick", count=160), 24, Path(sys.argv[1]), workers=1, progress=False)
"""
KILLED = """
import os, signal, sys
from pathlib import Path
from bench.data.twin import store
from bench.data.twin.population import spec
calls, render = [], store.render_image
def render_or_die(*arguments):
    calls.append(arguments)
    if len(calls) == 100:
        os.kill(os.getpid(), signal.SIGKILL)
    return render(*arguments)
store.render_image = render_or_die
store.load(spec("affectnet8-twin", "quick", count=160), 24, Path(sys.argv[1]), workers=1, progress=False)
"""


def load(folder: Path, workers: int = 1) -> store.RenderedTwin:
    return store.load(SPEC, SIZE, folder, workers=workers, progress=False)


def content(folder: Path) -> str:
    files = sorted(folder.glob("*/*.npy"))
    assert [path.name for path in files] == ["images.npy", "masks.npy", "meta.npy"]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    load(folder)
    return folder


def test_splits_have_the_shapes_and_types_of_the_contract(whole):
    twin = load(whole)
    for split, n in ((twin.train, SPEC.train_size), (twin.test, SPEC.test_size)):
        assert split.images.shape == (n, SIZE, SIZE, 3) and split.masks.shape == (n, SIZE, SIZE, 4)
        assert split.images.dtype == split.masks.dtype == np.uint8 and isinstance(split.images, np.memmap)
        assert split.labels.shape == split.groups.shape == (n,) and split.labels.dtype == split.groups.dtype == np.int64
        assert split.meta.dtype == ROW and split.images.reshape(n, -1).std(1).min() > 0
    assert not set(twin.train.groups) & set(twin.test.groups)


def test_a_stored_image_is_the_rendered_one(whole):
    twin, people, index = load(whole), roster(SPEC), SPEC.train_size + 3
    shown = SPEC.classes[people.labels[index]]
    drawn = render_image(
        derive_seed(SPEC.name, SPEC.seed), index, shown, int(people.identities[index]), SPEC.preset, SIZE
    )
    assert np.array_equal(twin.test.images[3], drawn.image) and np.array_equal(twin.test.masks[3], drawn.masks)
    assert np.array_equal(twin.test.meta["landmarks"][3], drawn.landmarks)


def test_two_workers_write_the_same_bytes_as_one(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(parallel, "_ALONE", 1)
    load(tmp_path, workers=2)
    assert content(tmp_path) == content(whole)


def test_a_second_load_renders_nothing(whole, monkeypatch):
    monkeypatch.setattr(store, "render_image", None)
    assert len(load(whole).train.labels) == SPEC.train_size


def test_a_killed_rendering_goes_on_where_it_stopped(whole, tmp_path, monkeypatch):
    child = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=Path(__file__).parent.parent, timeout=300)
    assert child.returncode == -signal.SIGKILL
    assert not list(tmp_path.glob("*/complete"))
    calls = []
    monkeypatch.setattr(store, "render_image", lambda *arguments: calls.append(arguments) or render_image(*arguments))
    load(tmp_path)
    assert len(calls) == len(SPEC) - parallel._CHUNK  # of 100 images, one chunk was done and the next was in hand
    assert content(tmp_path) == content(whole)


def test_processes_that_start_at_once_share_one_rendering(whole, tmp_path):
    command = [sys.executable, "-c", LOAD, str(tmp_path)]
    children = [subprocess.Popen(command, cwd=Path(__file__).parent.parent) for _ in range(2)]
    assert [child.wait(timeout=300) for child in children] == [0, 0]
    assert content(tmp_path) == content(whole)


def test_a_disk_that_is_too_small_is_told_before_anything_is_rendered(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(store.shutil, "disk_usage", lambda path: usage(10**6, 10**6, 10))
    with pytest.raises(UserError, match="GB are free"):
        load(tmp_path)


def test_gaps_are_rendered_as_runs():
    assert store._runs([3, 4, 5, 9, 11, 12]) == [range(3, 6), range(9, 10), range(11, 13)]
    assert store._runs([]) == []
