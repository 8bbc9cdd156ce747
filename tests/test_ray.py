"""Do cells end in the same records as Ray tasks, whatever dies?  A real cluster of two nodes on the loopback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import write_photos
from test_run import TREE, command

from bench import store
from bench.data.source import Source, open_source
from bench.key import inputs
from bench.launch import cluster, local
from bench.launch.job import Job
from bench.plan import checkpoint_folder
from bench.recipe import Recipe
from bench.spec import Cell

os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # read by Ray at its import: the loopback only
ray = pytest.importorskip("ray", reason="Ray is an extra: pip install -e '.[ray]'")
SMALL = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False, "node_ip_address": "127.0.0.1"}
RECIPE = Recipe(image_size=32, epochs=8, batch_size=24, optimizer="adamw", lr=1e-3, scheduler="cosine")


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    """A head without cores and two nodes with one core each; RAY_ADDRESS names them."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        folder = Path("/tmp") / f"dbt-{os.getpid()}"  # short: sockets are below it
        folder.mkdir()
        patch.setenv("RAY_TMPDIR", str(folder))
        patch.setenv("RAY_AUTH_TOKEN", "0" * 64)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        made = Cluster(initialize_head=True, head_node_args=SMALL | {"num_cpus": 0})
        try:
            both = [made.add_node(**SMALL), made.add_node(**SMALL)]
            patch.setenv("RAY_ADDRESS", made.address)
            yield made, both
        finally:
            made.shutdown()
            subprocess.run(("rm", "-rf", folder), check=True)


def jobs_below(place: Path, photos: Path) -> list[Job]:
    source = Source("facial_expressions", "quick", photos)
    digest = open_source(source, 32, place / "runs" / "cache", progress=False).digest
    cells = [Cell("facial_expressions", "resnet18", (), "paper", "quick", seed, "none", RECIPE) for seed in (0, 1)]
    return [
        Job(
            cell, inputs(cell, digest, None).key, source, place / "results", place / "runs", "cpu", None, None, False, 0
        )
        for cell in cells
    ]


def left_by(job: Job) -> tuple[str, bytes]:
    """What a cell's numbers are made of: the digest of its record, and its predictions."""
    record = store.load(job.results, job.cell.name)
    assert record is not None and record.key == job.key
    return record.digest, store.predictions_path(job.results, job.cell.name).read_bytes()


def test_cells_whose_node_dies_end_elsewhere_in_the_records_of_an_undisturbed_run(nodes, tmp_path, caplog):
    made, (doomed, _) = nodes
    photos = write_photos(tmp_path / "photos") / "facial_expressions"
    undisturbed, jobs = (jobs_below(tmp_path / name, photos) for name in ("local", "ray"))
    for job in jobs:
        job.results.mkdir(exist_ok=True)
    assert [outcome.state for outcome in local.launch(undisturbed, 1, lambda *told: None)] == ["done", "done"]
    killed = []

    def kill_one_node_when_both_cells_are_under_way(*told):
        folders = [checkpoint_folder(job.runs, job.cell) for job in jobs]
        if not killed and all((folder / "checkpoint.pt").exists() for folder in folders):
            made.remove_node(doomed, allow_graceful=False)
            killed.append(told)

    outcomes = list(cluster.launch(jobs, 2, kill_one_node_when_both_cells_are_under_way))
    assert killed
    assert [outcome.state for outcome in outcomes] == ["done", "done"]
    assert "its node died; it goes on from its checkpoint" in caplog.text
    assert [left_by(job) for job in jobs] == [left_by(job) for job in undisturbed]
    resumed = [store.load(job.results, job.cell.name).provenance["resumed_after_epoch"] for job in jobs]
    assert sorted(epoch > 0 for epoch in resumed) == [False, True]
    assert not list(tmp_path.rglob(".seen-*"))


def _die(job, *rest):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_cell_that_kills_its_worker_again_and_again_is_given_up(nodes, tmp_path, monkeypatch):
    photos = write_photos(tmp_path / "photos") / "facial_expressions"
    job = jobs_below(tmp_path, photos)[0]
    job.results.mkdir()
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the workers have no tests
    monkeypatch.setattr(cluster, "_work", _die)
    (outcome,) = cluster.launch([job], 2, lambda *told: None)
    assert outcome.state == "failed"
    assert "its worker died 2 times" in store.load_failure(job.results, job.cell.name).reason


def test_a_node_with_other_data_is_refused_before_anything_runs(nodes, tmp_path, monkeypatch):
    photos = write_photos(tmp_path / "photos") / "facial_expressions"
    job = jobs_below(tmp_path, photos)[0]
    job.results.mkdir()
    monkeypatch.setattr("bench.launch.sight.packages", lambda: {"torch": "0.0.1"})  # this machine's; the node's differ
    with pytest.raises(cluster.UserError, match=r"node 127\.0\.0\.1 has torch .* installed, not 0\.0\.1"):
        list(cluster.launch([job], 1, lambda *told: None))
    assert not list(job.results.rglob("*.json"))


def test_the_command_on_a_cluster_of_its_own_is_interrupted_and_goes_on(tmp_path):
    photos = write_photos(tmp_path / "photos")
    places = ("--results", tmp_path / "ray", "--runs", tmp_path / "runs")
    asked = ("bench.run", "--suite", "smoke", "--data", photos, "--budget", "quick", "--seeds", "0", *places)
    words = [sys.executable, "-m", *map(str, asked), "--executor", "ray", "--jobs", "2"]
    settings = {key: value for key, value in os.environ.items() if key not in ("RAY_ADDRESS", "RAY_AUTH_TOKEN")}
    settings |= {"HOME": str(tmp_path), "PYTHONPATH": str(TREE), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        words, cwd=tmp_path, env=settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as begun:  # fmt: skip
        while not list((tmp_path / "runs" / "cells").rglob("lock")) and begun.poll() is None:
            time.sleep(0.2)
        os.killpg(begun.pid, signal.SIGINT)  # as a terminal does: to every process of the command
        said = begun.communicate(timeout=120)
    assert begun.returncode == 130, said
    assert "the same command goes on from here" in said[1]
    assert "Traceback" not in said[1]
    settings.pop("OMP_NUM_THREADS")
    again = command(*asked, "--executor", "ray", "--jobs", "2", RAY_ADDRESS="", HOME=tmp_path)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "ray" / "tables" / "smoke").is_dir()
    alone = command(*(str(word).replace(str(tmp_path / "ray"), str(tmp_path / "local")) for word in asked))
    assert alone.returncode == 0, alone.stderr
    theirs, ours = (dict(store.scan(tmp_path / name)) for name in ("ray", "local"))
    assert {cell: record.digest for cell, record in theirs.items()} == {
        cell: record.digest for cell, record in ours.items()
    }
    assert not (tmp_path / ".ray").exists(), "Ray left a token in the home folder"


def test_an_address_where_nobody_listens_is_one_line(tmp_path):
    photos = write_photos(tmp_path / "photos")
    asked = ("bench.run", "--suite", "smoke", "--data", photos, "--executor", "ray")
    for address, said in (("127.0.0.1:9", "does not answer"), ("ray://head:10001", "name its head, HOST:6379")):
        answer = command(*asked, cwd=tmp_path, RAY_ADDRESS=address)
        assert answer.returncode == 2, answer.stderr
        assert said in answer.stderr
        assert "Traceback" not in answer.stderr
