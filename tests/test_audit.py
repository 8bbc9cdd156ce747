"""Does the audit pass on results that are what they say, and name the table cell of each that is not?"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import fake_results
import numpy as np
import pytest
from numpy.typing import NDArray

from bench import audit, store, tables
from bench.record import Record
from bench.suite_file import load_suite

CELL = fake_results.cell("facial_expressions", "dan")
PAGE = "tables/paper/comparison-facial_expressions.md"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Two methods, two seeds each, both protocols for one of them; rendered."""
    for seed in (0, 1):
        for method in ("dan", "resnet18"):
            fake_results.finish(tmp_path, fake_results.cell("facial_expressions", method, seed), (30, 45 + seed, 40))
        fake_results.finish(
            tmp_path, fake_results.cell("facial_expressions", "dan", seed, protocol="honest"), (30, 40, 45)
        )
    fake_results.fail(tmp_path, fake_results.cell("facial_expressions", "scn"), "the loss is not a number")
    for name in ("paper", "honest"):
        tables.render(tmp_path, load_suite(name))
    return tmp_path


def rewrite(results: Path, change: Callable[[dict[str, NDArray]], Mapping[str, NDArray]]) -> None:
    """Change the stored predictions of one cell, and let its record know their new digest."""
    arrays = store.pack(change(store.load_predictions(results, CELL.name)))
    record = store.load(results, CELL.name)
    assert record is not None
    store.save(results, CELL.name, replace(record, predictions_sha256=hashlib.sha256(arrays).hexdigest()), arrays)


def edit(results: Path, change: Callable[[Record], Record]) -> None:
    """Change a record as somebody would who also mends its digest."""
    record = store.load(results, CELL.name)
    assert record is not None
    store.record_path(results, CELL.name).write_text(change(record).to_json())


def test_untouched_results_pass(results: Path) -> None:
    assert audit.audit(results) == ([], "6 records, 2 suites of tables: every number follows")


def test_one_changed_prediction_names_the_table_cell(results: Path) -> None:
    def change(arrays: dict[str, NDArray]) -> Mapping[str, NDArray]:
        arrays["logits_last"][0] = np.roll(arrays["logits_last"][0], 1)
        arrays["by_epoch"][2, 0] = (arrays["by_epoch"][2, 0] + 1) % 7
        return arrays

    rewrite(results, change)
    found, _ = audit.audit(results)
    where = f"{PAGE}, row 'DAN', column 'Last' ({CELL.name})"
    assert f"{where}: correct: 40 recorded, 39 from the predictions" in found
    assert not any("Oracle" in text and "comparison" in text for text in found)


def test_one_changed_prediction_names_its_cell_on_every_kind_of_page(results: Path) -> None:
    cell = fake_results.cell("rafdb-twin", "dan")
    fake_results.finish(results, cell, (30, 45, 40))
    tables.render(results, load_suite("paper"))
    arrays = store.load_predictions(results, cell.name)
    arrays["logits_last"][0] = np.roll(arrays["logits_last"][0], 1)
    arrays["by_epoch"][2, 0] = (arrays["by_epoch"][2, 0] + 1) % 7
    packed = store.pack(arrays)
    record = store.load(results, cell.name)
    assert record is not None
    store.save(results, cell.name, replace(record, predictions_sha256=hashlib.sha256(packed).hexdigest()), packed)
    found, _ = audit.audit(results)
    said = [text.split(f" ({cell.name})")[0] for text in found if "correct: 40 recorded, 39 from" in text]
    assert {
        "tables/paper/comparison-rafdb-twin.md, row 'DAN', column 'Last'",
        "tables/paper/heads-rafdb-twin.md, row '4 heads (DAN)', column 'Last'",
        "tables/paper/predictions-rafdb-twin.md, row 'DAN', column 'Accuracy'",
        "tables/paper/verdicts.md, row 'DAN (ours) 89.70', column 'Last'",
        "README.md, row 'DAN, rafdb-twin', column 'Last'",
    } <= set(said)
    page = results / "tables" / "paper" / "predictions-rafdb-twin.md"
    assert any(
        text.startswith(f"{page}:") and "row 'DAN', column 'Accuracy': 57.14 printed, 55.71" in text for text in found
    )


