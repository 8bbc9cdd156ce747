"""Does a study survive kills with the same proposals and the same best, and do only what is missing?"""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from toy_study import EPOCHS, TRIALS, Bowl, run_until_killed, task

from bench.errors import UserError
from bench.study import text as study_text
from bench.study.owner import run
from bench.study.text import Study


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The uninterrupted study."""
    return run(task(tmp_path_factory.mktemp("whole")), Bowl()).study


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


def test_a_study_reads_back_from_its_text_and_an_edited_one_is_refused(tmp_path: Path, whole: Study) -> None:
    study_text.save(tmp_path, whole)
    assert study_text.load(tmp_path, "toy") == whole
    path = study_text.study_path(tmp_path, "toy")
    content = json.loads(path.read_text())
    content["trials"][0]["value"] = 0.99
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match="was edited or is damaged"):
        study_text.load(tmp_path, "toy")
