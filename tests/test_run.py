"""Does the command do what it says, twice, and answer mistakes with one line?"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import write_photos

from bench.errors import UserError
from bench.run import parse_seeds

TREE = Path(__file__).parent.parent
HEAVY = ("torch", "torchvision", "timm", "mlflow", "optuna")


def command(*arguments, cwd=None, **environment):
    settings = {key: value for key, value in os.environ.items() if key != "DAN_BENCH_DATA"}
    settings |= {"PYTHONPATH": str(TREE), "OMP_NUM_THREADS": "1", **environment}
    return subprocess.run(
        [sys.executable, "-m", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd or TREE,
        env=settings,
        timeout=600,
    )


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return write_photos(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    folder = tmp_path_factory.mktemp("places")
    return ("--results", folder / "results", "--runs", folder / "runs")


@pytest.fixture(scope="module")
def first_run(photos, places):
    return command("bench.run", "--suite", "smoke", "--data", photos, "--budget", "quick", "--jobs", "2", *places)


def test_a_suite_trains_records_tracks_and_renders(first_run, places):
    assert first_run.returncode == 0, first_run.stderr
    results = places[1]
    names = {path.relative_to(results / "records").parts[1] for path in (results / "records").rglob("s0.json")}
    assert names == {"resnet18", "dan"}
    page = (results / "tables" / "smoke" / "comparison-facial_expressions.md").read_text()
    assert "Rehearsal" in page
    assert str(results / "tables" / "smoke" / "comparison-facial_expressions.md") in first_run.stdout


def test_the_same_command_again_trains_nothing_and_rewrites_the_same_bytes(first_run, photos, places):
    before = files(places[1])
    again = command("bench.run", "--suite", "smoke", "--data", photos, "--budget", "quick", *places)
    assert again.returncode == 0, again.stderr
    assert "2 done" in again.stderr
    assert "[1/" not in again.stderr
    assert files(places[1]) == before


def test_the_tables_check_themselves(first_run, places):
    assert command("bench.tables", "--check", *places[:2]).returncode == 0
    page = next((places[1] / "tables" / "smoke").glob("*.md"))
    page.write_bytes(page.read_bytes() + b" ")
    refused = command("bench.tables", "--check", *places[:2])
    assert refused.returncode == 1
    assert page.name in refused.stdout + refused.stderr
    assert command("bench.tables", *places[:2]).returncode == 0
    assert command("bench.tables", "--check", *places[:2]).returncode == 0


def test_no_file_name_of_a_person_reaches_the_results(first_run, places):
    for name, content in files(places[1]).items():
        assert b"Person_" not in content, name


@pytest.mark.parametrize(
    "arguments",
    [
        ("bench.run", "--help"),
        ("bench.run", "--suite", "paper", "--plan"),
        ("bench.tables", "--help"),
        ("bench.evaluate", "--help"),
        ("bench.data", "--help"),
        ("bench.audit", "--help"),
        ("bench.track", "--help"),
    ],
)
def test_help_and_plans_import_nothing_heavy(arguments, tmp_path):
    probe = (
        "import runpy, sys\n"
        f"sys.argv = {[*arguments]!r}\n"
        "try:\n"
        f"    runpy.run_module({arguments[0]!r}, run_name='__main__')\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        f"loaded = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "assert not loaded, loaded\n"
    )
    environment = os.environ | {"PYTHONPATH": str(TREE)}
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert not any(tmp_path.iterdir()), "something was written"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--suite", "papr"), "unknown suite 'papr' (nearest: paper"),
        (("--suite", "smoke", "--root", "rafbd=x"), "unknown dataset 'rafbd' (nearest: rafdb"),
        (("--suite", "smoke", "--root", "rafdb=/nowhere"), "/nowhere"),
        (("--suite", "smoke", "--device", "gpu"), "unknown device 'gpu'"),
        (("--suite", "smoke", "--device", "cuda"), "device 'cuda' is not available"),
        (("--suite", "smoke", "--data", "/nowhere"), "--data /nowhere is not a folder"),
        (("--suite", "smoke", "--only", "rafdb/den/*"), "fits no cell"),
        (("--suite", "smoke", "--seeds", "3-1"), "--seeds 3-1"),
        (("--suite", "smoke", "--jobs", "0"), "--jobs 0: at least one"),
        (("--suite", "smoke", "--data", "."), "no dataset below . (looked for rafdb: "),
        (("--suite", "smoke", "--pretrained", "msceleb"), "--pretrained msceleb"),
        (("--suite", "smoke", "--pretrained", "vggface"), "unknown weights 'vggface'"),
        (("--suite", "smoke", "--results", "/proc/nothing"), "/proc/nothing cannot be written"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments, said, tmp_path):
    answer = command("bench.run", *arguments, cwd=tmp_path, CUDA_VISIBLE_DEVICES="")
    assert answer.returncode == 2, answer.stderr
    errors = [line for line in answer.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert said in errors[0]
    assert "Traceback" not in answer.stderr
    assert not list(tmp_path.rglob("records"))


@pytest.mark.parametrize(("text", "seeds"), [("0-2", (0, 1, 2)), ("5", (5,)), ("0,3-4,3", (0, 3, 4))])
def test_seeds_are_written_as_numbers_and_ranges(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "1-", "-1", "2-1", "1,,2"])
def test_other_seeds_are_refused(text):
    with pytest.raises(UserError, match="--seeds"):
        parse_seeds(text)


def test_a_backbone_file_that_is_a_web_page_is_refused_before_anything_is_written(photos, tmp_path):
    page = tmp_path / "resnet18_msceleb.pth"
    page.write_text("<!DOCTYPE html><html>not found</html>")
    places = ("--results", tmp_path / "results", "--runs", tmp_path / "runs")
    answer = command(
        "bench.run",
        "--suite",
        "smoke",
        "--data",
        photos,
        "--budget",
        "quick",
        "--jobs",
        "1",
        "--pretrained",
        f"msceleb={page}",
        *places,
    )
    assert answer.returncode == 2, answer.stderr
    assert "Traceback" not in answer.stderr
    assert "resnet18_msceleb.pth" in answer.stderr
    assert not list(tmp_path.glob("r*s"))
