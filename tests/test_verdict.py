"""Does each verdict follow its rule, say why, and keep its rate of false alarms?"""

from __future__ import annotations

import dataclasses
import math
import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats as oracle

from bench.report.reported import Accuracy, load
from bench.report.verdict import Ours, judge, judge_count

REPORTED = load(Path(__file__).parents[1] / "results" / "reported")
DAN_RAFDB = next(row for row in REPORTED.table("3") if row.method == "dan")
DAN_AFFECTNET8 = next(row for row in REPORTED.table("1") if row.method == "dan")


def ours(counts: list[int], **changes: object) -> Ours:
    """Results of DAN on RAF-DB under the paper's own conditions, one count a seed."""
    same = Ours(
        dataset="rafdb", budget="full", selection="best-test", weights="msceleb", correct=dict(enumerate(counts)),
        n=3068, n_expected=3068, backbone="resnet18",
    )  # fmt: skip
    return dataclasses.replace(same, **changes)  # type: ignore[arg-type]


def printed(figure: str, n: int, **changes: object) -> Accuracy:
    return dataclasses.replace(DAN_RAFDB, figure=figure, n_paper=(n,), n_evidence=n, **changes)  # type: ignore


def test_seeds_around_the_figure_are_consistent_with_it() -> None:
    found = judge(DAN_RAFDB, ours([2752, 2748, 2760, 2745, 2756]))
    assert found.word == "consistent"
    assert "holds 0; 5 seeds, n = 3068" in found.reason and found.reason.endswith("n = 3068")


@pytest.mark.parametrize(("shift", "word"), [(-120, "below"), (120, "above")])
def test_a_planted_gap_of_four_points_is_seen(shift: int, word: str) -> None:
    found = judge(DAN_RAFDB, ours([2752 + shift + jitter for jitter in (0, -4, 8, -7, 4)]))
    assert found.word == word and "excludes 0" in found.reason
    assert found.difference is not None and found.difference * shift > 0


def test_the_interval_is_that_of_the_rule_worked_by_hand() -> None:
    counts = [2700, 2710, 2695]
    found = judge(DAN_RAFDB, ours(counts))
    values = np.array(counts) / 3068
    figure = 0.8970
    own = oracle.binomtest(2752, 3068).proportion_ci(method="wilson")
    a = oracle.t.ppf(0.975, 2) * values.std(ddof=1) * math.sqrt(1 / 3 + 1)
    d = values.mean() - figure
    assert found.interval is not None and found.difference == pytest.approx(d)
    assert found.interval.low == pytest.approx(d - math.sqrt(a**2 + (own.high - figure) ** 2))
    assert found.interval.high == pytest.approx(d + math.sqrt(a**2 + (figure - own.low) ** 2))


def test_one_seed_decides_nothing() -> None:
    found = judge(DAN_RAFDB, ours([2600]))
    assert found.word == "undecidable" and "one seed" in found.reason and "-4.95 points" in found.reason
    assert found.interval is None


def test_seeds_that_vary_more_than_the_figure_leave_the_question_open() -> None:
    found = judge(DAN_RAFDB, ours([2650, 2760, 2850]))
    assert found.word == "undecidable" and "more seeds are needed" in found.reason


@pytest.mark.parametrize("nothing", [None, ours([])])
def test_without_a_finished_seed_there_is_no_verdict(nothing: Ours | None) -> None:
    assert judge(DAN_RAFDB, nothing).word == "undecidable"
    assert judge(DAN_RAFDB, nothing).reason == "no finished seed"


def test_a_figure_that_no_count_of_ours_prints_is_not_attainable() -> None:
    changes = {"dataset": "affectnet8", "n": 4000, "n_expected": 4000}
    found = judge(DAN_AFFECTNET8, ours([2480, 2490, 2485], **changes))
    assert found.word == "not attainable at this n"
    assert "62.09 % is no k/4000" in found.reason and "(but of 3999)" in found.reason and "points" in found.reason
    changes |= {"n": 3999, "n_expected": 3999}
    assert judge(DAN_AFFECTNET8, ours([2480, 2490, 2485], **changes)).word == "consistent"


def test_a_figure_that_fits_when_truncated_is_compared() -> None:
    center = next(row for row in REPORTED.table("5") if row.figure == "88.91")
    assert judge(center, ours([2728, 2730, 2726])).word == "consistent"


