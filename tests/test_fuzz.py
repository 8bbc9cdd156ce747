"""Whatever stands in a file: is it read, or refused in one line, and is nothing written on the way?"""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path

import data_trees as trees
import fake_results
import pytest
import torch
from fuzzing import altered, anything, fuzz, spoilt
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import checkpoint, store
from bench.atomic import write_bytes
from bench.command import named_values
from bench.data.read import read
from bench.errors import UserError
from bench.pretrained import starting_weights
from bench.record import Record, canonical
from bench.report import reported
from bench.run import parse_seeds
from bench.study import tuned
from bench.study.space import space_of
from bench.suite_file import SUITES, load_suite, parse_suite, suite_names
from dan.tensorfile import WeightsError, read_tensor_file

CELL = fake_results.cell("facial_expressions", "dan")
REPORTED = Path(__file__).parent.parent / "results" / "reported"
examples = st.data()


def one_line(error: Exception) -> None:
    assert str(error) and "\n" not in str(error).strip()


@settings(fuzz, max_examples=150)
@given(content=st.sampled_from([tomllib.loads((SUITES / f"{name}.toml").read_text()) for name in suite_names()])
       .flatmap(altered))  # fmt: skip
def test_a_suite_with_anything_in_one_place_is_a_suite_or_one_line(content):
    try:
        parse_suite(content if isinstance(content, dict) else {"tables": content}, "x.toml")
    except UserError as error:
        one_line(error)


@settings(fuzz, max_examples=100)
@given(content=spoilt((SUITES / "smoke.toml").read_bytes()))
def test_a_suite_file_of_any_bytes_is_a_suite_or_one_line(tmp_path, content):
    (tmp_path / "smoke.toml").write_bytes(content)
    try:
        load_suite("smoke", tmp_path)
    except UserError as error:
        assert "smoke.toml" in str(error)


@settings(fuzz, max_examples=100)
@given(content=spoilt((REPORTED / sorted(path.name for path in REPORTED.glob("*.toml"))[0]).read_bytes()))
def test_reported_numbers_of_any_bytes_are_numbers_or_a_refusal(tmp_path, content):
    (tmp_path / "table.toml").write_bytes(content)
    try:
        reported.load(tmp_path)
    except UserError as error:
        assert "table.toml" in str(error)


RECORD, PREDICTIONS = fake_results.make(CELL, (1, 2, 3))


