"""Does a study survive kills with the same proposals and the same best, and refuse to mix what differs?"""

from __future__ import annotations

import itertools
import json
import math
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import optuna
import pytest

from bench.errors import CellError, UserError
from bench.record import Score
from bench.study import text as study_text
from bench.study.importance import importances
from bench.study.numbers import best_so_far, expected_best, sensitivity, standard_error, surface, variance_of_training
from bench.study.owner import Task, run
from bench.study.space import published, space_of
from bench.study.text import FinishedTrial, Identity, Study
from bench.study.workers import Tell
from bench.switches import Scalar

EPOCHS, TRIALS = 4, 14


@dataclass(frozen=True)
class Bowl:
    """A stub objective: a bowl in (log lambda1, log lambda2) that rises with the epochs.

    It kills its own process at the `deadly` reports, counted over all processes in `counter`.
    """

    counter: Path | None = None
    deadly: tuple[int, ...] = ()
    diverges_above: float = math.inf

    def __call__(self, params: Mapping[str, Scalar], tell: Tell) -> tuple[Score, ...]:
        x, y = (math.log10(float(params[name] or 0)) for name in ("loss.lambda1", "loss.lambda2"))
        if x > self.diverges_above:
            raise CellError("the loss is nan in epoch 1, step 1")
        right = 0
        for epoch in range(1, EPOCHS + 1):
            self.live_or_die()
            right = int(1000 * (0.8 - 0.05 * (x - 0.5) ** 2 - 0.02 * y * y) * (1 - 0.5**epoch))
            tell(epoch, right / 1000)
        return (Score(EPOCHS, right, 1000, (right // 2, right - right // 2), (500, 500)),)

    def live_or_die(self) -> None:
        if self.counter is None:
            return
        count = int(self.counter.read_text()) + 1 if self.counter.exists() else 1
        self.counter.write_text(str(count))
        if count in self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)


def task(folder: Path, trials: int = TRIALS, **changes: object) -> Task:
    space = space_of("dan")
    identity = Identity(
        dataset="rafdb-twin", method="dan", budget="quick", objective="accuracy", seed=0, tuning_seeds=(1000,),
        space={each.name: each.domain for each in space}, published=published(space), sampler="tpe", pruner="median",
        recipe={"epochs": EPOCHS, "numeric": "faithful"}, data="d" * 64, weights="none", weights_sha256=None,
        device="cpu", optuna=optuna.__version__, sources={"bench/cell.py": "a" * 64},
    )  # fmt: skip
    named = {key: value for key, value in changes.items() if hasattr(identity, key)}
    rest = {key: value for key, value in changes.items() if key not in named}
    identity = replace(identity, **named)  # type: ignore[arg-type]
    return Task("toy", identity, space, trials, folder / "runs", folder / "results", **rest)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The uninterrupted study."""
    return run(task(tmp_path_factory.mktemp("whole")), Bowl()).study


def run_until_killed(folder: Path, objective: Bowl, url: str | None) -> int:
    """Run the study in another process; its exit code, -9 where it was killed."""
    process = get_context("fork").Process(target=run, args=(task(folder, url=url), objective))
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


@pytest.mark.parametrize("storage", ["journal", "sqlite"])
def test_a_study_killed_four_times_equals_the_uninterrupted_one(storage: str, tmp_path: Path, whole: Study) -> None:
    url = f"sqlite:///{tmp_path}/study.db" if storage == "sqlite" else None
    objective = Bowl(tmp_path / "count", deadly=(1, 11, 12, 30))
    codes = [run_until_killed(tmp_path, objective, url) for _ in range(5)]
    assert codes == [-signal.SIGKILL] * 4 + [0]
    found = study_text.load(tmp_path / "results", "toy")
    assert found is not None and found.interrupted == 4
    assert [trial.params for trial in found.trials] == [trial.params for trial in whole.trials]
    assert found.best == replace(whole.best, seconds=found.best.seconds)  # type: ignore[union-attr, type-var]
    assert found.digest == whole.digest


def test_trial_0_is_the_published_point_and_some_trials_are_pruned(whole: Study) -> None:
    assert whole.trials[0].params == {"loss.lambda1": 1.0, "loss.lambda2": 1.0}
    assert len(whole.trials) == TRIALS
    assert {trial.state for trial in whole.trials} == {"complete", "pruned"}
    assert all(len(trial.steps) < EPOCHS for trial in whole.trials if trial.state == "pruned")


def test_running_again_does_only_what_is_missing(tmp_path: Path, whole: Study) -> None:
    run(task(tmp_path, trials=6), Bowl())
    calls = tmp_path / "count"
    grown = run(task(tmp_path), Bowl(calls)).study
    assert grown.digest == whole.digest
    assert int(calls.read_text()) == sum(len(trial.steps) for trial in whole.trials[6:])
    calls.unlink()
    assert run(task(tmp_path), Bowl(calls)).study.digest == whole.digest and not calls.exists()


def test_a_deleted_journal_is_rebuilt_from_the_text(tmp_path: Path, whole: Study) -> None:
    run(task(tmp_path, trials=9), Bowl())
    (tmp_path / "runs" / "toy.log").unlink()
    assert run(task(tmp_path), Bowl()).study.digest == whole.digest


def test_a_journal_that_a_kill_tore_goes_on_and_a_damaged_one_is_one_line(tmp_path: Path, whole: Study) -> None:
    run(task(tmp_path, trials=5), Bowl())
    journal = tmp_path / "runs" / "toy.log"
    with journal.open("ab") as file:
        file.write(b'{"op_code":4,"worker_id"')
    (tmp_path / "runs" / "toy.log.lock").touch()  # a killed process cannot take its lock away
    assert run(task(tmp_path), Bowl()).study.digest == whole.digest
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:3], b"garbage\n", *lines[4:]]))
    with pytest.raises(UserError, match=r"line 4 is no journal entry.*delete it: the study is rebuilt") as caught:
        run(task(tmp_path), Bowl())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 1}, "seed: 0, now 1"),
        ({"objective": "balanced-accuracy"}, "objective: accuracy, now balanced-accuracy"),
        ({"budget": "full"}, "budget: quick, now full"),
        ({"data": "e" * 64}, "data: dddddddddddd, now eeeeeeeeeeee"),
        ({"optuna": "5.9.9"}, "now 5.9.9"),
        ({"tuning_seeds": (1000, 1001)}, "tuning seeds: 1000, now 1000,1001"),
        ({"space": {"loss.lambda1": "0.1..10:log"}}, "space loss.lambda1: 0.001..10:log, now 0.1..10:log"),
        ({"space": {"loss.lambda1": "0.001..10:log"}}, "space loss.lambda2: 0.001..10:log, now none"),
        ({"sources": {"bench/cell.py": "b" * 64}}, "bench/cell.py changed"),
    ],
)
@pytest.mark.parametrize("text_is_there", [True, False])
def test_a_study_begun_differently_is_refused_with_the_difference(
    change: dict[str, object], message: str, text_is_there: bool, tmp_path: Path
) -> None:
    run(task(tmp_path, trials=1), Bowl())
    if not text_is_there:
        study_text.study_path(tmp_path / "results", "toy").unlink()
    with pytest.raises(UserError, match="was begun differently") as caught:
        run(task(tmp_path, trials=2, **change), Bowl())
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_study_that_another_process_runs_is_refused_in_one_line(tmp_path: Path) -> None:
    from filelock import FileLock

    (tmp_path / "runs").mkdir()
    with FileLock(tmp_path / "runs" / "toy.lock"), pytest.raises(UserError, match="is being run by another process"):
        # The lock is the process's own here; a second handle is refused all the same.
        run(task(tmp_path, trials=1), Bowl())


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite:////nowhere/at/all.db", "unable to open database file"),
        ("postgresql+psycopg2://me:secret@127.0.0.1:1/x", "me:\\*\\*\\*@127.0.0.1"),
        ("nonsense", "cannot be used"),
    ],
)
def test_a_database_that_cannot_be_used_is_one_line_without_its_password(
    url: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        run(task(tmp_path, trials=1, url=url), Bowl())
    assert "\n" not in str(caught.value) and "secret" not in str(caught.value)


def test_a_file_that_is_no_database_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"not a database at all, but long enough to be looked at as one" * 40)
    with pytest.raises(UserError, match="file is not a database"):
        run(task(tmp_path, trials=1, url=f"sqlite:///{tmp_path}/x.db"), Bowl())


def test_a_trial_whose_training_diverges_counts_and_the_study_goes_on(tmp_path: Path) -> None:
    study = run(task(tmp_path), Bowl(diverges_above=0.2)).study
    lost = [trial for trial in study.trials if trial.state == "diverged"]
    assert len(study.trials) == TRIALS and lost
    assert all("the loss is nan" in trial.reason and trial.params["loss.lambda1"] > 10**0.2 for trial in lost)  # type: ignore[operator]


def test_a_published_point_that_diverges_ends_the_study(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the published point itself fails: the loss is nan"):
        run(task(tmp_path), Bowl(diverges_above=-0.1))


def test_an_interrupted_study_keeps_what_is_finished_and_goes_on_to_the_same_end(tmp_path: Path, whole: Study) -> None:
    class Impatient(Bowl):
        def live_or_die(self) -> None:
            if len(study_text.load(tmp_path / "results", "toy").trials) == 3:  # type: ignore[union-attr]
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(task(tmp_path), Impatient())
    kept = study_text.load(tmp_path / "results", "toy")
    assert kept is not None and len(kept.trials) == 3
    assert run(task(tmp_path), Bowl()).study.digest == whole.digest


def test_workers_side_by_side_finish_the_study_and_say_that_its_order_is_not_repeatable(tmp_path: Path) -> None:
    study = run(task(tmp_path, trials=6, workers=2), Bowl()).study
    assert len(study.trials) == 6 and not study.order_repeatable
    assert len({tuple(trial.params.values()) for trial in study.trials}) == 6
    assert study.trials[0].params == {"loss.lambda1": 1.0, "loss.lambda2": 1.0}
    assert not run(task(tmp_path, trials=7), Bowl()).study.order_repeatable


@dataclass(frozen=True)
class MortalOnce(Bowl):
    """Kills the first process that trains it, and no other."""

    flag: Path = Path()

    def live_or_die(self) -> None:
        try:
            self.flag.touch(exist_ok=False)
        except FileExistsError:
            return
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_is_killed_costs_its_trial_and_not_the_study(tmp_path: Path) -> None:
    study = run(task(tmp_path, trials=4, workers=2), MortalOnce(flag=tmp_path / "died")).study
    assert (len(study.trials), study.interrupted) == (4, 1)
    assert study.trials[0] == study.published and study.published.state == "complete"


def test_trials_of_another_machine_are_left_alone_until_they_are_taken_over(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/study.db"
    first = task(tmp_path / "a", trials=3, url=url)
    run(first, Bowl())
    stored = optuna.load_study(study_name="toy", storage=url)
    theirs = stored.ask()
    theirs.set_user_attr("owner", "another machine")
    second = replace(first, trials=4, folder=tmp_path / "b" / "runs")
    waiting = run(second, Bowl())
    assert (len(waiting.study.trials), waiting.elsewhere) == (3, 1)
    done = run(replace(second, take_over=True), Bowl())
    assert (len(done.study.trials), done.elsewhere, done.study.order_repeatable) == (4, 0, False)


def test_a_study_reads_back_from_its_text_and_an_edited_one_is_refused(tmp_path: Path, whole: Study) -> None:
    study_text.save(tmp_path, whole)
    assert study_text.load(tmp_path, "toy") == whole
    path = study_text.study_path(tmp_path, "toy")
    content = json.loads(path.read_text())
    content["trials"][0]["value"] = 0.99
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match="was edited or is damaged"):
        study_text.load(tmp_path, "toy")


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
