"""Does the audit of printed figures agree with printing every fraction, and with what is known of the paper's?"""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest

from bench.report import granularity
from bench.report.granularity import attainable, explain, prints_as, sizes_that_fit


def by_printing(figure: str, n: int, rounding: str) -> tuple[int, ...]:
    """Brute force: print every k / n exactly and keep those that read as the figure."""
    digits = Decimal(1).scaleb(-len(figure.partition(".")[2]))
    kept = []
    for k in range(n + 1):
        scaled = Fraction(100 * k, n) / Fraction(digits)
        # A Decimal quotient is inexact, so the exact remainder decides which side of a tie it is on.
        floor, rest = scaled.numerator // scaled.denominator, scaled - scaled.numerator // scaled.denominator
        up = {
            ROUND_DOWN: False,
            ROUND_HALF_UP: rest >= Fraction(1, 2),
            ROUND_HALF_EVEN: rest > Fraction(1, 2) or (rest == Fraction(1, 2) and floor % 2 == 1),
        }[rounding]
        if str((floor + up) * digits) == figure:
            kept.append(k)
    return tuple(kept)


@pytest.mark.parametrize("n", [1, 2, 7, 8, 40, 372, 425, 800, 1000])
@pytest.mark.parametrize(
    "figure", ["0.00", "12.50", "28.57", "53.18", "62.5", "62.12", "62.13", "99.99", "100.00", "50", "0", "100"]
)
def test_attainable_counts_are_those_that_print_as_the_figure(figure: str, n: int) -> None:
    found = attainable(figure, n)
    assert found.counts_half_even == by_printing(figure, n, ROUND_HALF_EVEN)
    assert found.counts_half_up == by_printing(figure, n, ROUND_HALF_UP)
    assert found.counts_truncated == by_printing(figure, n, ROUND_DOWN)


def test_a_tie_belongs_to_both_roundings() -> None:
    # 497 / 800 is 62.125 % exactly: half-even prints 62.12, half-up prints 62.13.
    assert attainable("62.12", 800).counts_half_even == (497,)
    assert attainable("62.12", 800).counts_half_up == ()
    assert attainable("62.13", 800).counts_half_up == (497,)
    assert attainable("62.12", 800).counts_rounded == attainable("62.13", 800).counts_rounded == (497,)


@pytest.mark.parametrize(
    ("figure", "n", "correct"),
    [
        ("62.09", 3999, 2483),
        ("56.84", 3999, 2273),
        ("89.70", 3068, 2752),
        ("88.20", 3068, 2706),
        ("88.17", 3068, 2705),
        ("86.25", 3068, 2646),
        ("65.69", 3500, 2299),
    ],
)
def test_a_figure_of_the_paper_names_its_count(figure: str, n: int, correct: int) -> None:
    assert attainable(figure, n).counts_rounded == (correct,)


@pytest.mark.parametrize(
    ("figure", "n"),
    [("62.09", 4000), ("56.84", 4000), ("53.18", 436), ("51.29", 436), ("53.18", 372), ("51.29", 372)],
)
def test_a_figure_of_the_paper_is_impossible_at_the_size_it_states(figure: str, n: int) -> None:
    assert not attainable(figure, n).possible


def test_the_centre_loss_figure_fits_only_when_truncated() -> None:
    found = attainable("88.91", 3068)
    assert found.counts_rounded == () and found.counts_truncated == (2728,)
    assert found.possible and not found.rounded


def test_only_425_test_images_fit_both_sfew_figures() -> None:
    assert sizes_that_fit(["53.18", "51.29"], 300, 460) == (425,)
    assert sizes_that_fit(["53.18", "51.29"], 300, 460, truncated=True) == ()


def test_of_the_two_affectnet_releases_only_the_reduced_one_fits() -> None:
    assert sizes_that_fit(["62.09", "56.84"], 3999, 4000) == (3999,)
    assert sizes_that_fit(["62.09", "56.84"], 3990, 4010) == (3994, 3999, 4004)


@pytest.mark.parametrize(
    ("figure", "n", "says"),
    [
        ("62.09", 4000, "62.09 % is no k/4000: 2483 gives 62.075 and 2484 gives 62.100"),
        ("89.70", 3068, "89.70 % is 2752 of 3068"),
        ("86.9", 3068, "86.9 % is 2665 to 2667 of 3068"),
        ("88.91", 3068, "88.91 % is no k/3068 under rounding; 2728 of 3068 only when truncated"),
        ("100.01", 50, "100.01 % is no k/50: 50 gives 100.000"),
    ],
)
def test_the_explanation_is_one_line_with_the_counts(figure: str, n: int, says: str) -> None:
    assert explain(figure, n) == says


@pytest.mark.parametrize("figure", ["62.09", "53.18", "0.00", "100.00", "50"])
def test_the_neighbours_of_a_figure_enclose_it(figure: str) -> None:
    for n in (7, 425, 4000):
        below, above = granularity.nearest(figure, n)
        assert below <= Fraction(figure) / 100 <= above and (above - below) * n in (0, 1)


@pytest.mark.parametrize(
    ("count", "unit", "figure", "fits"),
    [
        (19_723_733, 10**6, "19.72", True),
        (2_230_861_582, 10**9, "2.23", True),
        (11_180_103, 10**6, "11.69", False),
        (1_275_293, 10**6, "1.28", True),
        (14_508_455_424, 10**9, "14.55", False),
        (11_185_000, 10**6, "11.18", True),  # an exact tie may print either way
        (11_185_000, 10**6, "11.19", True),
    ],
)
def test_a_count_prints_as_the_paper_rounds_it(count: int, unit: int, figure: str, fits: bool) -> None:
    assert prints_as(count, unit, figure) is fits


@pytest.mark.parametrize("figure", ["", "62,09", "-1.0", "1e2", "62.", ".5", "62.09 %", "NaN", "62.0\n"])
def test_text_that_is_no_figure_is_refused(figure: str) -> None:
    with pytest.raises(ValueError, match="plain decimal"):
        attainable(figure, 100)


def test_no_images_have_no_fractions() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        attainable("50.0", 0)
