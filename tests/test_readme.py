"""Does the README say what is so?  Its commands run, its examples work, its table is the report's."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import write_photos

from bench import store
from bench.perf.report import page

TREE = Path(__file__).parent.parent
README = (TREE / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def run(line: str, cwd: Path, timeout: int = 300) -> subprocess.CompletedProcess[str]:
    program, *arguments = shlex.split(line, comments=True)
    assert program == "python"
    return subprocess.run([sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, timeout=timeout)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources in a folder of their own, to be changed as the README says."""
    folder = tmp_path_factory.mktemp("clone")
    for room in ("bench", "baselines", "dan"):
        shutil.copytree(TREE / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(TREE / "results" / "reported", folder / "results" / "reported")
    return folder


def insert(path: Path, before: str, line: str) -> None:
    """Put a line before the first place of a text."""
    text = path.read_text(encoding="utf-8")
    assert text.count(before) >= 1, f"{path.name} has no {before!r}"
    path.write_text(text.replace(before, f"{line}\n{before}", 1), encoding="utf-8")


def quoted(pattern: str) -> str:
    """The only piece of code in the README's prose that fits."""
    prose = re.sub(r"^```.*?^```$", "", README, flags=re.MULTILINE | re.DOTALL)
    (found,) = {text for text in re.findall(r"`([^`\n]+)`", prose) if re.fullmatch(pattern, text)}
    return found


@pytest.mark.parametrize("line", [line for block in blocks("sh runnable") for line in block.splitlines()])
def test_a_command_that_needs_no_training_succeeds(line: str):
    answer = run(line, TREE)
    assert answer.returncode == 0, answer.stdout[-2000:] + answer.stderr[-2000:]


def test_there_are_such_commands():
    assert len([line for block in blocks("sh runnable") for line in block.splitlines()]) >= 5


def test_every_command_of_the_table_answers_to_help():
    commands = set(re.findall(r"python -m (bench\.\w+)", README))
    assert len(commands) >= 10
    for command in sorted(commands):
        answer = run(f"python -m {command} --help", TREE)
        assert answer.returncode == 0, f"{command}: {answer.stderr[-500:]}"


def test_each_table_is_that_of_the_page_that_it_names():
    marked = r"^<!-- table: (\S+?)(?:, \w+)? -->\n(.*?)<!-- end of table -->$"
    shown = re.findall(marked, README, re.MULTILINE | re.DOTALL)
    assert len(shown) == README.count("<!-- table: ") == 2
    for page_of_it, lines in shown:
        assert lines.strip()
        assert lines.strip() in (TREE / page_of_it).read_text(encoding="utf-8")


def ratio_of(rows: list[dict[str, Any]], name: str) -> float:
    return next(row["ratio"]["median"] for row in rows if row["name"] == name)


def test_what_it_says_of_accuracy_on_the_h200_is_what_was_recorded_there():
    kind = re.compile(r"rafdb-twin/\w+/default/paper-full-rendered-fast/")
    found = [record for name, record in store.scan(TREE / "results" / "h200" / "full") if kind.match(name)]
    last = [record.scores["last"] for record in found]
    assert {f"(n = {score.n:,}, last epoch, `fast`, rendered weights)" in README for score in last} == {True}
    lost = sum(score.correct == max(score.class_correct) == max(score.class_n) for score in last)
    assert f"{lost} of these {len(found)} trainings under the paper's recipe" in README
    pairs = json.loads((TREE / "results" / "perf" / "h200-accuracy-quick.json").read_text(encoding="utf-8"))["rows"]
    dan, resnet18 = (f"{100 * row['mean']:.2f} ± {100 * row['half_width']:.2f}" for row in pairs)
    assert f"is {dan} points for DAN and {resnet18} for ResNet-18" in README
    ((n, seeds),) = {(row["n"], len(row["seeds"])) for row in pairs}
    assert f"n = {n}, {seeds} seeds each" in README
    dan, resnet18 = (
        f"{statistics.median(one.provenance['seconds'] for one in found if one.cell['method'] == method):.0f} s"
        for method in ("dan", "resnet18")
    )
    assert f"took {dan} (DAN) and {resnet18} (ResNet-18)" in README


def test_what_it_says_of_speed_on_the_h200_is_what_was_recorded_there():
    rows = json.loads((TREE / "results" / "perf" / "h200-ratios.json").read_text(encoding="utf-8"))["rows"]
    rates = {row["name"]: round(row["ours"]["median"], -2) for row in rows}
    assert f"{rates['A']:,.0f} images/s in `fast` and {rates['A faithful']:,.0f} in `faithful`" in README
    assert f"which makes a step {ratio_of(rows, 'compiled'):.2f} times as fast" in README
    scale = (TREE / "docs" / "scale.md").read_text(encoding="utf-8")
    assert f"at {rates['A']:,.0f} images a second in `fast` (bf16) and at {rates['A faithful']:,.0f}" in scale
    hours = re.findall(r"^\| [^|]+ \| ([\d,]+) \| [^|]+ \| (\d+ \w+) \| (\d+ \w+) \|", README, flags=re.MULTILINE)
    exact = {row["name"]: row["ours"]["median"] for row in rows if "ours" in row}
    assert len(hours) == 4
    for images, *shown_times in hours:
        seconds = [40 * int(images.replace(",", "")) / exact[name] for name in ("A", "A faithful")]
        assert shown_times == [f"{each:.0f} s" if each < 50 else f"{each / 60:.0f} min" for each in seconds]


def test_the_page_of_performance_is_made_of_the_files_beside_it():
    folder = TREE / "results" / "perf"
    assert page(folder) == (folder / "README.md").read_text(encoding="utf-8")


def test_every_file_that_it_links_to_is_there():
    missing = [
        name
        for name in re.findall(r"\]\(([^)#]+)\)", README)
        if not name.startswith("http") and not (TREE / name).exists()
    ]
    assert not missing


def test_a_method_that_is_added_as_it_says_appears_in_the_table(clone: Path, tmp_path: Path):
    method, _ = blocks("python")
    (clone / "baselines" / "my_method.py").write_text(method, encoding="utf-8")
    insert(clone / "baselines" / "registry.py", '    "resnet18": Entry(', f"    {quoted(r'.*Entry.*')}")
    suite = clone / "bench" / "suites" / "smoke.toml"
    insert(suite, '    { method = "dan" }', f"    {quoted(r'. method = .my_method. .,')}")
    photos = write_photos(tmp_path / "photos")
    what = f"--suite smoke --only '*/my_method/*' --budget quick --jobs 1 --data {photos} --runs {tmp_path / 'runs'}"
    answer = run(f"python -m bench.run {what}", clone)
    assert answer.returncode == 0, answer.stderr[-2000:]
    page = (clone / "results" / "tables" / "smoke" / "comparison-facial_expressions.md").read_text(encoding="utf-8")
    assert re.search(r"\| My method +\| re-trained", page)


def test_a_dataset_that_is_added_as_it_says_is_verified_and_planned(clone: Path, tmp_path: Path):
    _, reader = blocks("python")
    (clone / "bench" / "data" / "readers" / "my_faces.py").write_text(reader, encoding="utf-8")
    insert(
        clone / "bench" / "data" / "catalog.py",
        '        DatasetInfo(\n            "facial_expressions",',
        f"        {quoted(r'DatasetInfo.*')}",
    )
    layouts = clone / "bench" / "data" / "layouts.py"
    insert(layouts, '    "rafdb": rafdb.LAYOUTS', f"    {quoted(r'.my_faces.: my_faces.LAYOUTS,')}")
    text = layouts.read_text(encoding="utf-8").replace(
        "facial_expressions, rafdb", "facial_expressions, my_faces, rafdb", 1
    )
    layouts.write_text(text, encoding="utf-8")
    insert(clone / "bench" / "suites" / "recipes.toml", "[full.facial_expressions]", quoted(r"\[full.my_faces\]"))
    suite = clone / "bench" / "suites" / "smoke.toml"
    text = suite.read_text(encoding="utf-8")
    suite.write_text(re.sub(r"datasets = \[", 'datasets = ["my_faces", ', text), encoding="utf-8")
    faces = tmp_path / "faces" / "my_faces"
    written = list(_class_folders(faces, write_photos(tmp_path / "photos")))
    answer = run(f"python -m bench.data verify my_faces --root {faces}", clone)
    assert answer.returncode == 0, answer.stdout[-2000:] + answer.stderr[-2000:]
    assert f"{len(written) // 2}" in answer.stdout
    planned = run(f"python -m bench.run --suite smoke --plan --budget quick --data {tmp_path / 'faces'}", clone)
    assert planned.returncode == 0, planned.stderr[-2000:]
    assert "my_faces/dan/" in planned.stdout


def _class_folders(root: Path, photos: Path):
    """Two images of every class in each split, out of a tree of photos."""
    images = sorted((photos / "facial_expressions" / "images").iterdir())
    names = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger")
    for number, image in enumerate(images[:28]):
        target = root / ("train", "test")[number % 2] / names[number // 2 % 7] / f"{number}{image.suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(image, target)
        yield target
