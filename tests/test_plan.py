"""Does the plan say what will be run, and why?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench import store
from bench.cell import Start, run_cell
from bench.errors import UserError
from bench.key import inputs, sources
from bench.plan import checkpoint_folder, duration, matching, plan
from bench.record import canonical


@pytest.fixture
def places(tmp_path):
    return tmp_path / "results", tmp_path / "runs"


def state(cell, places, digest="tiny-digest", **options):
    (planned,) = plan([cell], {"rafdb": digest}, {"none": None}, *places, **options)
    return planned


def finished(cell, tiny, places):
    import torch

    start = Start(inputs(cell, "tiny-digest", None).key, places[1])
    files = sources(cell.method, cell.recipe.numeric)
    record, predictions = run_cell(cell, tiny, start, torch.device("cpu"), {"sources": files})
    store.save(places[0], cell.name, record, predictions)


def test_a_cell_without_a_record_is_run(tiny_cell, places):
    assert state(tiny_cell, places).state == "run"


def test_a_cell_whose_data_is_not_decoded_says_so(tiny_cell, places):
    planned = state(tiny_cell, places, digest=None)
    assert (planned.state, planned.key) == ("run", None)
    assert "not decoded" in planned.reason


def test_a_finished_cell_is_done_until_an_input_changes(tiny, tiny_cell, places):
    finished(tiny_cell, tiny, places)
    assert state(tiny_cell, places).state == "done"
    other = state(tiny_cell, places, digest="another")
    assert (other.state, "the data changed" in other.reason) == ("stale", True)
    changed = replace(tiny_cell, recipe=replace(tiny_cell.recipe, lr=0.5))
    assert "recipe" in state(changed, places).reason


def test_a_stale_cell_names_the_edited_file(tiny, tiny_cell, places, monkeypatch):
    finished(tiny_cell, tiny, places)
    edited = sources("resnet18", "faithful") | {"bench/train.py": "0" * 64}
    monkeypatch.setattr("bench.key.sources", lambda method, numeric: edited)
    monkeypatch.setattr("bench.key._sources_text", lambda method, numeric: canonical(edited))
    assert state(tiny_cell, places).reason == "bench/train.py changed"


def test_a_failed_cell_stays_failed_until_it_is_asked_for_again_or_changes(tiny_cell, places):
    key = inputs(tiny_cell, "tiny-digest", None).key
    store.save_failure(places[0], store.Failure(tiny_cell.name, key, "the loss is nan"))
    assert (state(tiny_cell, places).state, "the loss is nan" in state(tiny_cell, places).reason) == ("failed", True)
    assert state(tiny_cell, places, retry_failed=True).state == "run"
    assert state(tiny_cell, places, digest="another").state == "run"


def test_a_checkpoint_makes_a_cell_one_to_resume(tiny_cell, places):
    folder = checkpoint_folder(places[1], tiny_cell)
    folder.mkdir(parents=True)
    (folder / "checkpoint.pt").touch()
    assert state(tiny_cell, places).state == "resume"


def test_a_record_without_a_readable_key_is_one_clear_line(tiny, tiny_cell, places):
    finished(tiny_cell, tiny, places)
    path = store.record_path(places[0], tiny_cell.name)
    path.write_text(path.read_text()[:200])
    with pytest.raises(UserError, match=r"s0\.json: .*delete it"):
        state(tiny_cell, places)


def test_a_record_that_was_edited_is_told_by_whoever_reads_it_not_by_the_plan(tiny, tiny_cell, places):
    finished(tiny_cell, tiny, places)
    path = store.record_path(places[0], tiny_cell.name)
    path.write_text(path.read_text().replace('"correct": ', '"correct": 1'))
    assert state(tiny_cell, places).state == "done"
    with pytest.raises(UserError, match=r"s0\.json: .*does not fit the digest.*delete it"):
        dict(store.scan(places[0]))


def test_only_takes_shell_patterns_and_names_a_cell_when_none_fits(tiny_cell):
    assert matching([tiny_cell], "rafdb/resnet18/*") == (tiny_cell,)
    assert matching([tiny_cell], None) == (tiny_cell,)
    with pytest.raises(UserError, match=r"fits no cell; a cell's name looks like rafdb/resnet18/default/paper-quick"):
        matching([tiny_cell], "rafdb/den/*")


@pytest.mark.parametrize(("device", "ratio"), [("cpu", 10), ("cuda", 1 / 5)])
def test_the_guess_before_any_record_knows_what_each_numeric_mode_costs(tiny_cell, places, device, ratio):
    fast = replace(tiny_cell, recipe=replace(tiny_cell.recipe, numeric="fast"))
    slow, quick = plan((tiny_cell, fast), {"rafdb": "digest"}, {"none": None}, *places, device=device)
    assert quick.seconds / slow.seconds == pytest.approx(ratio)


@pytest.mark.parametrize(("seconds", "text"), [(12, "12 s"), (600, "10 min"), (7200, "2.0 h")])
def test_durations_are_readable(seconds, text):
    assert duration(seconds) == text
