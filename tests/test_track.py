"""Is MLflow a faithful, repeatable projection of the records, and do they survive without it?"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import fake_results
import pytest

from bench import store, track
from bench.study.runs import StudyRuns
from bench.tracking import mlflow_store
from bench.tracking.mlflow_place import EXPERIMENT, URI, Place, place
from bench.tracking.mlflow_run import Run

ROOT = Path(__file__).resolve().parent.parent
DAN = fake_results.cell("rafdb-twin", "dan")
ONE_HEAD = fake_results.cell("rafdb-twin", "dan", variant={"heads": 1})
CONTROL = fake_results.cell("rafdb-twin", "resnet18", 1)
HONEST = fake_results.cell("facial_expressions", "dan", protocol="honest", weights="imagenet")
CORRECT = (21, 35, 28)


@pytest.fixture(autouse=True)
def own_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reaches a store that the environment names."""
    monkeypatch.delenv(URI, raising=False)
    monkeypatch.delenv(EXPERIMENT, raising=False)


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database (making its tables takes seconds, copying it nothing)."""
    database = tmp_path_factory.mktemp("schema") / "mlflow.db"
    with mlflow_store.opened(Place(f"sqlite:///{database}", "none", database.parent)) as client:
        client.search_experiments()
    with sqlite3.connect(database) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return database


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Three finished cells and a failed one."""
    folder = tmp_path / "results"
    for cell in (DAN, ONE_HEAD, CONTROL):
        fake_results.finish(folder, cell, CORRECT)
    fake_results.fail(folder, HONEST, "the loss is nan in epoch 1")
    return folder


@pytest.fixture
def runs(tmp_path: Path, schema: Path) -> Path:
    folder = tmp_path / "runs"
    folder.mkdir()
    shutil.copyfile(schema, folder / "mlflow.db")
    return folder


def content(runs: Path) -> dict[str, tuple]:
    """What the active runs say, by cell, read with plain SQL; every row of metrics counts, so a doubled point shows."""
    with sqlite3.connect(runs / "mlflow.db") as connection:
        found: dict[str, tuple] = {}
        for run, name, status, start, end in connection.execute(
            "SELECT run_uuid, name, status, start_time, end_time FROM runs WHERE lifecycle_stage = 'active'"
        ).fetchall():
            tags = dict(connection.execute("SELECT key, value FROM tags WHERE run_uuid = ?", (run,)))
            values = dict(connection.execute("SELECT key, value FROM params WHERE run_uuid = ?", (run,)))
            points = sorted(
                connection.execute("SELECT key, step, value, timestamp FROM metrics WHERE run_uuid = ?", (run,))
            )
            assert tags["cell"] not in found, "two runs of one cell"
            found[tags["cell"]] = (run, name, status, start, end, tags, values, points)
    return found


def project(results: Path, runs: Path) -> tuple[int, int, int]:
    done = track.sync(results, place(runs))
    assert done is not None
    return done.new, done.replaced, done.unchanged


