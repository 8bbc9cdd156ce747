"""Is a cell a function of its inputs, and does a kill change nothing?"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score

from bench import checkpoint
from bench.cell import Start, run_cell, train_cell
from bench.errors import CellError
from bench.numeric import arithmetic
from bench.record import Record

CPU = torch.device("cpu")


def run(cell, data, folder, **changes):
    return run_cell(cell, data, Start("key", folder, **changes), CPU, {})


def test_the_same_cell_twice_leaves_the_same_bytes(tiny, tiny_dan, tmp_path):
    first, second = (run(tiny_dan, tiny, tmp_path / name) for name in "ab")
    assert first[0].digest == second[0].digest
    assert first[1] == second[1]


def test_another_seed_gives_another_record(tiny, tiny_cell, tmp_path):
    first = run(tiny_cell, tiny, tmp_path / "a")[0]
    second = run(replace(tiny_cell, seed=1), tiny, tmp_path / "b")[0]
    assert [log.loss for log in first.epochs] != [log.loss for log in second.epochs]


def test_the_record_counts_what_the_predictions_say(tiny, tiny_cell, tmp_path):
    record, packed = run(tiny_cell, tiny, tmp_path)
    path = tmp_path / "predictions.npz"
    path.write_bytes(packed)
    with np.load(path, allow_pickle=False) as arrays:
        answers = arrays["logits_last"].argmax(axis=1)
        assert record.scores["last"].correct == sum(int(a == b) for a, b in zip(answers, arrays["labels"], strict=True))
        assert record.scores["last"].balanced_accuracy == pytest.approx(
            balanced_accuracy_score(arrays["labels"], answers)
        )
        best = max(sum(row == arrays["labels"]) for row in arrays["by_epoch"])
        assert record.scores["best-test"].correct == best
    assert Record.from_json(record.to_json()) == record


def test_training_learns_what_can_be_learnt(tiny, tiny_cell, tmp_path):
    recipe = replace(tiny_cell.recipe, epochs=12, augment="none")
    record, _ = run(replace(tiny_cell, recipe=recipe), tiny, tmp_path)
    assert record.epochs[-1].loss < 0.5 * record.epochs[0].loss
    assert record.scores["best-test"].accuracy > 0.6


def test_the_honest_protocol_selects_on_validation_images_that_it_does_not_train_on(tiny, tiny_cell, tmp_path):
    record, _ = run(replace(tiny_cell, protocol="honest"), tiny, tmp_path)
    assert set(record.scores) == {"last", "best-val", "best-test"}
    assert record.data.n_train + record.data.n_val == 36
    assert record.data.n_val > 0
    logs = [log.val_correct for log in record.epochs]
    assert record.scores["best-val"].epoch == logs.index(max(logs)) + 1


def test_tuning_never_touches_a_test_image(tiny, tiny_cell, tmp_path):
    class Forbidden:
        def __len__(self):
            return 18

        labels = tiny.test.labels

        def __getattr__(self, name):
            raise AssertionError(f"the test split's {name} was read")

    cell = replace(tiny_cell, protocol="honest")
    with arithmetic("faithful", CPU) as numbers:
        trained = train_cell(cell, replace(tiny, test=Forbidden()), Start("key", tmp_path), numbers, ("val",))
    assert len(trained.history.logits["val"]) == 3


def test_a_loss_that_is_not_finite_ends_the_cell_with_epoch_step_and_last_loss(tiny, tiny_cell, tmp_path):
    broken = replace(tiny_cell.recipe, optimizer="sgd", lr=1e30, scheduler="constant", weight_decay=0.0)
    with pytest.raises(CellError, match=r"in epoch \d, step \d; the last finite loss was"):
        run(replace(tiny_cell, recipe=broken), tiny, tmp_path)


def test_a_checkpoint_of_another_key_is_not_used(tiny, tiny_cell, tmp_path):
    run_cell(tiny_cell, tiny, Start("one", tmp_path, checkpoint_seconds=0), CPU, {})
    assert checkpoint.load(tmp_path, "one", CPU) is not None
    assert checkpoint.load(tmp_path, "two", CPU) is None


@pytest.mark.parametrize("method", ["resnet18", "center_loss", "dan"])
def test_training_that_stops_after_any_epoch_goes_on_to_the_same_record(tiny, tiny_cell, tmp_path, method):
    cell = replace(tiny_cell, method=method)
    whole, _ = run(cell, tiny, tmp_path / "whole")

    class Stop(Exception):
        pass

    def stop_at(limit):
        def report(epoch, epochs, log):
            if epoch == limit:
                raise Stop

        return report

    for limit in (1, 2):
        with pytest.raises(Stop):
            run_cell(cell, tiny, Start("key", tmp_path / "parts", checkpoint_seconds=0), CPU, {}, stop_at(limit))
    resumed, _ = run_cell(cell, tiny, Start("key", tmp_path / "parts", checkpoint_seconds=0), CPU, {})
    assert resumed.digest == whole.digest


CHILD = """
import pickle, sys, torch
from bench.cell import Start, run_cell
cell, data, folder = pickle.loads(sys.stdin.buffer.read())
def report(epoch, epochs, log):
    print(epoch, flush=True)
record, _ = run_cell(cell, data, Start("key", folder, checkpoint_seconds=0), torch.device("cpu"), {}, report)
print(record.digest, flush=True)
"""


def test_sigkill_at_an_arbitrary_moment_and_a_second_run_equal_the_uninterrupted_one(tiny, tiny_cell, tmp_path):
    whole, _ = run(tiny_cell, tiny, tmp_path / "whole")
    given = pickle.dumps((tiny_cell, tiny, tmp_path / "killed"))
    tree = str(Path(__file__).parent.parent)
    environment = os.environ | {"PYTHONPATH": tree}
    for epoch in (b"1", b"2"):  # kill while that epoch is being trained or its checkpoint written
        with subprocess.Popen(
            [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        ) as child:
            assert child.stdin is not None and child.stdout is not None
            child.stdin.write(given)
            child.stdin.close()
            for line in child.stdout:
                if line.strip() == epoch:
                    os.kill(child.pid, signal.SIGKILL)
        assert child.returncode == -signal.SIGKILL
    done = subprocess.run([sys.executable, "-c", CHILD], input=given, capture_output=True, env=environment, check=True)
    lines = done.stdout.split()
    assert lines[0] != b"0", "the third run began anew instead of resuming"
    assert lines[-1].decode() == whole.digest


def test_a_truncated_checkpoint_falls_back_to_the_one_before_it(tmp_path, caplog):
    for epoch in (1, 2):
        checkpoint.save(tmp_path, "key", {"epoch": epoch})
    newest = tmp_path / checkpoint.CURRENT
    newest.write_bytes(newest.read_bytes()[:100])
    assert checkpoint.load(tmp_path, "key", CPU) == {"epoch": 1}
    assert "is damaged" in caplog.text
