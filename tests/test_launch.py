"""What happens to the other cells when one fails, is claimed, or takes its process with it?"""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import replace

import fake_results
import pytest
from conftest import quiet
from filelock import FileLock

from bench import store
from bench.errors import UserError
from bench.launch import cluster, local, sight
from bench.launch import job as one_job
from bench.launch.gpus import share, visible_to
from bench.launch.job import Outcome
from bench.launch.local import launch
from bench.plan import checkpoint_folder


def test_every_cell_leaves_a_record_and_no_checkpoint(jobs):
    outcomes = list(launch(jobs, 1, quiet))
    assert [outcome.state for outcome in outcomes] == ["done"] * 3
    for job in jobs:
        assert store.load(job.results, job.cell.name).key == job.key
        assert not list(checkpoint_folder(job.runs, job.cell).glob("checkpoint*"))


def test_a_failing_cell_leaves_its_reason_and_stops_no_other(jobs):
    sick = replace(jobs[1], cell=replace(jobs[1].cell, recipe=replace(jobs[1].cell.recipe, optimizer="sgd", lr=1e30)))
    outcomes = list(launch([jobs[0], sick, jobs[2]], 1, quiet))
    assert [outcome.state for outcome in outcomes] == ["done", "failed", "done"]
    failure = store.load_failure(sick.results, sick.cell.name)
    assert "the last finite loss was" in failure.reason
    assert failure.key == sick.key


def test_a_training_that_collapsed_onto_one_class_is_told_in_the_line_of_its_cell(jobs, monkeypatch):
    said = {}
    for right in (10, 11):  # won class by class, ten images each
        monkeypatch.setattr("bench.cell.run_cell", lambda cell, *_, last=right: fake_results.make(cell, (1, 2, last)))
        (outcome,) = launch(jobs[:1], 1, quiet)
        said[right] = outcome.line
        store.record_path(jobs[0].results, jobs[0].cell.name).unlink()
    assert "10/70 correct (all of one class: the training collapsed), " in said[10]
    assert "11/70 correct, " in said[11]


def test_a_finished_cell_takes_its_old_failure_away(jobs):
    job = jobs[0]
    store.save_failure(job.results, store.Failure(job.cell.name, job.key, "no luck"))
    list(launch([job], 1, quiet))
    assert store.load_failure(job.results, job.cell.name) is None


def test_a_cell_that_another_process_runs_is_left_to_it(jobs):
    folder = checkpoint_folder(jobs[0].runs, jobs[0].cell)
    folder.mkdir(parents=True)
    with FileLock(folder / "lock"):
        (outcome,) = launch(jobs[:1], 1, quiet)
    assert outcome.state == "claimed"
    assert store.load(jobs[0].results, jobs[0].cell.name) is None


def test_a_cell_that_another_process_finished_after_the_plan_is_not_trained_again(jobs):
    list(launch(jobs[:1], 1, quiet))
    record = store.record_path(jobs[0].results, jobs[0].cell.name).read_bytes()
    told = []
    (outcome,) = launch(jobs[:1], 1, lambda *progress: told.append(progress))
    assert (outcome.state, told) == ("done", [])
    assert "finished by another process" in outcome.line
    assert store.record_path(jobs[0].results, jobs[0].cell.name).read_bytes() == record


def test_an_error_that_nobody_foresaw_is_named_with_its_place(jobs, monkeypatch):
    def vanish(source, size, folder):
        raise FileNotFoundError(2, "No such file", "image.jpg")

    monkeypatch.setattr(one_job, "_dataset", vanish)
    (outcome,) = launch(jobs[:1], 1, quiet)
    assert outcome.state == "failed"
    assert "FileNotFoundError" in outcome.line
    assert "test_launch.py" in outcome.line


def _die(job):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_dies_again_and_again_costs_its_own_cell_only(jobs, monkeypatch):
    monkeypatch.setattr(local, "_work", _die)
    outcomes = list(launch(jobs[:1], 2, quiet))
    assert [outcome.state for outcome in outcomes] == ["failed"]
    assert "died 2 times" in store.load_failure(jobs[0].results, jobs[0].cell.name).reason


@pytest.mark.parametrize(
    ("ours", "workers"),
    [
        (None, ["0", "1", "2", "0", "1", "2", "0"]),
        ("2,5,7", ["2", "5", "7", "2", "5", "7", "2"]),
        ("GPU-aa, GPU-bb, GPU-cc", ["GPU-aa", "GPU-bb", "GPU-cc", "GPU-aa", "GPU-bb", "GPU-cc", "GPU-aa"]),
    ],
)
def test_worker_i_gets_gpu_i_modulo_their_number_of_those_that_this_process_may_use(ours, workers):
    assert [visible_to(worker, 3, ours) for worker in range(7)] == workers


def test_cells_that_share_a_gpu_get_equal_parts_that_fit_together():
    assert [share(cells, 4) for cells in (1, 4, 5, 8, 9)] == [1.0, 1.0, 0.5, 0.5, 1 / 3]
    for cells in range(1, 50):
        assert cells <= 4 * int(1 / share(cells, 4) + 1e-9)


def _name_gpu(job):
    time.sleep(1)  # so that both workers are needed
    return Outcome(job, "done", os.environ.get("CUDA_VISIBLE_DEVICES", "all"), 0.0)


def test_two_workers_on_two_gpus_see_one_each(jobs, monkeypatch):
    monkeypatch.setattr(local, "_work", _name_gpu)
    monkeypatch.setattr(local, "cuda_count", lambda: 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    seen = {outcome.line for outcome in launch([replace(job, device="cuda") for job in jobs], 2, quiet)}
    assert seen == {"4", "6"}


def test_ray_that_is_not_installed_is_one_line_with_the_command_that_installs_it(jobs, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)  # the import fails
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(UserError, match=r"--executor ray needs Ray.* pip install 'ray"):
        list(cluster.launch(jobs, 2, quiet))


def test_a_machine_that_sees_other_files_is_refused_with_what_differs(jobs, monkeypatch, tmp_path):
    for folder in (jobs[0].results, jobs[0].runs):
        folder.mkdir()
    monkeypatch.setattr(sight, "known_digest", lambda source, size, cache: "pixels")
    with sight.view(jobs) as seen:
        assert sight.refusal(seen) is None
        elsewhere = tmp_path / "elsewhere"
        other_sources = {of: dict(files) | {"bench/train.py": "edited"} for of, files in seen.sources.items()}
        for change, said in (
            ({"folders": (seen.folders[0], elsewhere)}, f"does not see {elsewhere}"),
            ({"packages": dict(seen.packages) | {"torch": "0.1"}}, "installed, not 0.1"),
            ({"sources": other_sources}, "has other sources (bench/train.py)"),
            ({"weights": {elsewhere / "trunk.pth": "0" * 64}}, "does not see the weights"),
            ({"data": dict.fromkeys(seen.data, "other pixels")}, "does not see the data of rafdb"),
        ):
            assert said in sight.refusal(replace(seen, **change))
    assert not list(tmp_path.rglob(".seen-*"))
    assert "does not see" in sight.refusal(seen)
