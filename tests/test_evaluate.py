"""Does a checkpoint score what a plain loop over the photos scores?"""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import torch
from conftest import write_photos
from PIL import Image
from scipy.stats import binomtest
from sklearn.metrics import balanced_accuracy_score, confusion_matrix
from torchvision import transforms

from bench.data.catalog import AFFECTNET_ORDER
from bench.data.read import read
from bench.evaluate import as_text, evaluate, main
from dan.model import DAN


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return write_photos(tmp_path_factory.mktemp("photos"), people=12)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A file in the official layout, whose answers differ between images."""
    torch.manual_seed(3)
    model = DAN(7, 2)
    model.bn.running_var.fill_(1e-4)
    path = tmp_path_factory.mktemp("weights") / "rafdb_epoch21_acc0.897_bacc0.8275.pth"
    torch.save({"iter": 21, "model_state_dict": model.state_dict(), "optimizer_state_dict": {}}, path)
    return path


def looped(photos, model, size):
    """Labels and answers, image after image through PIL and torchvision."""
    root = photos / "facial_expressions"
    with (root / "data" / "legend.csv").open() as file:
        labels = {row["image"]: AFFECTNET_ORDER.index(row["emotion"]) for row in csv.DictReader(file)}
    chain = transforms.Compose(
        [
            transforms.Resize((size, size)),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    true, answered = [], []
    for sample in read("facial_expressions", root).test:
        image = Image.open(root / sample.path).convert("RGB")
        with torch.no_grad():
            answered.append(int(model(chain(image)[None]).logits.argmax()))
        true.append(labels[sample.path.rsplit("/", 1)[-1]])
    return true, answered


def test_an_official_checkpoint_scores_what_a_plain_loop_scores(photos, checkpoint, tmp_path):
    found = evaluate(checkpoint, "facial_expressions", photos, None, tmp_path, "cpu")
    model = DAN(7, 2).eval()
    model.load_state_dict(torch.load(checkpoint, weights_only=True)["model_state_dict"])
    true, answered = looped(photos, model, 224)
    assert found.confusion.tolist() == confusion_matrix(true, answered, labels=range(7)).tolist()
    assert found.confusion.sum() == len(true) == found.n_expected
    assert "2 heads" in found.notes[0]
    assert "neutral, happiness" in found.notes[1]


def test_the_json_holds_fractions_and_the_interval_of_scipy(photos, checkpoint, tmp_path, capsys):
    arguments = ["--checkpoint", str(checkpoint), "--dataset", "facial_expressions", "--data", str(photos)]
    assert main([*arguments, "--runs", str(tmp_path), "--device", "cpu", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    confusion = np.array(said["confusion"])
    assert said["correct"] == np.trace(confusion)
    interval = binomtest(said["correct"], said["n_scored"]).proportion_ci(method="wilson")
    assert said["wilson_95"] == pytest.approx([interval.low, interval.high])
    true, answered = zip(*[(i, j) for i in range(7) for j in range(7) for _ in range(confusion[i, j])], strict=True)
    assert said["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(true, answered))


def test_the_text_names_n_and_the_class_order(photos, checkpoint, tmp_path):
    text = as_text(evaluate(checkpoint, "facial_expressions", photos, None, tmp_path, "cpu"))
    assert "perceived expression labels" in text
    assert "| neutral" in text


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"<!DOCTYPE html><html></html>", "web page"), (b"PK\x03\x04 cut", "weights.pth"), (b"", "weights.pth")],
)
def test_a_file_that_is_no_checkpoint_is_one_line(photos, tmp_path, capsys, content, said):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    arguments = ["--checkpoint", str(path), "--dataset", "facial_expressions", "--data", str(photos)]
    assert main([*arguments, "--runs", str(tmp_path / "runs"), "--device", "cpu"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error


def test_a_checkpoint_for_another_number_of_classes_is_refused(photos, checkpoint, tmp_path, capsys):
    arguments = [
        "--checkpoint",
        str(checkpoint),
        "--dataset",
        "affectnet8-twin",
        "--runs",
        str(tmp_path),
        "--device",
        "cpu",
    ]
    assert main(arguments) == 2
    assert "7 classes, not 8" in capsys.readouterr().err


def test_a_cells_own_weights_answer_as_the_cell_did(tiny, tiny_dan, tmp_path):
    from dataclasses import replace

    from bench.cell import Start, run_cell
    from bench.feed import feed
    from bench.numeric import arithmetic
    from bench.predict import predict
    from bench.trained import WEIGHTS, is_trained, load_trained

    cell = replace(tiny_dan, variant=(("heads", 2),))
    cpu = torch.device("cpu")
    _, packed = run_cell(cell, tiny, Start("key", tmp_path, keep_weights=True), cpu, {})
    (tmp_path / "p.npz").write_bytes(packed)
    content = torch.load(tmp_path / WEIGHTS, weights_only=True)
    assert is_trained(content)
    method, info = load_trained(content, tmp_path / WEIGHTS)
    assert (info.method, info.classes, info.image_size) == ("dan", ("a", "b", "c"), 32)
    with arithmetic("faithful", cpu) as numbers, np.load(tmp_path / "p.npz") as stored:
        logits = predict(method, feed(tiny, "test", np.arange(18), numbers))
        np.testing.assert_array_equal(logits.numpy(), stored["logits_last"])
