"""Do the figures show what the records and predictions hold, and does the list of figures tell when they do not?"""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from pathlib import Path

import fake_results as fake
import numpy as np
import pytest
from sklearn.metrics import average_precision_score, confusion_matrix, recall_score

from bench import store
from bench.figures import confusion, cost_accuracy, heads_curve, learning_curves, manifest, precision_recall
from bench.figures.__main__ import FAMILIES, from_records, main
from bench.figures.chart import Chart, table
from bench.figures.rows import View
from bench.figures.style import png, styled
from bench.figures.write import write
from bench.stats import summarise_seeds
from bench.suite_file import load_suite
from bench.tables import gather


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three methods and three numbers of heads on RAF-DB's twin, two seeds each."""
    folder = tmp_path_factory.mktemp("results")
    for seed in (0, 1):
        fake.finish(folder, fake.cell("rafdb-twin", "resnet18", seed), (10, 20 + seed, 30 + seed))
        fake.finish(folder, fake.cell("rafdb-twin", "center_loss", seed), (12, 22, 28))
        fake.finish(folder, fake.cell("rafdb-twin", "dan", seed), (10, 30, 40 + 3 * seed))
        for heads in (1, 2):
            cell = fake.cell("rafdb-twin", "dan", seed, variant={"heads": heads})
            fake.finish(folder, cell, (10, 20, 25 + 5 * heads + seed))
    return folder


@pytest.fixture(scope="module")
def view(results: Path) -> View:
    material = gather(results)
    return View(load_suite("paper"), material.finished, results, material.costs)


@pytest.fixture(scope="module")
def drawn(results: Path) -> Path:
    """The same results with their figures."""
    assert main(["--suite", "paper", "--results", str(results)]) == 0
    return results


def rows_of(chart: Chart) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(chart.csv)))


def chart_of(view: View, family: object, stem: str) -> Chart:
    return next(chart for chart in family.charts(view) if chart.stem == stem)  # type: ignore[attr-defined]


def stored(results: Path, seed: int) -> tuple[np.ndarray, np.ndarray]:
    arrays = store.load_predictions(results, fake.cell("rafdb-twin", "dan", seed).name)
    return arrays["labels"], arrays["logits_last"]


def test_the_confusion_matrix_is_scikit_learns_pooled_over_the_seeds(results: Path, view: View) -> None:
    chart = chart_of(view, confusion, "confusion-rafdb-twin")
    expected = np.zeros((7, 7), int)
    for seed in (0, 1):
        labels, logits = stored(results, seed)
        expected += confusion_matrix(labels, logits.argmax(axis=1), labels=range(7))
    found = np.array([int(row["count"]) for row in rows_of(chart)]).reshape(7, 7)
    assert np.array_equal(found, expected)
    by_row = np.array([float(row["share"]) for row in rows_of(chart)]).reshape(7, 7).sum(axis=1)
    assert np.allclose(by_row, 1.0, atol=1e-5)


def test_a_class_without_an_image_has_shares_of_zero_and_not_of_nan() -> None:
    shares = confusion.shares(np.array([[3, 1], [0, 0]]))
    assert shares.tolist() == [[0.75, 0.25], [0.0, 0.0]]


def test_the_recalls_of_all_methods_are_means_over_seeds(results: Path, view: View) -> None:
    chart = chart_of(view, confusion, "recall-comparison-rafdb-twin")
    dan = [float(row["recall"]) for row in rows_of(chart) if row["method"] == "DAN"]
    expected = [recall_score(labels, logits.argmax(axis=1), average=None) for labels, logits in map(
        stored, [results] * 2, (0, 1)
    )]  # fmt: skip
    assert np.allclose(dan, np.mean(expected, axis=0), atol=1e-5)


def test_precision_and_recall_at_each_threshold_are_those_of_a_plain_count() -> None:
    random = np.random.default_rng(3)
    labels, logits = random.integers(0, 3, 40), random.normal(size=(40, 3))
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    for kind, curve in precision_recall.curves(labels, logits).items():
        by_hand = set()
        for threshold in scores[:, kind]:
            said = scores[:, kind] >= threshold
            hits = int((said & (labels == kind)).sum())
            by_hand.add((round(hits / (labels == kind).sum(), 9), round(hits / said.sum(), 9)))
        drawn = {(round(r, 9), round(p, 9)) for r, p in zip(curve.recall, curve.precision, strict=True)}
        assert drawn - {(0.0, 1.0)} <= by_hand
        assert curve.average == pytest.approx(average_precision_score(labels == kind, scores[:, kind]))


def test_a_class_without_test_images_has_no_precision_recall_curve() -> None:
    assert set(precision_recall.curves(np.array([0, 0, 2]), np.eye(3))) == {0, 2}


