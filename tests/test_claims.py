"""Is a cell trained by one process only, whoever else runs it, and does a claim never outlive its owner?"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import quiet
from filelock import FileLock

from bench import store
from bench.launch.claim import CLAIMS, claim_path
from bench.launch.local import launch
from bench.plan import checkpoint_folder
from bench.prove.patches import write_patches


def test_a_cell_is_claimed_beside_its_results_by_runs_that_share_nothing_else(jobs, tmp_path):
    elsewhere = replace(jobs[0], runs=tmp_path / "another machine")
    claim = claim_path(jobs[0].results, jobs[0].cell.name)
    claim.parent.mkdir(parents=True)
    with FileLock(claim):
        (outcome,) = launch([elsewhere], 1, quiet)
    assert outcome.state == "claimed"
    (outcome,) = launch([elsewhere], 1, quiet)
    assert outcome.state == "done"
    assert not (jobs[0].results / CLAIMS).exists(), "nothing is left of a claim"


def test_a_claim_that_a_kill_left_behind_is_taken_up(jobs):
    claim = claim_path(jobs[0].results, jobs[0].cell.name)
    claim.parent.mkdir(parents=True)
    claim.touch()
    (outcome,) = launch(jobs[:1], 1, quiet)
    assert outcome.state == "done"


def test_an_interrupted_cell_gives_its_claim_back(jobs):
    def interrupt(name, epoch, epochs):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(launch(jobs[:1], 1, interrupt))
    assert not (jobs[0].results / CLAIMS).exists()
    with FileLock(checkpoint_folder(jobs[0].runs, jobs[0].cell) / "lock", timeout=0):
        pass


TWO = """
import sys, time
from pathlib import Path
from dataclasses import replace
from bench.data.source import Source, open_source
from bench.launch.job import Job
from bench.launch.local import launch
from bench.spec import cells_of
from bench.suite_file import load_suite

data, results, runs, start = map(Path, sys.argv[1:])
source = Source("facial_expressions", "quick", data / "facial_expressions")
cell = cells_of(load_suite("proof"), [source.name], "quick", [0], "none", "faithful")[0]
open_source(source, 32, runs / "cache", progress=False)
import torch, bench.cell
print("ready", flush=True)
while not start.exists():
    time.sleep(0.01)
jobs = [Job(replace(cell, seed=s), f"key{s}", source, results, runs, "cpu", None, None, False) for s in range(3)]
for outcome in launch(jobs, 1, lambda *told: None):
    print(outcome.job.cell.seed, outcome.state, "finished by another" in outcome.line, flush=True)
"""


def test_two_runs_of_the_same_results_at_once_train_each_cell_once(tmp_path):
    data, start = write_patches(tmp_path / "data"), tmp_path / "start"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent), "OMP_NUM_THREADS": "1"}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", TWO, data, tmp_path / "results", tmp_path / f"runs{number}", start],
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        for number in (1, 2)
    ]
    assert [run.stdout.readline() for run in both] == ["ready\n"] * 2
    start.touch()
    lines = [line.split() for run in both for line in run.communicate(timeout=300)[0].splitlines()]
    assert [run.returncode for run in both] == [0, 0]
    trained = sorted(seed for seed, state, elsewhere in lines if (state, elsewhere) == ("done", "False"))
    assert trained == ["0", "1", "2"], lines
    assert [record.cell["seed"] for _, record in store.scan(tmp_path / "results")] == [0, 1, 2]
    for cell, record in store.scan(tmp_path / "results"):
        packed = store.predictions_path(tmp_path / "results", cell).read_bytes()
        assert hashlib.sha256(packed).hexdigest() == record.predictions_sha256