def test_a_mean_of_several_runs_need_not_be_a_count() -> None:
    assert (
        judge(printed("62.09", 4000, runs=10), ours([2480, 2484, 2488], n=4000, n_expected=4000)).word == "consistent"
    )


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"dataset": "rafdb-twin"}, "rafdb-twin is a rendered twin of rafdb"),
        ({"dataset": "facial_expressions"}, "facial_expressions is other data than rafdb"),
        ({"dataset": "sfew-twin"}, "other data than rafdb"),
        ({"budget": "quick"}, "the quick budget is a rehearsal"),
        ({"n": 3000}, "3000 of 3068 test images"),
    ],
)
def test_other_data_are_never_compared(changes: dict[str, object], says: str) -> None:
    found = judge(DAN_RAFDB, ours([2752, 2750, 2751], **changes))
    assert found.word == "not comparable" and says in found.reason
    assert found.difference is None and found.interval is None


def test_a_row_quoted_only_says_why() -> None:
    quoted = next(row for row in REPORTED.table("1") if row.label == "PhaNet")
    found = judge(quoted, None)
    assert (found.word, found.reason) == ("not comparable", "quoted only: needs pose labels")


def test_conditions_that_differ_are_named_in_the_reason() -> None:
    found = judge(DAN_RAFDB, ours([2600, 2605, 2595], weights="none", selection="last"))
    assert found.word == "below"
    assert "weights msceleb there, none here" in found.reason
    assert "selection best-test there, last here" in found.reason
    assert "backbone" not in found.reason


def test_of_several_stated_sizes_the_smallest_gives_the_widest_interval() -> None:
    row = next(row for row in REPORTED.table("4") if row.label == "Island Loss")
    changes = {"dataset": "sfew", "n_expected": 436, "n": 436, "backbone": None, "weights": "msceleb"}
    at_ours = judge(row, ours([229, 230, 228], **changes))
    assert at_ours.word == "consistent" and "n = 436" in at_ours.reason
    changes |= {"n": 4000, "n_expected": 4000}
    assert "n = 372" in judge(row, ours([2101, 2105, 2098], **changes)).reason


@pytest.mark.parametrize("row", REPORTED.accuracies, ids=lambda row: f"{row.table} {row.label} {row.figure}")
def test_every_reported_row_gets_a_word_and_one_line(row: Accuracy) -> None:
    n = row.sizes[0] if row.sizes else 3068
    k = round(float(row.figure) / 100 * n)
    found = judge(row, ours([k - 1, k, k + 1], dataset=row.dataset, n=n, n_expected=n))
    assert found.reason and "\n" not in found.reason
    expected = {"consistent", "not attainable at this n"} if row.retrained else {"not comparable"}
    assert found.word in expected


@pytest.mark.parametrize("seeds", [2, 3, 5, 8])
@pytest.mark.parametrize("noise", [0.0, 0.1, 0.4])
def test_a_figure_from_one_more_of_our_own_seeds_is_called_different_at_most_once_in_twenty(
    seeds: int, noise: float
) -> None:
    random, trials, n = np.random.default_rng(seeds), 500, 600
    alarms = 0
    for _ in range(trials):
        ease = random.normal(1.5, 1.5, n)  # the same images for all, some of them easy for everyone
        shift = random.normal(0, noise, (seeds + 1, 1))
        correct = (random.random((seeds + 1, n)) < 1 / (1 + np.exp(-(ease + shift)))).sum(axis=1)
        theirs, mine = int(correct[0]), [int(k) for k in correct[1:]]
        alarms += judge(printed(f"{100 * theirs / n:.2f}", n), ours(mine, n=n, n_expected=n)).word in ("above", "below")
    assert alarms <= oracle.binom.ppf(0.999, trials, 0.05)


def test_a_method_ten_points_worse_is_found_with_three_seeds() -> None:
    random, n = np.random.default_rng(0), 3068
    words = [
        judge(printed(f"{100 * random.binomial(n, 0.89) / n:.2f}", n), ours(random.binomial(n, 0.79, 3).tolist())).word
        for _ in range(50)
    ]
    assert words.count("below") >= 45 and "above" not in words


@pytest.mark.parametrize(
    ("figure", "count", "unit", "word", "says"),
    [
        ("19.72", 19_723_733, 10**6, "consistent", "19,723,733 prints as 19.72"),
        ("11.69", 11_180_103, 10**6, "below", "11,180,103 prints as 11.18, not 11.69"),
        ("2.23", 4_461_723_164, 10**9, "above", "prints as 4.46, not 2.23"),
    ],
)
def test_a_printed_count_is_judged_by_its_digits(figure: str, count: int, unit: int, word: str, says: str) -> None:
    found = judge_count(figure, count, unit)
    assert found.word == word and says in found.reason


def test_the_rule_at_the_head_of_the_file_names_every_word() -> None:
    from bench.report import verdict

    words = verdict.Word.__args__  # type: ignore[attr-defined]
    assert len(words) == 6 and all(re.search(f"`{word}`", verdict.__doc__ or "") for word in words)
