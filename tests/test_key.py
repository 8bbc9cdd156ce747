"""Does a cell's key hold exactly what can change its number?"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, replace

from bench import key
from bench.key import imported, inputs, sources
from bench.record import canonical


def test_an_edit_of_dans_losses_stales_dans_cells_only():
    assert "dan/losses.py" in sources("dan", "faithful")
    assert "dan/losses.py" not in sources("resnet18", "faithful")


def test_an_edit_of_the_engine_stales_every_cell():
    for method in ("resnet18", "dan", "center_loss"):
        assert {"bench/train.py", "bench/optim.py", "bench/data/augment.py", "bench/data/splits.py"} <= sources(
            method, "faithful"
        ).keys()


def test_an_edit_of_what_only_renders_stales_nothing():
    for name in (
        "bench/markdown.py",
        "bench/tables.py",
        "bench/run.py",
        "bench/launch/job.py",
        "bench/errors.py",
        "bench/store.py",
    ):
        assert name not in sources("dan", "faithful")


def test_imports_are_followed_through_packages():
    assert {"bench/cell.py", "bench/seeds.py", "bench/data/draws.py"} <= imported("bench.cell")


def test_the_key_changes_with_every_axis_and_with_nothing_else(tiny_dan):
    same = inputs(tiny_dan, "data", None).key
    assert inputs(tiny_dan, "data", None).key == same
    others = [
        inputs(replace(tiny_dan, seed=1), "data", None),
        inputs(replace(tiny_dan, variant=(("heads", 2),)), "data", None),
        inputs(replace(tiny_dan, recipe=replace(tiny_dan.recipe, epochs=4)), "data", None),
        inputs(tiny_dan, "other data", None),
        inputs(tiny_dan, "data", "weights"),
    ]
    assert len({same, *(other.key for other in others)}) == 6


def test_the_key_is_the_digest_of_the_canonical_text_of_all_inputs(tiny_dan):
    for weights in (None, "0f" * 32):
        found = inputs(replace(tiny_dan, seed=3), "data", weights)
        content = {"cell": found.cell, "data": "data", "sources": found.sources, "weights": weights}
        assert found.key == hashlib.sha256(canonical(content)).hexdigest()
        assert found.cell["seed"] == 3
        assert found.cell["recipe"] == asdict(tiny_dan.recipe)


def test_a_changed_file_is_named(monkeypatch):
    old = sources("resnet18", "faithful")
    assert key.changed(old, old) == ()
    assert key.changed(old, old | {"bench/train.py": "edited"}) == ("bench/train.py",)
