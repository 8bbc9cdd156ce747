"""Does a campaign do the important things first, stop in time, and go on where it was?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import campaign
from bench.campaign import Step, main, steps
from bench.suite_file import load_suite

TREE = Path(__file__).parent.parent


def everything(budget="full", device="cuda", place=Path()):
    return steps(device, budget, place / "results", place / "runs", False)


def test_speed_comes_first_then_the_main_rows_then_the_ablations():
    names = [step.name for step in everything()]
    assert names[:3] == ["ratios", "scaling", "paper rafdb-twin/dan/default/* seeds 0 faithful"]
    assert names.index("paper rafdb-twin/center_loss/default/* seeds 1-2 faithful") < names.index("accuracy")
    assert names.index("accuracy") < names.index("paper rafdb-twin/dan/* seeds 0-2 faithful")
    assert len(set(names)) == len(names)


def test_every_step_is_a_command_that_its_module_understands():
    from bench.perf.__main__ import _parser as perf_parser
    from bench.run import _parser as run_parser

    for step in everything():
        parser = {"bench.run": run_parser, "bench.perf": perf_parser}[step.module]()
        options = parser.parse_args(step.arguments)
        if step.module == "bench.run":
            assert load_suite(options.suite)


@pytest.mark.parametrize("budget", ["full", "quick"])
def test_every_step_has_cells_to_train_under_the_budget(budget, tmp_path, capsys):
    from bench.run import main as run

    for step in everything(budget, "cpu", tmp_path):
        if step.module == "bench.run":
            assert run([*step.arguments, "--plan"]) == 0, step.name  # 2 where no cell fits
            assert "no record" in capsys.readouterr().out


@pytest.fixture
def played(monkeypatch, tmp_path):
    """A campaign whose steps note their names, with the exit codes and sleeps that a test asks for."""
    log = tmp_path / "log"
    script = """
import sys, time
name, code, rest = sys.argv[1:]
time.sleep(float(rest))
with open({!r}, "a") as file:
    file.write(name + " ")
sys.exit(int(code))
"""
    (tmp_path / "play.py").write_text(script.format(str(log)))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(campaign, "git", lambda *_: "commit")

    def play(plan, minutes="10"):
        wanted = tuple(Step(name, "play", (name, str(code), str(rest))) for name, code, rest in plan)
        monkeypatch.setattr(campaign, "steps", lambda *_: wanted)
        arguments = ("--device", "cuda", "--minutes", minutes, "--results", str(tmp_path / "results"))
        code = main([*arguments, "--runs", str(tmp_path / "runs")])
        return code, log.read_text().split() if log.exists() else []

    return play


def test_finished_steps_are_not_begun_again_and_failed_ones_stop_no_other(played):
    assert played([("one", 0, 0), ("two", 1, 0), ("three", 0, 0)]) == (1, ["one", "two", "three"])
    assert played([("one", 0, 0), ("two", 1, 0), ("three", 0, 0), ("four", 0, 0)]) == (
        0,
        ["one", "two", "three", "four"],
    )


def test_a_step_that_takes_too_long_is_interrupted_and_comes_first_the_next_time(played, monkeypatch, capsys):
    monkeypatch.setattr(campaign, "GRACE_SECONDS", 10.0)
    code, log = played([("short", 0, 0), ("long", 0, 60), ("last", 0, 0)], minutes="0.22")  # 13 s, of which 10 grace
    assert code == 130
    assert log == ["short"]
    assert "the same command goes on" in capsys.readouterr().err
    assert played([("short", 0, 0), ("long", 0, 0), ("last", 0, 0)]) == (0, ["short", "long", "last"])


def test_a_step_is_interrupted_even_where_the_campaign_ignores_ctrl_c(tmp_path):
    (tmp_path / "patient.py").write_text(
        "import pathlib, time\ntry:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    pathlib.Path('told').touch()\n"
    )
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"  # as in a shell's background
        "from bench.campaign import Step, _within\n"
        "assert _within(Step('patient', 'patient', ()), 3.0) == 130\n"
    )
    paths = os.pathsep.join((str(TREE), str(tmp_path)))
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, env=os.environ | {"PYTHONPATH": paths})
    assert (tmp_path / "told").exists()


def test_another_commit_begins_anew(played, monkeypatch):
    played([("one", 0, 0)])
    monkeypatch.setattr(campaign, "git", lambda *_: "another")
    assert played([("one", 0, 0)]) == (0, ["one", "one"])


def test_a_full_campaign_on_a_cpu_is_refused_in_one_line(capsys, tmp_path):
    assert main(["--device", "cpu", "--runs", str(tmp_path)]) == 2
    assert "give --budget quick" in capsys.readouterr().err


def test_it_runs_where_mlflow_and_optuna_are_absent(tmp_path):
    for name in ("mlflow", "optuna"):
        (tmp_path / f"{name}.py").write_text(f"raise ImportError('no {name} here')")
    places = ["--results", str(tmp_path / "results"), "--runs", str(tmp_path / "runs")]
    command = [sys.executable, "-m", "bench.campaign", "--device", "cpu", "--budget", "quick", "--quick-perf"]
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, "--steps", "1", *places], cwd=TREE, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "results" / "perf" / "cpu-ratios.json").read_text())
    assert document["about"]["quick"] and all(gate["held"] for gate in document["gates"])
