"""Do numbers look in print as a reader expects, and does no text break a table?"""

from __future__ import annotations

import pytest

from bench.markdown import (
    Column,
    Page,
    Section,
    count,
    grouped,
    half_width,
    one_line,
    p_value,
    percent,
    plural,
    points,
    scaled,
    spans,
    table,
)


@pytest.mark.parametrize(
    ("fraction", "text"), [(0.6209, "62.09"), (1.0, "100.00"), (2752 / 3068, "89.70"), (None, "–")]
)
def test_a_fraction_prints_as_a_percentage_with_two_decimals(fraction: float | None, text: str) -> None:
    assert percent(fraction) == text


@pytest.mark.parametrize(
    ("difference", "text"),
    [(0.012, "+1.20"), (-0.004, "-0.40"), (0.0, "0.00"), (-1e-9, "0.00"), (1e-9, "0.00"), (None, "–")],
)
def test_a_difference_prints_its_sign_and_zero_has_none(difference: float | None, text: str) -> None:
    assert points(difference) == text


def test_one_seed_prints_no_interval() -> None:
    assert half_width(None) == ""
    assert half_width(0.0061) == "0.61"


@pytest.mark.parametrize(("p", "text"), [(0.0078125, "0.008"), (0.25, "0.250"), (1.0, "1.000"), (2**-19, "< 0.001")])
def test_a_p_value_prints_three_decimals_or_less_than_a_thousandth(p: float, text: str) -> None:
    assert p_value(p) == text


def test_counts_group_thousands_and_scale_to_millions() -> None:
    assert count(12271) == "12,271"
    assert scaled(19_723_733, 10**6, 2) == "19.72"
    assert (plural(1, "seed"), plural(8, "seed")) == ("1 seed", "8 seeds")


@pytest.mark.parametrize(
    ("numbers", "text"), [([0, 1, 2, 5], "0-2, 5"), ([3], "3"), ([], ""), ([7, 5, 6, 1], "1, 5-7")]
)
def test_runs_of_seeds_print_as_spans(numbers: list[int], text: str) -> None:
    assert spans(numbers) == text


def test_foreign_text_can_neither_break_a_table_nor_open_a_tag() -> None:
    text = one_line("first | second\n  <b>third")
    assert text == "first \\| second &lt;b>third"
    lines = table((Column("A", "left"),), [(text,)]).splitlines()
    assert len(lines) == 3


def test_columns_are_set_by_their_kind_and_empty_ones_are_left_out() -> None:
    columns = (Column("Method", "left"), Column("Nothing"), Column("Last"))
    assert table(columns, [("DAN", "", "89.70"), ("a longer name", "", "9.20")]).splitlines() == [
        "| Method        |   Last |",
        "|:--------------|-------:|",
        "| DAN           |  89.70 |",
        "| a longer name |   9.20 |",
    ]


def test_trailing_zeros_of_a_printed_figure_stay() -> None:
    assert "  89.70 |" in table((Column("Paper"),), [("89.70",)])


def test_rows_with_one_reason_share_a_line() -> None:
    entries = [
        ("DAN", "a rehearsal"),
        ("SCN", "a rehearsal"),
        ("RAN", ""),
        ("DACL", "other data"),
        ("DAN", "a rehearsal"),
    ]
    assert grouped(entries) == "- DAN, SCN: a rehearsal\n- DACL: other data"


def test_a_page_has_heading_status_table_sections_footers_and_says_how_it_was_made() -> None:
    page = Page("Title", "What it is.", "| a |", (Section("Empty", ""), Section("More", "text")), ("a footer",))
    blocks = page.text().split("\n\n")
    assert blocks[:5] == ["# Title", "What it is.", "| a |", "## More", "text"]
    assert "- a footer" in blocks
    assert "python -m bench.tables" in blocks[-1]
    assert page.text().endswith("\n") and not page.text().endswith("\n\n")
