"""What does each fault of a machine cost?  Its own cell at most, one clear line, and nothing that was finished."""

from __future__ import annotations

import errno
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import quiet

from bench import store
from bench.errors import UserError
from bench.launch import job as one_job
from bench.launch import local
from bench.launch.claim import claim_path
from bench.launch.local import launch
from bench.prove.patches import write_patches


def full(*given, **named):
    raise OSError(errno.ENOSPC, "No space left on device", "somewhere")


@pytest.mark.parametrize("victim", ["write_bytes", "write_text"])
def test_a_disk_that_is_full_when_a_cell_is_kept_ends_the_run_with_one_line(jobs, monkeypatch, victim):
    list(launch(jobs[:1], 1, quiet))
    before = store.record_path(jobs[0].results, jobs[0].cell.name).read_bytes()
    monkeypatch.setattr(store, victim, full)
    with pytest.raises(UserError, match=r"No space left on device.*run the same command again") as caught:
        list(launch(jobs, 1, quiet))
    assert "\n" not in str(caught.value)
    monkeypatch.undo()
    assert store.record_path(jobs[0].results, jobs[0].cell.name).read_bytes() == before
    assert store.load(jobs[1].results, jobs[1].cell.name) is None
    assert store.load_failure(jobs[1].results, jobs[1].cell.name) is None, "the cell is not to blame"


def test_a_disk_that_fills_up_during_training_is_no_failure_of_the_cell(jobs, monkeypatch):
    monkeypatch.setattr("bench.cell.save_trained", full)
    with pytest.raises(UserError, match="No space left on device"):
        list(launch([replace(jobs[0], keep_weights=True)], 1, quiet))
    assert store.load_failure(jobs[0].results, jobs[0].cell.name) is None


def test_a_file_that_does_not_fit_leaves_the_old_one_and_no_part_of_the_new(tmp_path):
    from bench.atomic import write_bytes

    path = tmp_path / "record.json"
    write_bytes(path, b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # Python ignores SIGXFSZ, so that write() fails
    try:
        with pytest.raises(OSError, match="too large"):
            write_bytes(path, b"x" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"record.json": b"old"}


def _die_with_the_first(job):
    """The worker of seed 0 is killed while that of seed 1 is at work."""
    if job.cell.seed == 0:
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGKILL)
    if not claim_path(job.results, "seen").exists():
        claim_path(job.results, "seen").parent.mkdir(parents=True, exist_ok=True)
        claim_path(job.results, "seen").touch()
        time.sleep(60)
    return one_job.Outcome(job, "done", job.cell.name, 0.0)


def test_a_cell_that_kills_its_worker_takes_no_neighbour_along(jobs, monkeypatch):
    monkeypatch.setattr(local, "_work", _die_with_the_first)
    outcomes = {outcome.job.cell.seed: outcome.state for outcome in launch(jobs, 2, quiet)}
    assert outcomes == {0: "failed", 1: "done", 2: "done"}


ORPHAN = """
import sys, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, Value
from pathlib import Path
from bench.launch import local

def work(folder):
    import os
    Path(folder, f"{os.getpid()}").touch()
    time.sleep(600)

if __name__ == "__main__":
    context = get_context("spawn")
    begin = (context.Queue(), context.Value("i", 0), 0)
    with ProcessPoolExecutor(2, context, initializer=local._begin_worker, initargs=begin) as pool:
        list(pool.map(work, [sys.argv[1]] * 2))
"""


def test_workers_die_with_a_parent_that_is_killed(tmp_path):
    script, pids = tmp_path / "orphan.py", tmp_path / "pids"
    script.write_text(ORPHAN)
    pids.mkdir()
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)}
    with subprocess.Popen([sys.executable, script, pids], env=environment) as parent:
        assert _comes_true(lambda: len(list(pids.iterdir())) == 2)
        parent.kill()
    assert _comes_true(lambda: not any(_alive(int(path.name)) for path in pids.iterdir()))


def test_a_kept_reason_names_no_folder_of_this_machine(jobs, monkeypatch):
    def stumble(*given):
        raise RuntimeError(f"cannot make sense of {jobs[0].source.root}/list.txt below {jobs[0].runs.resolve()}")

    monkeypatch.setattr("bench.cell.run_cell", stumble)
    (outcome,) = launch(jobs[:1], 1, quiet)
    reason = store.load_failure(jobs[0].results, jobs[0].cell.name).reason
    assert "cannot make sense of <--root>/list.txt below <--runs>" in reason
    assert "Ann Smith" in outcome.line, "the person at the screen is told everything"


