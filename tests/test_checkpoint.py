"""Does a checkpoint written beside training hold what training was at, whole, or say why not?"""

from __future__ import annotations

import threading

import pytest
import torch

from bench import checkpoint
from bench.cell import Start, run_cell
from bench.checkpoint import Writer, on_host

CPU = torch.device("cpu")


def test_what_changes_after_save_returns_is_not_in_the_file(tmp_path, monkeypatch):
    go_on = threading.Event()
    write = checkpoint.save

    def slowly(*given):
        go_on.wait(10)
        write(*given)

    monkeypatch.setattr(checkpoint, "save", slowly)
    weights = torch.zeros(3)
    with Writer(tmp_path, "key") as writer:
        writer.save({"optimizer": {"state": [{"step": weights}]}, "epoch": 1})
        weights += 1
        go_on.set()
    found = checkpoint.load(tmp_path, "key", CPU)
    assert found["epoch"] == 1
    assert found["optimizer"]["state"][0]["step"].tolist() == [0, 0, 0]


def test_a_snapshot_copies_every_tensor_and_keeps_form_and_layout():
    image = torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last)
    state = {"a": [image, (1, "text")], "b": {"c": torch.tensor(2)}}
    copy = on_host(state)
    assert torch.equal(copy["a"][0], image)
    assert copy["a"][0].data_ptr() != image.data_ptr()
    assert copy["a"][0].is_contiguous(memory_format=torch.channels_last)
    assert copy["a"][1] == (1, "text") and copy["b"]["c"] == 2


def test_at_most_one_write_is_under_way_and_the_last_is_waited_for(tmp_path, monkeypatch):
    under_way, most, written = 0, 0, []

    def counting(folder, key, state):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        written.append(state["epoch"])
        under_way -= 1

    monkeypatch.setattr(checkpoint, "save", counting)
    with Writer(tmp_path, "key") as writer:
        for epoch in range(5):
            writer.save({"epoch": epoch})
    assert written == [0, 1, 2, 3, 4]
    assert most == 1


def full_disk(folder, key, state):
    raise OSError(28, "No space left on device")


def test_a_write_that_fails_ends_the_cell(tiny, tiny_cell, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "save", full_disk)
    with pytest.raises(OSError, match="No space left on device"):
        run_cell(tiny_cell, tiny, Start("key", tmp_path, checkpoint_seconds=0), CPU, {})


def test_the_last_write_fails_aloud_too(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "save", full_disk)
    with pytest.raises(OSError, match="No space left"), Writer(tmp_path, "key") as writer:
        writer.save({"epoch": 1})


def test_an_error_of_training_is_not_hidden_by_one_of_writing(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(checkpoint, "save", full_disk)
    with pytest.raises(ZeroDivisionError), Writer(tmp_path, "key") as writer:
        writer.save({"epoch": 1})
        raise ZeroDivisionError
    assert "No space left" in caplog.text


def test_an_interruption_waits_for_the_write_that_is_under_way(tmp_path):
    with pytest.raises(KeyboardInterrupt), Writer(tmp_path, "key") as writer:
        writer.save({"weights": torch.ones(1000, 1000)})
        raise KeyboardInterrupt
    assert checkpoint.load(tmp_path, "key", CPU)["weights"].sum() == 10**6
