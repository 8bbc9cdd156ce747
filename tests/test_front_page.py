"""Does results/README.md say what was run before what came out, and nothing that the results do not give?"""

from __future__ import annotations

from pathlib import Path

import fake_results
import pytest
from rendered import DIGEST, fill_full, fill_twin, prepare, suite

from bench import store, tables
from bench.figures import manifest


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return prepare(tmp_path)


def front(results: Path) -> str:
    tables.render(results, suite())
    return (results / "README.md").read_text(encoding="utf-8")


def answer(text: str) -> str:
    return text.split("## The answer\n\n")[1].split("\n\n")[0]


def draw(results: Path, *stems: str) -> None:
    """Files that stand for figures of DAN's first cell, and the list of them."""
    cell = fake_results.cell("rafdb-twin", "dan").name
    record = store.load(results, cell)
    assert record is not None
    folder = results / "figures" / "paper"
    folder.mkdir(parents=True)
    for stem in stems:
        (folder / f"{stem}.png").write_bytes(b"png")
        (folder / f"{stem}.csv").write_text("a\n")
    digests = (manifest.sha256(b"png"), manifest.sha256(b"a\n"))
    entries = {
        stem: manifest.Entry(f"Title of {stem}", "Its caption.", "records", {cell: record.digest}, *digests)
        for stem in stems
    }
    manifest.write(results, "paper", entries)


def test_a_rehearsal_says_so_in_the_first_line_and_confirms_nothing(results: Path) -> None:
    fill_twin(results)
    text = front(results)
    assert text.split("\n")[2].startswith("**Rehearsal.** Every accuracy here comes from the quick budget")
    assert "rendered twins (computer-made faces, not the licensed photos)" in text.split("\n")[2]
    assert answer(text).startswith("None of the paper's 4 accuracies is confirmed or refuted here")
    assert "70.01 on RAF-DB (basic) cannot be a whole number of images" in answer(text)
    assert "2 of 4 printed parameter" not in answer(text) and "3 of 4 printed parameter" in answer(text)


def test_the_gain_is_paired_hedged_and_beside_the_floor(results: Path) -> None:
    for seed in (0, 1):
        for method, right in (("dan", 30 + 3 * seed), ("resnet18", 28)):
            cell = fake_results.cell("facial_expressions", method, seed)
            fake_results.finish(results, cell, (35, 2, right), digest=DIGEST["first"])
    said = answer(front(results))
    # Differences 2 and 5 of 70: mean 5.00 points; t(1) = 12.706, sd 3/70/sqrt(2), so the half-width is 27.23.
    assert (
        "DAN differs from ResNet-18 by +5.00 ± 27.23 (facial_expressions (7 classes), n = 70, 2 seeds) points" in said
    )
    assert "the interval includes 0, so no gain is shown" in said
    assert "Beware" not in said  # 31.5 of 70 is more than the most frequent class has
    assert "adds +5.00 points to DAN" in said  # 35 less 31.5 of 70


def test_what_the_intervals_show_is_said_of_as_many_as_there_are(results: Path) -> None:
    def gain(dataset: str, seeds: int, more: int) -> None:
        for seed in range(seeds):
            for method, right in (("dan", 30 + more + seed % 2), ("resnet18", 30)):
                fake_results.finish(results, fake_results.cell(dataset, method, seed), (1, 2, right))

    gain("facial_expressions", 1, 20)
    assert "points: single seeds show no gain." in answer(front(results))
    gain("rafdb-twin", 3, 0)  # 0, 1, 0 of 70 more: the mean is 0.48 points, the half-width 2.05
    assert "points: the interval includes 0, so no gain is shown." in answer(front(results))
    gain("facial_expressions", 2, 0)
    assert "none of these intervals excludes 0, so no gain is shown" in answer(front(results))
    gain("rafdb-twin", 3, 20)
    assert "1 of 2 such intervals excludes 0, uncorrected for their number" in answer(front(results))


def test_networks_below_the_floor_are_called_so(results: Path) -> None:
    for method in ("dan", "resnet18"):
        fake_results.finish(results, fake_results.cell("facial_expressions", method), (1, 2, 5))
    assert "Beware: everywhere DAN answers fewer test images correctly than always naming" in answer(front(results))


def test_seeds_that_collapsed_onto_one_class_are_named(results: Path) -> None:
    for seed, right in enumerate((50, 10, 8)):  # ten of each class, won class by class
        fake_results.finish(results, fake_results.cell("rafdb-twin", "dan", seed), (1, 2, right))
        fake_results.finish(results, fake_results.cell("rafdb-twin", "resnet18", seed), (1, 2, 30))
    said = answer(front(results))
    assert "Training collapsed onto one class: DAN with seeds 1-2 on RAF-DB (basic) twin; that counts in the" in said
    fake_results.finish(results, fake_results.cell("rafdb-twin", "resnet18", 0), (1, 2, 5))
    assert "DAN with seeds 1-2 on RAF-DB (basic) twin and ResNet-18 with seed 0 on" in answer(front(results))


def test_full_runs_are_counted_by_verdict(results: Path) -> None:
    fill_full(results)
    text = front(results)
    assert text.split("\n")[2] == "Accuracies here were measured on the licensed datasets."
    assert answer(text).startswith(
        "Of the paper's 4 accuracies, 2 were put to the test at full size: 2 consistent; 2 stay open."
    )
    assert "the interval excludes 0." in answer(text)


def test_pictures_are_shown_with_caption_and_data_and_there_need_be_none(results: Path) -> None:
    fill_twin(results)
    assert "## Pictures" not in front(results)
    draw(results, "confusion-rafdb-twin", "confusion-sfew-twin", "cost-accuracy-rafdb-twin")
    text = front(results).split("## Pictures\n\n")[1].split("\n## ")[0]
    assert "![Title of confusion-rafdb-twin](figures/paper/confusion-rafdb-twin.png)" in text
    assert "Its caption. ([data](figures/paper/confusion-rafdb-twin.csv))" in text
    assert "![Title of confusion-sfew-twin]" not in text, "one of each kind; the others are linked"
    assert "[Title of confusion-sfew-twin](figures/paper/confusion-sfew-twin.png)" in text
    whole = (results / "tables" / "paper" / "figures.md").read_text(encoding="utf-8")
    assert whole.count("![") == 3 and "](../../figures/paper/confusion-sfew-twin.csv)" in whole


def test_a_picture_of_other_records_is_named_and_not_shown(results: Path) -> None:
    fill_twin(results)
    draw(results, "confusion-rafdb-twin")
    fake_results.finish(results, fake_results.cell("rafdb-twin", "dan"), (1, 2, 3), digest=DIGEST["first"])
    text = front(results)
    assert "![" not in text
    assert "- Title of confusion-rafdb-twin: its cell rafdb-twin/dan/default" in text


def test_every_link_leads_to_a_file(results: Path) -> None:
    fill_twin(results)
    fill_full(results)
    text = front(results)
    targets = [part.split(")")[0] for part in text.split("](")[1:]]
    assert len(targets) > 5
    assert [target for target in targets if not (results / target).is_file()] == []


def test_the_front_page_is_checked_like_any_other(results: Path) -> None:
    fill_twin(results)
    path = results / "README.md"
    path.write_text(front(results).replace("57.86", "58.86", 1))
    assert tables.main(["--results", str(results), "--check", "--suite", "paper"]) == 1