def test_a_kept_reason_names_no_image(jobs, monkeypatch):
    def vanish(source, size, folder):
        raise UserError("facial_expressions: 1 of 48 images cannot be used:\n  images/Ann_Smith_0001.jpg: cut short")

    monkeypatch.setattr(one_job, "_dataset", vanish)
    (outcome,) = launch(jobs[:1], 1, quiet)
    assert "Ann_Smith" not in store.failure_path(jobs[0].results, jobs[0].cell.name).read_text()
    assert "Ann_Smith_0001.jpg: cut short" in outcome.line and "\n" not in outcome.line


def _comes_true(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A container without an init keeps the dead as zombies, who hold nothing.
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


@pytest.fixture
def suite(tmp_path, monkeypatch, capsys):
    """The proof's smaller cell by the real command, without MLflow; a call gives the exit code and what was told."""
    from bench import run as command

    monkeypatch.setattr(command, "_track", lambda results, runs: None)
    data = write_patches(tmp_path / "data")
    places = ("--results", str(tmp_path / "results"), "--runs", str(tmp_path / "runs"))
    only = ("--suite", "proof", "--only", "*efficientface*", "--budget", "quick", "--jobs", "1", "--data", str(data))

    def call(*more):
        code = command.main([*only, *places, *more])
        return code, capsys.readouterr().err

    return call


def test_ctrl_c_is_130_and_the_same_command_goes_on_to_the_same_record(suite, tmp_path, monkeypatch):
    from bench import cell

    whole, epochs = cell.train_epoch, []

    def interrupted(*given, **named):
        if len(epochs) == 2:
            raise KeyboardInterrupt
        epochs.append(1)
        return whole(*given, **named)

    monkeypatch.setattr(cell, "train_epoch", interrupted)
    code, told = suite("--checkpoint-seconds", "0")
    assert code == 130 and "the same command goes on from here" in told and "Traceback" not in told
    monkeypatch.setattr(cell, "train_epoch", whole)
    code, told = suite()
    assert code == 0 and "1 resume" in told
    ((_, resumed),) = store.scan(tmp_path / "results")
    assert resumed.provenance["resumed_after_epoch"] == 2
    assert suite("--results", str(tmp_path / "fresh"), "--runs", str(tmp_path / "fresh runs"))[0] == 0
    ((_, fresh),) = store.scan(tmp_path / "fresh")
    assert fresh.digest == resumed.digest


def test_an_image_that_vanishes_after_the_plan_fails_its_cells_and_names_no_file_in_the_results(
    suite, tmp_path, monkeypatch
):
    from bench import run as command

    whole = command._launch

    def vanish_first(*given):
        one_job._dataset.cache_clear()
        next((tmp_path / "data").rglob("patch-*.png")).unlink()
        return whole(*given)

    monkeypatch.setattr(command, "_launch", vanish_first)
    code, told = suite()
    assert code == 1 and "Traceback" not in told
    assert "listed images are missing: patch-" in told
    (failure,) = (tmp_path / "results").rglob("*.failure.json")
    assert "patch-" not in failure.read_text() and "verify facial_expressions" in failure.read_text()
    assert "Cells for proofs" in next((tmp_path / "results" / "tables").rglob("comparison*.md")).read_text()


@pytest.mark.parametrize("jump", [-1e9, 1e9, 3600.0])
def test_a_clock_that_jumps_changes_neither_record_nor_durations(jobs, monkeypatch, jump):
    list(launch(jobs[:1], 1, quiet))
    sober = store.load(jobs[0].results, jobs[0].cell.name)
    store.record_path(jobs[0].results, jobs[0].cell.name).unlink()
    clock, calls = time.time, iter(range(1_000_000))
    monkeypatch.setattr(time, "time", lambda: clock() + jump * next(calls))
    (outcome,) = launch(jobs[:1], 1, quiet)
    record = store.load(jobs[0].results, jobs[0].cell.name)
    assert record.digest == sober.digest
    assert 0 <= outcome.seconds < 600 and 0 <= record.provenance["seconds"] < 600


def test_a_tracking_server_that_never_answers_costs_seconds_and_one_masked_line(jobs, tmp_path, monkeypatch, capsys):
    from bench import track
    from bench.tracking.mlflow_place import URI

    list(launch(jobs[:1], 1, quiet))
    before = {path: path.read_bytes() for path in jobs[0].results.rglob("*") if path.is_file()}
    with socket.create_server(("127.0.0.1", 0)) as mute:  # it takes the connection and says nothing
        monkeypatch.setenv(URI, f"http://ann:hidden-word@127.0.0.1:{mute.getsockname()[1]}")
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        track.sync_quietly(jobs[0].results, jobs[0].runs)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: MLflow is not written") and "hidden-word" not in line
    assert {path: path.read_bytes() for path in jobs[0].results.rglob("*") if path.is_file()} == before