def test_the_heads_curve_has_the_t_interval_over_seeds(view: View) -> None:
    rows = rows_of(chart_of(view, heads_curve, "heads-rafdb-twin"))
    assert [int(row["heads"]) for row in rows] == [1, 1, 2, 2, 4, 4]
    expected = summarise_seeds([40 / 70, 43 / 70])
    assert float(rows[-1]["mean"]) == pytest.approx(expected.mean, rel=1e-5)
    assert float(rows[-1]["half_width_95"]) == pytest.approx(expected.half_width, rel=1e-5)


def test_learning_curves_hold_every_epoch_of_every_seed(view: View) -> None:
    rows = rows_of(chart_of(view, learning_curves, "learning-comparison-rafdb-twin"))
    dan = [float(row["test_accuracy"]) for row in rows if row["row"] == "DAN" and row["seed"] == "1"]
    assert dan == pytest.approx([10 / 70, 30 / 70, 43 / 70], rel=1e-5)
    assert {row["val_accuracy"] for row in rows} == {""}  # the paper's protocol holds nothing out


def test_accuracy_stands_against_the_counts_of_the_network_that_was_trained(view: View) -> None:
    rows = {row["row"]: row for row in rows_of(chart_of(view, cost_accuracy, "cost-accuracy-rafdb-twin"))}
    assert int(rows["DAN"]["parameters"]) == view.costs["dan-4"].parameters
    assert int(rows["2 heads"]["ops_paper"]) == view.costs["dan-2"].ops_paper
    assert int(rows["ResNet-18"]["parameters"]) == view.costs["resnet18-fair"].parameters
    assert "Centre loss" not in rows  # its network is not counted in Table 6


def test_every_caption_names_a_twin_and_a_rehearsal_as_such(view: View) -> None:
    for chart in from_records(view):
        assert "twin (rendered faces)" in chart.caption
        assert "rehearsal" in chart.caption
        assert "n = " in chart.caption


def test_every_figure_can_be_drawn_twice_to_the_same_bytes(view: View) -> None:
    drawn = [chart for family in FAMILIES for chart in list(family.charts(view))[:1]]
    assert len(drawn) == len(FAMILIES) - 1  # the head-diversity lab has a suite of its own
    for chart in drawn:
        with styled():
            assert png(chart.draw()) == png(chart.draw())


def test_the_command_writes_pictures_with_their_data_and_finds_them_in_order(drawn: Path) -> None:
    listed = manifest.read(drawn, "paper")
    folder = drawn / "figures" / "paper"
    assert {path.name for path in folder.iterdir()} == {
        manifest.MANIFEST, *(f"{stem}.{suffix}" for stem in listed for suffix in ("png", "csv"))
    }  # fmt: skip
    assert main(["--suite", "paper", "--results", str(drawn), "--check"]) == 0


def test_check_names_a_changed_picture_and_a_changed_record(drawn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = drawn / "figures" / "paper" / "heads-rafdb-twin.csv"
    before = data.read_bytes()
    data.write_bytes(before + b"\n")
    records = gather(drawn).finished.records
    assert any("heads-rafdb-twin.csv: not the file" in line for line in manifest.problems(drawn, "paper", records))
    data.write_bytes(before)
    cell = fake.cell("rafdb-twin", "resnet18", 0)
    kept = store.record_path(drawn, cell.name).read_bytes(), store.predictions_path(drawn, cell.name).read_bytes()
    fake.finish(drawn, cell, (1, 2, 3))
    capsys.readouterr()
    assert main(["--suite", "paper", "--results", str(drawn), "--check"]) == 1
    told = capsys.readouterr().out
    assert f"cell {cell.name} has another record now" in told
    store.record_path(drawn, cell.name).write_bytes(kept[0])
    store.predictions_path(drawn, cell.name).write_bytes(kept[1])


def test_a_figure_that_nothing_makes_any_more_goes_but_one_of_weights_stays(tmp_path: Path, view: View) -> None:
    chart = next(heads_curve.charts(view))
    records = view.finished.records
    old = Chart("old", "t", "c", chart.cells, table(("a",), [(1,)]), chart.draw)
    weighty = Chart("weighty", "t", "c", chart.cells, table(("a",), [(1,)]), chart.draw, "weights")
    write(tmp_path, "paper", [old, weighty], records)
    write(tmp_path, "paper", [chart], records, kept=["weighty"])
    assert list(manifest.read(tmp_path, "paper")) == [chart.stem, "weighty"]
    assert not (tmp_path / "figures" / "paper" / "old.png").exists()
    assert (tmp_path / "figures" / "paper" / "weighty.csv").exists()


def test_figures_of_records_are_drawn_without_torch(results: Path) -> None:
    code = (
        "import sys; from bench.figures.__main__ import main; "
        f"code = main(['--suite', 'smoke', '--results', {str(results)!r}]); "
        "sys.exit(code or 10 * ('torch' in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parent.parent
    )
    assert done.returncode == 0, done.stderr