def test_changed_confidences_name_the_cell_though_every_answer_stays(results: Path) -> None:
    rewrite(results, lambda arrays: arrays | {"logits_last": arrays["logits_last"] * 3})
    (said,) = [text for text in audit.audit(results)[0] if "predictions-facial_expressions" in text]
    assert "row 'DAN', column 'Confidence': " in said


@pytest.mark.parametrize(
    "name",
    ["tables/paper/verdicts.md", "tables/README.md", "README.md", "tables/honest/predictions-facial_expressions.md"],
)
def test_an_edit_of_any_kind_of_page_is_named(results: Path, name: str) -> None:
    path = results / name
    path.write_text(path.read_text().replace("Rehearsal", "Result", 1))
    (said,) = audit.audit(results)[0]
    assert said.startswith(f"{path}:3: ") or name == "tables/README.md"


def test_predictions_that_are_not_the_records_are_named_without_their_digest_mended(results: Path) -> None:
    path = store.predictions_path(results, CELL.name)
    arrays = store.load_predictions(results, CELL.name)
    arrays["logits_last"][0] += 1.0  # no answer changes
    path.write_bytes(store.pack(arrays))
    found, _ = audit.audit(results)
    assert any(text.startswith(f"{PAGE}, row 'DAN', every column") and "not the file" in text for text in found)


@pytest.mark.parametrize("damage", [None, b"", b"PK\x03\x04"])
def test_missing_or_damaged_predictions_are_named(results: Path, damage: bytes | None) -> None:
    path = store.predictions_path(results, CELL.name)
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage)
    found, _ = audit.audit(results)
    assert any("row 'DAN'" in text and "missing or cannot be read" in text for text in found)


def better(record: Record) -> Record:
    score = record.scores["last"]
    improved = replace(
        score, correct=score.correct + 1, class_correct=(*score.class_correct[:-1], score.class_correct[-1] + 1)
    )
    return replace(record, scores=record.scores | {"last": improved})


def more_images(record: Record) -> Record:
    return replace(record, scores=record.scores | {"last": replace(record.scores["last"], n=71)})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (better, ["column 'Last'", "correct: 41 recorded, 40 from the predictions"]),
        (lambda record: replace(record, test_correct_by_epoch=(30, 46, 40)), ["correct by epoch"]),
        (
            lambda record: replace(record, scores=record.scores | {"last": record.scores["best-test"]}),
            ["column 'Last'", "epoch: 2 recorded, 3 from the predictions"],
        ),
        (more_images, ["column 'Last'", ": n: 71 recorded, 70 from the predictions"]),
        (lambda record: replace(record, epochs=record.epochs[:2]), ["epochs: 2 recorded, 3 from the predictions"]),
        (lambda record: replace(record, data=replace(record.data, n_test=71)), ["n: 71 recorded, 70"]),
        (lambda record: replace(record, data=replace(record.data, n_test_expected=60)), ["60 are expected"]),
        (lambda record: replace(record, cell=record.cell | {"seed": 5}), ["the record says that it is", "/s5"]),
        (lambda record: replace(record, weights_sha256="9" * 64), ["weights none with the digest"]),
    ],
)
def test_an_edited_record_is_named_though_its_digest_was_mended(
    results: Path, change: Callable[[Record], Record], words: list[str]
) -> None:
    edit(results, change)
    found, _ = audit.audit(results)
    assert any(all(word in text for word in words) for text in found), found


def test_logits_of_another_epoch_are_named_though_they_score_the_same(results: Path) -> None:
    def change(arrays: dict[str, NDArray]) -> Mapping[str, NDArray]:
        arrays["logits_last"][-1] = np.roll(arrays["logits_last"][-1], 1)  # wrong before and after
        return arrays

    rewrite(results, change)
    found, _ = audit.audit(results)
    assert [text for text in found if "its logits are not those of epoch 3" in text and "column 'Last'" in text]


def test_an_image_that_was_scored_twice_is_named(results: Path) -> None:
    rewrite(results, lambda arrays: arrays | {"ids": np.concatenate([arrays["ids"][:1], arrays["ids"][:-1]])})
    found, _ = audit.audit(results)
    assert any("distinct test images: 70 recorded, 69 from the predictions" in text for text in found)


