"""Does a study refuse what differs, is in use, or is no database, in one clear line?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from toy_study import Bowl, task

from bench.errors import UserError
from bench.study import text as study_text
from bench.study.owner import run


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
