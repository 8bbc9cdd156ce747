"""Has every figure of the paper one verdict with its reason, and none that its runs do not allow?"""

from __future__ import annotations

from pathlib import Path

import fake_results
import pytest
from rendered import cells, column, fill_full, fill_twin, page, prepare, suite

from bench.report import pages, verdicts_page
from bench.report.all_verdicts import judged, of_the_paper
from bench.report.judged import ours_of
from bench.report.verdict import judge
from bench.suite_file import load_suite

NAME = "paper/verdicts.md"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return prepare(tmp_path)


def table_3(text: str) -> str:
    """The part of a page that is about Table 3."""
    return text.split("## Table 3\n")[1].split("\n## ")[0]


def test_every_printed_figure_has_one_line_and_one_of_the_five_words(results: Path) -> None:
    fill_twin(results)
    material = pages.gather(results)
    found = judged(suite(), material.finished, material.reported)
    assert [each.figure.figure for each in found] == ["50.00", "64.29", "60.00", "70.01"]
    assert {each.verdict.word for each in found} <= set(verdicts_page.WORDS)
    assert len(verdicts_page.WORDS) == 5 and "not comparable" not in verdicts_page.WORDS
    assert all(each.verdict.reason for each in found)


def test_an_impossible_figure_is_called_so_without_any_run_and_others_stay_open(results: Path) -> None:
    fake_results.finish(results, fake_results.cell("facial_expressions", "dan"), (1, 2, 30))
    text = table_3(page(results, NAME))
    assert column(text, "DAN (ours)", "Verdict") == "not attainable at this n"
    assert "- DAN (ours) 70.01: 70.01 % is no k/70: 49 gives 70.000 and 50 gives 71.429" in text
    assert column(text, "SCN [2]", "Verdict") == "undecidable"
    assert "- SCN [2] 64.29" in text and "no finished run on RAF-DB (basic) or its twin" in text
    assert "- Elsewhere [1] 50.00: quoted only: no code released" in text
    assert column(text, "SCN [2]", "Fits") == "45/70"


def test_a_twin_stands_beside_a_figure_and_decides_nothing(results: Path) -> None:
    fill_twin(results)
    text = page(results, NAME)
    assert text.split("\n")[2].startswith("**Rehearsal**: none of the 4 accuracies that the paper prints")
    row = cells(table_3(text), "DAN (ours)")
    assert row[3:6] == ["RAF-DB (basic) twin, quick", "2/2", "70/70"]
    assert "a rehearsal only: rafdb-twin is a rendered twin of rafdb" in text


def test_full_runs_are_judged_by_the_rule_with_last_oracle_gap_and_honest_side_by_side(results: Path) -> None:
    fill_full(results)
    for seed in range(2):
        cell = fake_results.cell("rafdb", "resnet18", seed, weights="msceleb", budget="full", protocol="honest")
        fake_results.finish(results, cell, (20, 35, 21), weights_sha256="99" * 32)
    text = page(results, NAME)
    material = pages.gather(results)
    control = next(each for each in judged(suite(), material.finished, material.reported) if each.row == "ResNet-18")
    assert control.trained is not None
    expected = judge(control.figure, ours_of(control.trained, "last"))
    shown = table_3(text)
    assert column(shown, "ResNet-18", "Verdict") == expected.word == "consistent"
    assert f"- ResNet-18 60.00: {expected.reason}" in shown
    heads = ("Last", "Best-test (oracle)", "Gap", "Honest", "Scored", "Seeds")
    oracle = (41.5 + 0.5) / 70  # last is 42 for every seed, so the oracle never does better
    assert [column(shown, "ResNet-18", head) for head in heads] == [
        "60.00", f"{100 * oracle:.2f}", "0.00", "50.00", "70/70", "8/8",
    ]  # fmt: skip
    assert text.split("\n")[2] == "Runs at full size decide 2 of the 4 accuracies that the paper prints."


def test_missing_test_images_decide_nothing_and_are_counted(results: Path) -> None:
    cell = fake_results.cell("rafdb", "resnet18", budget="full")
    fake_results.finish(results, cell, (1, 2, 30), n_expected=75)
    text = table_3(page(results, NAME))
    assert column(text, "ResNet-18", "Scored") == "70/75"
    assert column(text, "ResNet-18", "Verdict") == "undecidable" and "70 of 75 test images were scored" in text


def test_sizes_are_judged_by_their_printed_digits(results: Path) -> None:
    fill_twin(results)
    text = page(results, NAME).split("## Table 6: parameters and operations")[1]
    assert cells(text, "DAN (ours)")[3] == "consistent" and cells(text, "DAN (ours)")[6] == "below"


def test_the_paper_suite_speaks_of_all_its_tables_and_of_what_its_text_claims(tmp_path: Path) -> None:
    material = pages.gather(tmp_path)  # the project's own printed figures, and no run at all
    found = judged(load_suite("paper"), material.finished, material.reported)
    own = of_the_paper(found)
    assert len(found) == len(material.reported.accuracies) and len(own) == 49
    impossible = {each.figure.figure for each in own if each.verdict.word == "not attainable at this n"}
    assert {"62.09", "56.84", "53.18", "51.29"} <= impossible and "89.70" not in impossible
    sizes = verdicts_page.cost_rows(load_suite("paper"), material.reported, material.costs)
    words = [verdict.word for figure, cost in sizes for verdict in verdicts_page.count_verdicts(figure, cost)]
    assert words == ["consistent"] * 14