def test_a_validation_figure_that_its_predictions_do_not_give_is_named(results: Path) -> None:
    cell = fake_results.cell("facial_expressions", "dan", protocol="honest")
    record = store.load(results, cell.name)
    assert record is not None
    epochs = (record.epochs[0], replace(record.epochs[1], val_correct=6), record.epochs[2])
    store.record_path(results, cell.name).write_text(replace(record, epochs=epochs).to_json())
    found, _ = audit.audit(results)
    assert any("column 'Best val'" in text and "6 recorded, 7 from the predictions" in text for text in found)


def test_a_record_whose_digest_does_not_fit_ends_the_audit(results: Path) -> None:
    path = store.record_path(results, CELL.name)
    path.write_text(path.read_text().replace('"n_train": 1000', '"n_train": 1001'))
    found, checked = audit.audit(results)
    assert len(found) == 1 and str(path) in found[0]
    assert "nothing else was checked" in checked


def test_a_table_that_was_edited_is_named(results: Path) -> None:
    path = results / PAGE
    path.write_text(path.read_text().replace("57.14", "58.14", 1))
    found, _ = audit.audit(results)
    assert len(found) == 1 and found[0].startswith(f"{path}:")


def test_seeds_on_different_images_are_mixed_and_named(results: Path) -> None:
    fake_results.finish(results, fake_results.cell("facial_expressions", "dan", 1), (30, 46, 40), digest="e" * 64)
    found, _ = audit.audit(results)
    wanted = "facial_expressions/dan/default/paper-quick-none-faithful: seeds 0 and seeds 1 differ in data_digest"
    assert any(text.startswith(wanted) for text in found)


def test_staleness_is_asked_of_every_record_and_grouped_by_reason(results: Path) -> None:
    found, _ = audit.audit(results, lambda record: "dan/losses.py changed" if record.cell["method"] == "dan" else "")
    assert found == [
        "facial_expressions/dan/default/honest-quick-none-faithful/s0 and 3 more cells: stale: dan/losses.py changed; "
        "run the suite again"
    ]


def test_a_record_with_the_key_of_today_is_not_stale_and_another_says_why(results: Path) -> None:
    from bench.key import inputs
    from bench.spec import recipe_of

    cell = replace(CELL, recipe=recipe_of(CELL.dataset, CELL.method, CELL.variant, CELL.budget, "faithful"))
    record = fake_results.finish(results, cell, (30, 45, 40))
    now = inputs(cell, record.data.digest, None)
    fresh = replace(record, key=now.key, provenance=record.provenance | {"sources": dict(now.sources)})
    assert audit.stale_now(fresh) == ""
    old = replace(fresh, key="0" * 64, provenance={"sources": dict(now.sources) | {"dan/losses.py": "0" * 64}})
    assert audit.stale_now(old) == "dan/losses.py changed"
    assert "unknown method 'dna'" in audit.stale_now(replace(record, cell=record.cell | {"method": "dna"}))


def test_the_command_exits_with_1_on_a_difference_and_prints_it(
    results: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "stale_now", lambda record: "")
    assert audit.main(["--results", str(results)]) == 0
    edit(results, better)
    assert audit.main(["--results", str(results)]) == 1
    assert "column 'Last'" in capsys.readouterr().out
    assert audit.main(["--results", str(results / "nowhere")]) == 2


def test_the_reported_audit_lists_figures_that_are_no_count_of_their_test_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "reported"
    folder.mkdir()
    head = (
        'table = "1"\ntitle = "T"\nsource = "S"\ndataset = "rafdb"\nretrained = true\nmethod = "dan"\nn_paper = 4000\n'
    )
    rows = '[[accuracy]]\nlabel = "odd"\nfigure = "62.09"\nn_evidence = {n}\n'
    rows += '[[accuracy]]\nlabel = "even"\nfigure = "62.10"\n'
    (folder / "table1.toml").write_text(head + rows.format(n=3999))
    assert audit.main(["--reported", "--results", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "1 of 2 printed accuracies" in printed and "| odd" in printed and "| even" not in printed
    (folder / "table1.toml").write_text(head + rows.format(n=4000))
    assert audit.main(["--reported", "--results", str(tmp_path)]) == 1
    (problem,) = audit.audit(tmp_path)[0]
    assert "'odd': not n_evidence = 4000" in problem
    assert "'odd': not n_evidence = 4000" in capsys.readouterr().out