def _file(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@settings(fuzz, max_examples=150)
@given(content=spoilt(RECORD.to_json().encode()))
def test_a_record_of_any_bytes_is_the_record_or_one_line_that_names_the_file(tmp_path, content):
    path = _file(tmp_path, f"records/{CELL.name}.json", content)
    try:
        assert store.load(tmp_path, CELL.name).digest == json.loads(content)["digest"]
    except UserError as error:
        assert str(path) in str(error)
        one_line(error)


def _sealed(content):
    """A record with the digest that fits it: one that somebody meant."""
    import hashlib

    bare = {name: value for name, value in content.items() if name not in ("provenance", "digest")}
    try:
        return content | {"digest": hashlib.sha256(canonical(bare)).hexdigest()}
    except (TypeError, ValueError):
        return content


@settings(fuzz, max_examples=150)
@given(content=altered(json.loads(RECORD.to_json())))
def test_a_record_with_anything_in_one_place_and_a_digest_that_fits_is_read_or_one_line(tmp_path, content):
    sealed = _sealed(content) if isinstance(content, dict) else content
    path = _file(tmp_path, f"records/{CELL.name}.json", json.dumps(sealed).encode())
    try:
        store.load(tmp_path, CELL.name)
    except UserError as error:
        assert str(path) in str(error)


@settings(fuzz, max_examples=100)
@given(content=spoilt(PREDICTIONS))
def test_predictions_of_any_bytes_are_arrays_or_one_line(tmp_path, content):
    path = _file(tmp_path, f"predictions/{CELL.name}.npz", content)
    try:
        store.load_predictions(tmp_path, CELL.name)
    except UserError as error:
        assert str(path) in str(error)


@settings(fuzz, max_examples=60)
@given(
    content=st.one_of(
        spoilt(b'{"cell": "a", "key": "b", "reason": "c"}'), anything.map(lambda x: json.dumps(x).encode())
    )
)
def test_a_failure_file_of_any_bytes_is_a_failure_or_none(tmp_path, content):
    _file(tmp_path, f"records/{CELL.name}.failure.json", content)
    found = store.load_failure(tmp_path, CELL.name)
    assert found is None or all(isinstance(text, str) for text in (found.cell, found.key, found.reason))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    for epoch in (1, 2):
        checkpoint.save(folder, "key", {"epoch": epoch, "weights": torch.arange(6.0), "logs": "[]"})
    return folder, (folder / checkpoint.CURRENT).read_bytes()


@settings(fuzz, max_examples=120)
@given(data=examples)
def test_a_checkpoint_of_any_bytes_is_the_newest_state_or_the_one_before_it(saved, data):
    folder, whole = saved
    (folder / checkpoint.CURRENT).write_bytes(data.draw(spoilt(whole)))
    state = checkpoint.load(folder, "key", torch.device("cpu"))
    assert state is not None and state["epoch"] in (1, 2)


@settings(fuzz, max_examples=120)
@given(data=examples)
def test_a_weights_file_of_any_bytes_is_tensors_or_one_line(saved, tmp_path, data):
    path = _file(tmp_path, "weights.pth", data.draw(spoilt(saved[1])))
    try:
        read_tensor_file(path)
    except WeightsError as error:
        assert str(path) in str(error)
        one_line(error)


@settings(fuzz, max_examples=60)
@given(data=examples)
def test_a_frozen_winner_of_any_bytes_is_a_winner_or_one_line(tmp_path, data):
    text = next((Path(__file__).parent.parent / "results" / "tuned").glob("*.toml")).read_bytes()
    path = _file(tmp_path, "tuned/x.toml", data.draw(spoilt(text)))
    try:
        tuned.load(path)
    except UserError as error:
        assert "x.toml" in str(error)


LAYOUTS = {
    "rafdb": (trees.rafdb, "rafdb", "**/*.txt"),
    "rafdb-kaggle": (trees.rafdb_kaggle, "rafdb", "**/*.csv"),
    "affectnet-full": (trees.affectnet_full, "affectnet8", "**/*.csv"),
    "affectnet-reduced": (trees.affectnet_reduced, "affectnet8", "**/*_exp.npy"),
    "open photos": (trees.facial_expressions, "facial_expressions", "**/*.csv"),
}


@pytest.fixture(scope="module")
def layouts(tmp_path_factory):
    return {name: build(tmp_path_factory.mktemp("tree") / "root") for name, (build, _, _) in LAYOUTS.items()}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_label_files_of_any_bytes_list_images_of_the_root_or_say_what_is_wrong(layout, layouts):
    root, (_, dataset, pattern) = layouts[layout], LAYOUTS[layout]
    labels = sorted(root.glob(pattern))[0]
    whole = labels.read_bytes()
    inside = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}

    @settings(fuzz, max_examples=40)
    @given(content=spoilt(whole))
    def check(content):
        labels.write_bytes(content)
        try:
            listing = read(dataset, root)
        except UserError as error:
            assert str(error)
            return
        assert {sample.path for sample in (*listing.train, *listing.test)} <= inside
        assert {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()} == inside

    try:
        check()
    finally:
        labels.write_bytes(whole)


@settings(fuzz, max_examples=150)
@given(text=st.one_of(st.text(max_size=20), st.from_regex(r"\A[0-9,\- =.:|a-z]{0,20}\Z")))
def test_options_of_any_text_are_values_or_one_line(text):
    for parse in (
        parse_seeds,
        lambda given: starting_weights(given, "quick"),
        lambda given: named_values([given], "--root", "rafdb=x"),
        lambda given: space_of("dan", [given]),
        lambda given: space_of("dan", [f"loss.lambda1={given}"]),
    ):
        try:
            parse(text)
        except UserError as error:
            assert str(error)


STEPS = ("write", "fsync", "chmod", "replace")


@settings(fuzz, max_examples=30)
@given(old=st.none() | st.binary(max_size=50), new=st.binary(max_size=50), step=st.sampled_from(STEPS))
def test_a_write_that_fails_at_any_step_leaves_the_old_bytes_and_nothing_else(tmp_path_factory, old, new, step):
    path = tmp_path_factory.mktemp("whole") / "file.json"
    if old is not None:
        path.write_bytes(old)

    def fail(*given, **named):
        raise OSError(28, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        if step == "write":
            whole = os.fdopen
            patch.setattr(os, "fdopen", lambda *given: _Full(whole(*given)))
        else:
            patch.setattr(os, step, fail)
        with pytest.raises(OSError, match="No space left"):
            write_bytes(path, new)
    assert (path.read_bytes() if path.exists() else None) == old
    assert [each.name for each in path.parent.iterdir()] == ([] if old is None else ["file.json"])


class _Full:
    """A file on a full disk."""

    def __init__(self, file):
        self.file = file

    def __enter__(self):
        return self

    def __exit__(self, *ending):
        self.file.close()

    def write(self, content):
        raise OSError(28, "No space left on device")


def test_a_record_that_was_meant_is_read():
    assert Record.from_json(json.dumps(_sealed(json.loads(RECORD.to_json())))) == RECORD
