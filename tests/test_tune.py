"""Does the command tune, freeze, score and report, re-render to the same bytes, and tell mistakes in one line?"""

from __future__ import annotations

import csv
import math
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench import store, tune
from bench.errors import UserError
from bench.record import DataFacts, EpochLog, Record, Score
from bench.spec import Cell, Row, Table, settings_of
from bench.study import score as study_score
from bench.study import text as study_text
from bench.study.outcome import gain
from bench.study.runs import study_runs
from bench.study.score import Scored, scored
from bench.study.tuned import Winner, budgets_line, load, save, tuned_variants, winner_path, with_tuned
from bench.study.workers import Tell
from bench.switches import Scalar, flatten

CLASSES = ["neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger"]
N_TEST = 100
CORRECT = {"published": (60, 61, 59), "tuned": (64, 66, 65)}  # by scoring seed


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small copy of the open dataset's layout, with noise for pixels."""
    root = tmp_path_factory.mktemp("facial_expressions")
    random = np.random.default_rng(0)
    (root / "data").mkdir()
    (root / "images").mkdir()
    lines = ["user.id,image,emotion"]
    for number in range(70):
        name = f"{chr(97 + number % 26)}{chr(97 + number // 26)}_{number:04d}.png"
        Image.fromarray(random.integers(0, 255, (20, 20, 3), dtype=np.uint8)).save(root / "images" / name)
        lines.append(f"1,{name},{CLASSES[number % 7]}")
    (root / "data" / "legend.csv").write_text("\n".join(lines) + "\n")
    return root


class Hill:
    """A stub objective with its top at lambda1 = 4."""

    def __call__(self, params: Mapping[str, Scalar], tell: Tell) -> tuple[Score, ...]:
        right = 0
        for epoch in range(1, 5):
            right = int(90 * (1 - 0.5**epoch) * math.exp(-(math.log10(float(params["loss.lambda1"] or 0) / 4) ** 2)))
            tell(epoch, right / 100)
        return (Score(4, right, 100, (right,), (100,)),)


def fake_record(cell: Cell, digest: str) -> Record:
    right = CORRECT["tuned" if cell.variant else "published"][cell.seed]
    one = Score(1, right, N_TEST, (right,), (N_TEST,))
    return Record(
        key=f"key {cell.name}",
        cell={},
        settings=flatten(settings_of(cell.method, cell.variant)),
        recipe=asdict(cell.recipe),
        data=DataFacts(digest, ("a",), 10, 2, N_TEST, N_TEST, (10,), (N_TEST,)),
        weights_sha256=None,
        parameters=1,
        epochs=(EpochLog(1, 0.1, 1.0, {}, 5, 10, 1, 2),),
        scores={"last": replace(one, correct=1), "best-val": one, "best-test": replace(one, correct=N_TEST)},
        test_correct_by_epoch=(right,),
        predictions_sha256="4355a46b19d348dc2f57c046f8ef63d4538ebb936000f3c9ee954a27460dd865",
        provenance={},
    )


