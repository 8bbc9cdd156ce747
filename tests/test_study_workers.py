"""Do workers side by side finish a study, though one of them dies?"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from toy_study import Bowl, task

from bench.study.owner import run


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
