"""Do pages give the same bytes every time, and does the command find what differs?

Golden pages lie in tests/golden.  Where a page is meant to change: `UPDATE_GOLDEN=1 pytest tests/test_tables.py`, then
read the difference.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import fake_results
import pytest
from rendered import fill_full, fill_twin, page, prepare, suite

from bench import tables
from bench.errors import UserError
from bench.report import pages

GOLDEN = Path(__file__).parent / "golden"
ROOT = Path(__file__).parent.parent


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return prepare(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "comparison-rafdb-twin",
        "comparison-rafdb",
        "ablation-facial_expressions",
        "cost",
        "README",
        "front",
        "verdicts",
        "predictions-rafdb",
    ],
)
def test_pages_read_as_the_golden_ones(results: Path, name: str) -> None:
    fill_twin(results)
    fill_full(results)
    fake_results.finish(results, fake_results.cell("facial_expressions", "dan"), (30, 35, 40))
    fake_results.finish(
        results, fake_results.cell("facial_expressions", "dan", variant={"affinity": "none"}), (3, 42, 41)
    )
    path = {"README": "README.md", "front": "../README.md"}.get(name, f"paper/{name}.md")
    text = page(results, path)
    golden = GOLDEN / f"{name}.md"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_rendering_again_changes_no_byte_and_checking_finds_nothing(results: Path) -> None:
    fill_twin(results)
    fill_full(results)
    tables.render(results, suite())
    first = {path: path.read_bytes() for path in (results / "tables").rglob("*.md")}
    shutil.rmtree(results / "tables")
    tables.render(results, suite())
    assert {path: path.read_bytes() for path in (results / "tables").rglob("*.md")} == first
    assert tables.differing(results, [suite()], pages.gather(results)) == []


def test_checking_names_a_changed_a_missing_and_an_extra_file(results: Path) -> None:
    fill_twin(results)
    tables.render(results, suite())
    folder = results / "tables" / "paper"
    changed, gone, extra = folder / "comparison-rafdb-twin.md", folder / "ablation-rafdb-twin.md", folder / "old.md"
    changed.write_text(changed.read_text().replace("57.86", "58.86", 1))
    gone.unlink()
    extra.write_text("# Old\n")
    found = tables.differing(results, [suite()], pages.gather(results))
    assert len(found) == 3
    line = next(n for n, text in enumerate(changed.read_text().split("\n"), 1) if "58.86" in text)
    assert any(text.startswith(f"{changed}:{line}: ") for text in found)
    assert f"{gone}: missing" in found
    assert f"{extra}: nothing makes this page" in found


def test_a_page_that_nothing_makes_any_more_goes_when_rendering(results: Path) -> None:
    fill_twin(results)
    tables.render(results, suite())
    old = results / "tables" / "paper" / "old.md"
    old.write_text("# Old\n")
    tables.render(results, suite())
    assert not old.exists()


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench.tables", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("place", ["full", "quick"])
def test_the_committed_pages_of_the_gpu_are_as_rendered(place: str) -> None:
    assert tables.main(["--results", str(ROOT / "results" / "h200" / place), "--check"]) == 0


def test_the_command_renders_checks_and_fails_on_one_byte(results: Path) -> None:
    fill_twin(results)
    assert command("--results", results).returncode == 0
    assert command("--results", results, "--check").returncode == 0
    file = results / "tables" / "README.md"
    file.write_text(file.read_text() + " ")
    checked = command("--results", results, "--check")
    assert checked.returncode == 1
    assert "README.md" in checked.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--suite", "papr"), "unknown suite 'papr' (nearest: paper"),
        (("--results", "no/such/folder"), "no/such/folder is not a folder"),
    ],
)
def test_bad_usage_is_one_line_and_exit_code_2(arguments: tuple[str, ...], message: str) -> None:
    done = command(*arguments)
    assert done.returncode == 2
    assert message in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_damaged_record_is_one_line_and_nothing_is_written(results: Path) -> None:
    fill_twin(results)
    path = next((results / "records").rglob("s0.json"))
    path.write_text(path.read_text().replace('"correct": ', '"correct": 1', 1))
    done = command("--results", results, "--suite", "paper")
    assert done.returncode == 2
    assert str(path) in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (results / "tables").exists()


def test_a_record_at_no_cells_address_is_one_clear_line(results: Path) -> None:
    path = results / "records" / "stray.json"
    path.parent.mkdir()
    path.write_text(fake_results.make(fake_results.cell("rafdb", "dan"), (1, 2, 3))[0].to_json())
    with pytest.raises(UserError, match="records/stray: no cell has this address"):
        tables.render(results, suite())


def test_rendering_imports_neither_torch_nor_mlflow(results: Path) -> None:
    fill_twin(results)
    fill_full(results)
    code = (
        f"import sys; from bench.tables import main; assert main(['--results', {str(results)!r}]) == 0; "
        "print(sorted({'torch', 'torchvision', 'timm', 'mlflow', 'optuna'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