@pytest.fixture(scope="module")
def finished(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a whole command leaves: a study by the stub, and fabricated records for the scoring cells."""
    folder = tmp_path_factory.mktemp("tuned")

    def record(todo: Iterable[Cell], digest: str, place: study_score.Place, say: object) -> int:
        for cell in todo:
            store.save(place.results, cell.name, fake_record(cell, digest), b"1\n")
        return 0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tune, "_objective", lambda *_: Hill())
        patch.setattr(study_score, "run_cells", record)
        assert tune.main(arguments(photos, folder, "--trials", "12")) == 0
    return folder


def arguments(photos: Path, folder: Path, *more: str) -> list[str]:
    return [
        "--method", "dan", "--dataset", "facial_expressions", "--root", f"facial_expressions={photos}",
        "--pretrained", "none", "--device", "cpu", "--results", str(folder / "results"),
        "--runs", str(folder / "runs"), *more,
    ]  # fmt: skip


def page_of(folder: Path) -> str:
    return (folder / "results" / "studies" / "facial_expressions-dan-quick.md").read_text()


def test_the_winner_is_frozen_with_the_digest_of_its_study(finished: Path) -> None:
    study = study_text.load(finished / "results", "facial_expressions-dan-quick")
    assert study is not None and study.best is not None
    winner = load(winner_path(finished / "results", study.name))
    assert (winner.study_digest, winner.value, winner.trials) == (study.digest, study.best.value, 12)
    assert dict(winner.variant)["loss.lambda1"] == pytest.approx(study.best.params["loss.lambda1"], rel=1e-3)
    assert winner.value == max(trial.value or 0 for trial in study.complete) > winner.published_value


def test_the_gain_in_the_page_is_the_paired_difference_of_the_records(finished: Path) -> None:
    (line,) = [line for line in page_of(finished).splitlines() if line.startswith("| accuracy")]
    name, seeds, published, tuned, difference, width, p = (cell.strip() for cell in line.strip("|").split("|"))
    gains = np.array(CORRECT["tuned"]) - np.array(CORRECT["published"])  # of 100 images, so points
    assert (name, seeds, published, tuned) == ("accuracy", "3", "60.00", "65.00")
    assert difference == f"+{gains.mean():.2f}"
    assert float(width) == pytest.approx(4.302653 * gains.std(ddof=1) / math.sqrt(3), abs=0.005)
    assert "3 seeds can reach 0.25" in p  # 2 of 8 sign patterns


def test_the_page_answers_the_papers_sentence_and_names_both_evaluators(finished: Path) -> None:
    page = page_of(finished)
    assert '"are not particularly sensitive to their values"' in page
    assert "fANOVA" in page and "PED-ANOVA" in page
    assert "no test label was read before the winner was frozen" in page
    assert "Trial 0 is the published point" in page


def test_every_picture_that_the_page_shows_is_there_with_its_data(finished: Path) -> None:
    folder = finished / "results" / "studies"
    shown = [part.split(")")[0] for part in page_of(finished).split("](")[1:] if ".png" in part.split(")")[0]]
    assert len(shown) == 3
    for name in shown:
        with Image.open(folder / name) as picture:
            assert picture.width > 800 and len(set(picture.convert("L").resize((64, 64)).tobytes())) > 10
    rows = list(csv.DictReader((folder / "facial_expressions-dan-quick-trials.csv").open()))
    study = study_text.load(finished / "results", "facial_expressions-dan-quick")
    assert study is not None
    assert [float(row["value"]) for row in rows] == [trial.value for trial in study.trials]
    assert float(rows[-1]["best_so_far"]) == study.best.value  # type: ignore[union-attr]


def test_without_databases_the_report_is_rendered_to_the_same_bytes(finished: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(finished / "results", tmp_path / "results")
    folder = tmp_path / "results" / "studies"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for path in folder.iterdir():
        if path.suffix != ".json":
            path.unlink()
    assert tune.main(["--report", "--results", str(tmp_path / "results")]) == 0
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_records_of_other_data_or_of_tuning_seeds_do_not_score_a_winner(finished: Path) -> None:
    results = finished / "results"
    study = study_text.load(results, "facial_expressions-dan-quick")
    assert study is not None
    winner = load(winner_path(results, study.name))
    found = scored(results, study, winner)
    assert [score.correct for score in found.published.values()] == list(CORRECT["published"])
    assert [score.correct for score in found.tuned.values()] == list(CORRECT["tuned"])
    other = replace(study, identity=replace(study.identity, data="f" * 64))
    assert scored(results, other, winner) == Scored({}, {})
    assert set(scored(results, study, replace(winner, tuning_seeds=(0, 1))).tuned) == {2}


def test_a_published_point_that_won_gains_nothing_by_construction() -> None:
    winner = Winner("s", "d", "rafdb", "dan", "quick", "none", "accuracy", 3, (1000,), 0.5, 0.5, ())
    assert "zero by construction" in gain(winner, Scored({}, {}))


def test_a_tuned_row_stands_below_the_published_one_of_its_own_dataset_only(tmp_path: Path) -> None:
    winner = Winner("s", "d" * 64, "rafdb-twin", "dan", "quick", "none", "accuracy", 20, (1000,), 0.5, 0.4,
                    (("loss.lambda1", 0.3),))  # fmt: skip
    save(tmp_path, winner)
    assert load(winner_path(tmp_path, "s")) == winner
    tuned = tuned_variants(tmp_path, "quick")
    assert tuned_variants(tmp_path, "full") == {}
    table = Table("t", "comparison", "T", ("rafdb",), (Row("resnet18"), Row("dan"), Row("dan", (("heads", 1),))))
    rows = with_tuned(table, "rafdb-twin", tuned).rows
    assert [(row.method, row.variant, row.label) for row in rows] == [
        ("resnet18", (), ""),
        ("dan", (), ""),
        ("dan", (("loss.lambda1", 0.3),), "DAN (tuned)"),
        ("dan", (("heads", 1),), ""),
    ]  # fmt: skip
    assert "20 trials" in rows[2].note and with_tuned(table, "sfew-twin", tuned) == table
    save(tmp_path, replace(winner, study="other"))
    with pytest.raises(UserError, match="two studies tuned dan on rafdb-twin"):
        tuned_variants(tmp_path, "quick")


def test_unequal_search_budgets_are_said_and_equal_ones_too() -> None:
    assert budgets_line({"dan": 20, "center_loss": 20}).startswith("Equal search budgets: 20 trials")
    assert "center_loss 5, dan 20" in budgets_line({"dan": 20, "center_loss": 5})


def test_an_edited_winner_file_is_one_line(tmp_path: Path) -> None:
    path = winner_path(tmp_path, "s")
    path.parent.mkdir()
    path.write_text("study = 's'\n")
    with pytest.raises(UserError, match="no frozen winner"):
        load(path)


def test_mlflow_gets_a_parent_run_and_a_child_for_each_trial(finished: Path) -> None:
    (runs,) = study_runs(finished / "results")
    study = study_text.load(finished / "results", "facial_expressions-dan-quick")
    assert study is not None and len(runs.trials) == 12
    assert runs.parent.tags["kind"] == "study" and runs.parent.tags["study_digest"] == study.digest
    assert {"study/facial_expressions-dan-quick.toml", "study/facial_expressions-dan-quick-surface.png"} <= set(
        runs.parent.artifacts
    )
    for trial, child in zip(study.trials, runs.trials, strict=True):
        assert [(point.step, point.value) for point in child.metrics if point.name == "val/objective"] == list(
            trial.steps
        )
        assert child.tags["kind"] == "trial" and child.start <= child.end
    assert len({run.cell for run in (runs.parent, *runs.trials)}) == 13
    assert study_runs(finished / "results") == (runs,)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--tuning-seeds", "7"], "7 is a scoring seed"),
        (["--score-seeds", "0,1000"], "1000 is a tuning seed"),
        (["--trials", "0"], "must be 1 or more"),
        (["--seed", "-1"], "--seed 0 or more"),
        (["--space", "loss.lamda1=1..2"], "nearest: loss.lambda1"),
        (["--method", "dam"], "unknown method 'dam' (nearest: dan"),
        (["--dataset", "rafdb"], "rafdb is not found; give --root rafdb=DIR"),
        (["--dataset", "rafbd"], "unknown dataset 'rafbd' (nearest: rafdb"),
        (["--study", "../x"], "it is a file name"),
        (["--device", "gpu"], "unknown device 'gpu'"),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_code_2(
    more: list[str],
    message: str,
    photos: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DAN_BENCH_DATA", raising=False)
    assert tune.main(arguments(photos, tmp_path, *more)) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and "Traceback" not in error
    assert not (tmp_path / "results").exists()


def test_another_space_is_refused_before_anything_is_trained(
    finished: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tune.main(arguments(photos, finished, "--trials", "13", "--space", "loss.lambda1=0.1..10:log")) == 2
    error = capsys.readouterr().err
    assert "space loss.lambda1: 0.001..10:log, now 0.1..10:log; space loss.lambda2: 0.001..10:log, now none" in error


@pytest.mark.parametrize("option", ["--help", "--help-space"])
def test_help_imports_neither_torch_nor_optuna(option: str) -> None:
    code = (
        "import sys\nfrom bench.tune import main\n"
        f"try:\n    main([{option!r}])\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "heavy = {'torch', 'torchvision', 'timm', 'optuna', 'mlflow', 'matplotlib', 'sqlalchemy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[1],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert "loss.lambda1" in found.stdout
