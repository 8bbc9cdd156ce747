"""Are the printed numbers complete and read strictly?"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from bench.errors import UserError
from bench.report.granularity import attainable
from bench.report.reported import Accuracy, load

ROOT = Path(__file__).parents[1]
REPORTED = load(ROOT / "results" / "reported")
METHODS = {
    "resnet18", "dan", "center_loss", "island_loss", "locality_preserving", "dda_loss", "dacl", "scn", "ran",
    "efficientface", "efficientnet_b0", "vit_se", "single_head", "se_resnet18", "cbam_resnet18", "eca_resnet18", "esr9",
    "separate_loss", "mvit", "psr",
}  # fmt: skip
HEAD = 'table = "9"\ntitle = "T"\nsource = "S"\ndataset = "rafdb"\nn_paper = 3068\n'
ROW = '[[accuracy]]\nlabel = "DAN"\nfigure = "89.70"\nretrained = true\nmethod = "dan"\n'


def one(tmp_path: Path, text: str) -> Accuracy:
    (tmp_path / "table9.toml").write_text(text)
    (row,) = load(tmp_path, METHODS).accuracies
    return row


def refused(tmp_path: Path, text: str) -> str:
    (tmp_path / "table9.toml").write_text(text)
    with pytest.raises(UserError) as error:
        load(tmp_path, METHODS)
    assert "\n" not in str(error.value) and "table9.toml" in str(error.value)
    return str(error.value)


def test_every_row_of_the_papers_tables_is_there() -> None:
    sizes = Counter(row.table for row in REPORTED.accuracies) + Counter(row.table for row in REPORTED.costs)
    assert {table: sizes[table] for table in "123456"} == {"1": 10, "2": 10, "3": 10, "4": 10, "5": 5, "6": 7}
    assert sizes["text"] == 5  # four accuracies and one pair of counts


@pytest.mark.parametrize(
    ("table", "dataset", "n"),
    [("1", "affectnet8", 4000), ("2", "affectnet7", 3500), ("3", "rafdb", 3068), ("5", "rafdb", 3068)],
)
def test_a_table_speaks_of_one_dataset_and_one_stated_size(table: str, dataset: str, n: int) -> None:
    assert {(row.dataset, row.n_paper) for row in REPORTED.table(table)} == {(dataset, (n,))}


def test_the_text_repeats_the_figures_of_the_tables() -> None:
    dan = {row.dataset: row.figure for table in "1234" for row in REPORTED.table(table) if row.method == "dan"}
    assert {row.dataset: row.figure for row in REPORTED.table("text")} == dan
    *_, last = (cost for cost in REPORTED.costs if cost.table == "6")
    (claimed,) = (cost for cost in REPORTED.costs if cost.table == "text")
    assert (claimed.parameters_millions, claimed.operations_billions) == (
        last.parameters_millions,
        last.operations_billions,
    )


def test_every_evidence_of_a_test_size_fits_its_figure() -> None:
    rows = [row for row in REPORTED.accuracies if row.n_evidence is not None]
    assert len(rows) == 19
    for row in rows:
        found = attainable(row.figure, row.n_evidence or 0)
        assert found.possible, row
        count = (found.counts_rounded or found.counts_truncated)[0]
        assert str(count) in row.evidence, row


def test_a_size_other_than_the_stated_one_is_only_claimed_where_the_stated_one_is_impossible() -> None:
    moved = [row for row in REPORTED.accuracies if row.n_evidence and row.n_paper and row.n_evidence not in row.n_paper]
    assert {row.dataset for row in moved} == {"affectnet8", "sfew"}
    assert not any(attainable(row.figure, n).possible for row in moved for n in row.n_paper)


def test_rows_name_methods_of_the_harness_or_say_why_they_are_quoted_only() -> None:
    for row in (*REPORTED.accuracies, *REPORTED.costs):
        assert row.method is None or row.method in METHODS, row
        assert row.retrained or row.why, row


def test_the_ablation_rows_carry_their_variant() -> None:
    assert [(row.group, row.figure, dict(row.variant)) for row in REPORTED.table("5")] == [
        ("FCN", "88.17", {"affinity": "none"}),
        ("FCN", "88.91", {"affinity": "center"}),
        ("FCN", "89.70", {}),
        ("AFN", "88.20", {"partition.form": "none"}),
        ("AFN", "89.70", {}),
    ]


def test_the_variants_are_switches_of_their_method() -> None:
    # In a process of its own, because another test of the same run may have imported torch already.
    code = (
        "import sys; from pathlib import Path; from bench.report.reported import load;"
        "from bench.switches import resolve;"
        "from dan.options import Options; rows = load(Path('results/reported')).accuracies;"
        "[resolve(Options, dict(r.variant), r.label) for r in rows if r.method == 'dan'];"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_a_row_takes_what_its_file_says_for_all(tmp_path: Path) -> None:
    row = one(tmp_path, HEAD + ROW + "n_paper = [436, 372]\n")
    assert (row.file, row.table, row.dataset, row.source, row.n_paper) == ("table9.toml", "9", "rafdb", "S", (436, 372))
    assert row.sizes == (436, 372)
    assert one(tmp_path, HEAD + ROW + "n_evidence = 425\n").sizes == (425,)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (HEAD + ROW + 'citaton = "9"\n', "unknown key 'citaton' (nearest: citation"),
        (HEAD + 'datset = "sfew"\n' + ROW, "unknown key 'datset' (nearest: dataset"),
        (HEAD + ROW.replace('"89.70"', "89.70"), "figure = 89.7 must be a string"),
        (HEAD + ROW.replace("89.70", "89,70"), "'89,70' is no plain decimal"),
        (HEAD + ROW.replace('figure = "89.70"\n', ""), "missing figure"),
        (HEAD.replace('dataset = "rafdb"\n', "") + ROW, "missing dataset"),
        (HEAD.replace('title = "T"\n', "") + ROW, "'title' is missing"),
        (HEAD.replace("rafdb", "rafbd") + ROW, "unknown dataset 'rafbd' (nearest: rafdb"),
        (HEAD + ROW.replace('"dan"', '"dna"'), "unknown method 'dna' (nearest: dan"),
        (HEAD + ROW.replace('method = "dan"\n', ""), "retrained = true needs the method"),
        (HEAD + ROW.replace("true", "false"), "retrained = false needs the reason"),
        (HEAD + ROW.replace("true", '"yes"'), "retrained = 'yes' must be true or false"),
        (HEAD + ROW + "n_evidence = true\n", "n_evidence = True must be a positive integer"),
        (HEAD + ROW + "n_paper = 0\n", "n_paper = 0 must be a positive integer"),
        (HEAD + ROW + 'variant = "heads=1"\n', "variant must be a table of switches"),
        (HEAD + ROW + "variant = { heads = [1] }\n", "variant must be a table of switches"),
        (HEAD + 'accuracy = "89.70"\n', "written [[accuracy]]"),
        (HEAD + "label = \n", "line 6"),
    ],
)
def test_a_mistake_in_a_file_is_one_line_that_says_where(tmp_path: Path, text: str, says: str) -> None:
    assert says in refused(tmp_path, text)


def test_a_mistake_in_a_row_names_the_row(tmp_path: Path) -> None:
    message = refused(tmp_path, HEAD + ROW + ROW.replace('"DAN"', '"SCN"').replace("89.70", "n/a"))
    assert "accuracy 2 ('SCN')" in message


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "table9.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="not readable as TOML"):
        load(tmp_path)


def test_two_files_cannot_both_be_table_nine(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(HEAD + ROW)
    (tmp_path / "b.toml").write_text(HEAD + ROW)
    with pytest.raises(UserError, match=r"b\.toml: table '9' is already"):
        load(tmp_path)


def test_a_folder_without_numbers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no reported numbers"):
        load(tmp_path / "nowhere")
