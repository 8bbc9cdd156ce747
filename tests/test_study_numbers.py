"""Do expected best, errors, sensitivity, surface and importance agree with brute force and simulation?"""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toy_study import TRIALS, Bowl, task

from bench.record import Score
from bench.study.importance import importances
from bench.study.numbers import best_so_far, expected_best, sensitivity, standard_error, surface, variance_of_training
from bench.study.owner import run
from bench.study.text import FinishedTrial, Study


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The uninterrupted study."""
    return run(task(tmp_path_factory.mktemp("whole")), Bowl()).study


def test_expected_best_is_the_mean_over_all_draws() -> None:
    values = [0.3, 0.9, 0.5, 0.5, 0.7, 0.1]
    for size, found in enumerate(expected_best(values), 1):
        draws = [max(draw) for draw in itertools.combinations(values, size)]
        assert found == pytest.approx(sum(draws) / len(draws))


def test_the_best_so_far_ignores_pruned_trials() -> None:
    states = [("pruned", 0.9), ("complete", 0.4), ("complete", 0.6), ("pruned", 0.7), ("complete", 0.5)]
    trials = tuple(FinishedTrial(state, {}, value) for state, value in states)  # type: ignore[arg-type]
    study = Study("x", task(Path()).identity, trials)
    assert best_so_far(study) == (None, 0.4, 0.6, 0.6, 0.6)


def test_the_standard_error_of_balanced_accuracy_is_that_of_a_simulation() -> None:
    random = np.random.default_rng(0)
    sizes, recall = np.array([40, 15, 120]), np.array([0.5, 0.8, 0.9])
    scores = Score(1, 0, 175, (20, 12, 108), (40, 15, 120))
    draws = (random.binomial(sizes, recall, size=(200_000, 3)) / sizes).mean(axis=1)
    # Near the simulation's, a little above where recalls are high (p = (k + 1) / (n + 2)).
    assert draws.std() <= standard_error([scores], "balanced-accuracy") < 1.1 * draws.std()
    sixty = Score(1, 60, 100, (60,), (100,))
    assert standard_error([sixty], "accuracy") == pytest.approx(math.sqrt(0.6 * 0.4 / 100), rel=0.01)
    images, both = standard_error([sixty] * 4, "accuracy"), standard_error([sixty] * 4, "accuracy", 0.01)
    assert images == standard_error([sixty], "accuracy")  # the same images again
    assert both == pytest.approx(math.sqrt(images**2 + 0.01 / 4))
    assert standard_error([Score(1, 10, 10, (10,), (10,))], "accuracy") > 0.05  # ten of ten is not certainty


def test_the_chance_of_training_is_the_spread_between_seeds_within_trials() -> None:
    def trial(*correct: int) -> FinishedTrial:
        return FinishedTrial("complete", {}, 0.5, (), tuple(Score(1, k, 100, (k,), (100,)) for k in correct))

    one, two = trial(50, 60), trial(10, 14)
    study = Study("x", task(Path()).identity, (one, two))
    assert variance_of_training(study) == pytest.approx((0.1**2 / 2 + 0.04**2 / 2) / 2)
    assert variance_of_training(replace(study, trials=(trial(50), trial(90)))) is None


def test_trials_far_below_the_published_point_are_told_from_it_and_near_ones_are_not() -> None:
    def trial(correct: int) -> FinishedTrial:
        params = {"loss.lambda1": correct / 800, "loss.lambda2": 1.0}  # the published point has 800
        value, scores = correct / 1000, (Score(1, correct, 1000, (correct,), (1000,)),)
        return FinishedTrial("complete", params, value, ((1, value),), scores)

    stopped = FinishedTrial("pruned", {}, 0.5, ((1, 0.5),))
    study = Study("x", task(Path()).identity, (trial(800), trial(801), trial(700), trial(790), trial(900), stopped))
    found = sensitivity(study)
    assert found is not None
    assert (found.same, [each.value for each in found.below], [each.value for each in found.above]) == (2, [0.7], [0.9])
    assert (found.stopped, found.behind, found.spread) == (1, (stopped,), pytest.approx(0.2))


def test_every_trial_falls_in_one_cell_of_the_surface(whole: Study) -> None:
    edges = (0.001, 0.01, 0.1, 1.0, 10.0)
    cells = surface(whole, ("loss.lambda1", "loss.lambda2"), (edges, edges))
    assert len(cells) == 16 and sum(cell.complete + cell.pruned for cell in cells) == TRIALS
    corner = cells[3 * 4 + 3]
    inside = [
        trial.value for trial in whole.complete
        if 1 <= trial.params["loss.lambda1"] <= 10 and 1 <= trial.params["loss.lambda2"] <= 10  # type: ignore[operator]
    ]  # fmt: skip
    assert corner.mean == pytest.approx(np.mean(inside)) and corner.complete == len(inside)


def test_fanova_finds_the_parameter_that_makes_the_value() -> None:
    random = np.random.default_rng(1)
    points = 10 ** random.uniform(-3, 1, size=(40, 2))
    trials = tuple(
        FinishedTrial("complete", {"loss.lambda1": float(a), "loss.lambda2": float(b)}, 0.5 + 0.1 * math.log10(a))
        for a, b in points
    )
    first, second = importances(Study("x", task(Path()).identity, trials))
    assert (first.name, second.name) == ("loss.lambda1", "loss.lambda2")
    assert first.fanova > 0.9 and first.fanova + second.fanova == pytest.approx(1)
    assert first.ped_anova + second.ped_anova == pytest.approx(1)