def test_a_second_projection_adds_no_run_and_no_point(
    results: Path, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert project(results, runs) == (4, 0, 0)
    first = content(runs)
    assert set(first) == {DAN.name, ONE_HEAD.name, CONTROL.name, HONEST.name}
    assert project(results, runs) == (0, 0, 4)
    monkeypatch.setattr(track, "peek", lambda where: None)  # now MLflow itself is asked, as for a server
    assert project(results, runs) == (0, 0, 4)
    assert content(runs) == first


def test_a_run_says_what_its_record_says(results: Path, runs: Path) -> None:
    project(results, runs)
    record = store.load(results, ONE_HEAD.name)
    assert record is not None
    _, name, status, start, end, tags, values, points = content(runs)[ONE_HEAD.name]
    assert (name, status) == ("dan[heads=1]/rafdb-twin/s0", "FINISHED")
    began = datetime.fromisoformat(record.provenance["started"]).timestamp() * 1000
    assert (start, end - start) == (began, record.provenance["seconds"] * 1000)
    assert (tags["cell_key"], tags["record_digest"], tags["kind"]) == (record.key, record.digest, "cell")
    assert (tags["device"], tags["git"]) == ("cpu", "0" * 40)
    assert "paper" in tags["suite"].split(", ") and "smoke" not in tags["suite"].split(", ")
    assert values["heads"] == "1" and values["loss.lambda1"] == "1.0" and values["variant"] == "heads=1"
    curve = [(step, value) for key, step, value, _ in points if key == "test/accuracy"]
    assert curve == [(1, 21 / 70), (2, 35 / 70), (3, 28 / 70)]
    single = {key: value for key, step, value, _ in points if step == 0}
    assert single["test/last_accuracy"] == 28 / 70
    assert single["test/best-test_oracle_accuracy"] == 35 / 70
    assert single["cost/params_M"] == record.parameters / 1e6
    artifacts = next((runs / "mlartifacts").rglob(f"{content(runs)[ONE_HEAD.name][0]}/artifacts"))
    assert (artifacts / "record.json").read_text() == record.to_json()
    assert sorted(path.name for path in artifacts.iterdir()) == ["figures", "predictions.npz", "record.json"]
    pictures = sorted((artifacts / "figures").iterdir())
    assert [path.name for path in pictures] == ["confusion.png", "learning.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures)


def test_damaged_predictions_cost_a_run_its_confusion_matrix_and_no_other_run_anything(
    results: Path, runs: Path
) -> None:
    store.predictions_path(results, ONE_HEAD.name).write_bytes(b"damaged")
    assert project(results, runs) == (4, 0, 0)
    artifacts = next((runs / "mlartifacts").rglob(f"{content(runs)[ONE_HEAD.name][0]}/artifacts"))
    assert [path.name for path in (artifacts / "figures").iterdir()] == ["learning.png"]


def test_a_failed_cell_is_a_failed_run_with_its_reason(results: Path, runs: Path) -> None:
    project(results, runs)
    _, name, status, _, _, tags, values, points = content(runs)[HONEST.name]
    assert (name, status) == ("dan/facial_expressions/s0 (honest, imagenet)", "FAILED")
    assert tags["reason"] == "the loss is nan in epoch 1" and tags["reason"] in tags["mlflow.note.content"]
    assert values["dataset"] == "facial_expressions" and points == []


def test_a_changed_record_takes_the_place_of_the_older_run(results: Path, runs: Path) -> None:
    project(results, runs)
    before = content(runs)
    fake_results.finish(results, DAN, (21, 35, 42))
    fake_results.finish(results, HONEST, CORRECT)  # the failed cell was run again, and ended well
    assert project(results, runs) == (0, 2, 2)
    after = content(runs)
    assert after[DAN.name][0] != before[DAN.name][0]
    assert ("test/last_accuracy", 0, 42 / 70) in [point[:3] for point in after[DAN.name][7]]
    assert after[HONEST.name][2] == "FINISHED"
    assert {cell: after[cell] for cell in (CONTROL.name, ONE_HEAD.name)} == {
        cell: before[cell] for cell in (CONTROL.name, ONE_HEAD.name)
    }


def test_a_deleted_database_is_made_again(results: Path, runs: Path, schema: Path) -> None:
    assert exit_code(lambda: project(results, runs)) == 0  # another process, as MLflow keeps its handles
    before = content(runs)
    for file in runs.glob("mlflow.db*"):
        file.unlink()
    shutil.copyfile(schema, runs / "mlflow.db")  # as if made anew: nothing beside it may claim that all is there
    assert project(results, runs) == (4, 0, 0)
    assert {cell: run[1:] for cell, run in content(runs).items()} == {cell: run[1:] for cell, run in before.items()}


def test_a_run_deleted_by_hand_comes_back(results: Path, runs: Path) -> None:
    project(results, runs)
    with mlflow_store.opened(place(runs)) as client:
        client.delete_run(content(runs)[DAN.name][0])
    assert project(results, runs) == (1, 0, 3)


def test_pages_are_one_run_that_follows_them(results: Path, runs: Path) -> None:
    page = results / "tables" / "paper" / "comparison.md"
    page.parent.mkdir(parents=True)
    page.write_text("# one\n")
    project(results, runs)
    assert content(runs)["report"][1:3] == ("tables and figures", "FINISHED")
    assert project(results, runs) == (0, 0, 5)
    page.write_text("# two\n")
    assert project(results, runs) == (0, 1, 4)
    run = content(runs)["report"][0]
    copied = next((runs / "mlartifacts").rglob(f"{run}/artifacts/tables/paper/comparison.md"))
    assert copied.read_text() == "# two\n"


def test_a_study_is_a_run_with_its_trials_below_it(results: Path, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def study(digest: str) -> tuple[StudyRuns, ...]:
        parent = Run("study/s", digest, "study s", "FINISHED", 1, 9, {"cell": "study/s", "kind": "study"})
        trials = tuple(
            Run(f"study/s/{k}", f"t{k}", f"trial {k}", "FINISHED", 1, 9, {"cell": f"study/s/{k}", "kind": "trial"})
            for k in range(2)
        )
        return (StudyRuns(parent, trials),)

    monkeypatch.setattr(track, "study_runs", lambda folder: study("first"))
    project(results, runs)
    assert project(results, runs)[:2] == (0, 0)
    monkeypatch.setattr(track, "study_runs", lambda folder: study("second"))
    assert project(results, runs)[1] == 3, "a changed study is written anew, trials included"
    with sqlite3.connect(runs / "mlflow.db") as database:
        rows = database.execute(
            "SELECT cell.value, runs.run_uuid, parent.value FROM runs"
            " JOIN tags AS cell ON cell.run_uuid = runs.run_uuid AND cell.key = 'cell'"
            " LEFT JOIN tags AS parent ON parent.run_uuid = runs.run_uuid AND parent.key = 'mlflow.parentRunId'"
            " WHERE runs.lifecycle_stage = 'active' AND cell.value LIKE 'study/%'"
        ).fetchall()
    identity = {cell: run for cell, run, _ in rows}
    assert {cell: parent for cell, _, parent in rows} == {
        "study/s": None,
        "study/s/0": identity["study/s"],
        "study/s/1": identity["study/s"],
    }


def test_a_kill_in_the_middle_of_a_run_leaves_nothing_that_counts(results: Path, runs: Path) -> None:
    """The process dies while the second run's files are written: the first is kept, the second is made anew, once."""
    assert exit_code(lambda: project_and_die(results, runs)) == 9
    assert sorted(run[2] for run in content(runs).values()) == ["FINISHED", "RUNNING"]
    assert project(results, runs) == (3, 0, 1)
    assert sorted(run[2] for run in content(runs).values()) == ["FAILED", "FINISHED", "FINISHED", "FINISHED"]


def exit_code(work: Callable[[], object]) -> int:
    """The exit code of a process that does `work` (a fork: MLflow is not imported once more)."""
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            work()
            os._exit(0)
        os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def project_and_die(results: Path, runs: Path) -> None:
    """Project until the files of the second run are to be written; then exit with 9 as a killed process would."""
    import mlflow

    log, calls = mlflow.MlflowClient.log_artifacts, []

    def dying(*arguments: object) -> None:
        calls.append(arguments)
        if len(calls) == 2:
            os._exit(9)
        log(*arguments)

    mlflow.MlflowClient.log_artifacts = dying
    project(results, runs)


def test_nothing_to_do_is_found_out_without_mlflow(results: Path, runs: Path) -> None:
    project(results, runs)
    done = command(results, runs, blocked=True)
    assert (done.returncode, done.stderr.count("\n")) == (0, 1), done.stderr
    assert "4 unchanged" in done.stderr


def test_an_absent_mlflow_is_one_line(results: Path, tmp_path: Path) -> None:
    done = command(results, tmp_path / "runs", blocked=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1 and "mlflow" in done.stderr and "pip install" in done.stderr


@pytest.mark.parametrize(
    "uri",
    ["sqlite:////proc/nowhere/mlflow.db", "postgresql://me:hidden@127.0.0.1:1/x", "http://me:hidden@127.0.0.1:1"],
)
def test_a_store_that_cannot_be_written_is_one_warning(
    uri: str, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(URI, uri)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    runs = tmp_path / "runs"
    assert track.main(["--results", str(results), "--runs", str(runs)]) == 1
    track.sync_quietly(results, runs)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["error", "warning"]
    assert "hidden" not in "".join(lines)


def test_a_missing_results_folder_is_bad_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert track.main(["--results", str(tmp_path / "none"), "--runs", str(tmp_path / "runs")]) == 2
    assert capsys.readouterr().err.startswith("error: --results")
    assert not (tmp_path / "runs").exists()


def test_results_without_cells_make_no_store(tmp_path: Path) -> None:
    assert track.main(["--results", str(tmp_path), "--runs", str(tmp_path / "runs")]) == 0
    assert not (tmp_path / "runs").exists()


def test_help_imports_no_mlflow() -> None:
    script = "import sys; from bench import track; print({'mlflow', 'torch', 'sqlalchemy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr


def test_a_record_without_times_is_projected_with_its_file_s_time(tmp_path: Path, runs: Path) -> None:
    record, predictions = fake_results.make(DAN, CORRECT)
    store.save(tmp_path / "bare", DAN.name, replace(record, provenance={}), predictions)
    modified = int(store.record_path(tmp_path / "bare", DAN.name).stat().st_mtime * 1000)
    project(tmp_path / "bare", runs)
    assert content(runs)[DAN.name][3:5] == (modified, modified)


def command(results: Path, runs: Path, blocked: bool) -> subprocess.CompletedProcess[str]:
    """`python -m bench.track` in its own process; `blocked` makes `import mlflow` fail there."""
    block = "import sys; sys.modules['mlflow'] = None; " if blocked else "import sys; "
    script = f"{block}from bench import track; sys.exit(track.main(sys.argv[1:]))"
    arguments = [sys.executable, "-c", script, "--results", str(results), "--runs", str(runs)]
    return subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, env={**os.environ})
