"""`python -m bench.data`: exit codes, JSON, one line for a mistake, and no heavy import where none is needed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import data_trees as trees
import pytest

from bench.data.__main__ import main

HOME = Path(__file__).parents[1]


def command(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench.data", *map(str, arguments)],
        cwd=HOME,
        capture_output=True,
        text=True,
        check=False,
        **options,
    )  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize(
    "arguments", [["--help"], ["list"], ["verify", "--help"], ["verify", "rafbd"], ["prepare", "rafdb", "--root", "x"]]
)
def test_help_lists_and_mistakes_import_neither_torch_nor_numpy(arguments: list[str]) -> None:
    script = (
        "import sys\nfrom bench.data.__main__ import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'torchvision', 'timm', 'mlflow', 'numpy', 'PIL', 'onnxruntime', 'cv2'}\n"
        "allowed = {'numpy', 'PIL'} if sys.argv[1] == 'prepare' else set()\n"
        "print('LOADED', sorted((heavy - allowed) & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], cwd=HOME, capture_output=True, text=True, check=True
    )
    assert done.stdout.endswith("LOADED []\n"), done.stdout


def test_verify_in_a_process_exits_with_0_and_plain_json(tmp_path: Path) -> None:
    done = command("verify", "rafdb", "--root", trees.rafdb(tmp_path), "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["splits"]["train"]["images"] == 14


def test_verify_exits_with_1_when_an_error_stands_and_shows_no_traceback(tmp_path: Path) -> None:
    root = trees.rafdb(tmp_path)
    (root / "Image" / "aligned" / "train_00001_aligned.jpg").unlink()
    done = command("verify", "rafdb", "--root", root)
    assert done.returncode == 1 and "error: 1 of 21 listed images are missing: train_00001" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["verify", "rafbd", "--root", "."], "unknown dataset 'rafbd' (nearest: rafdb"),
        (["verify", "rafdb", "--root", ".", "--class-order", "random"], "--class-order 'random' is neither"),
        (["verify", "rafdb", "--data", "nowhere"], "nowhere is not a folder"),
        (["prepare", "rafdb", "--root", "."], "rafdb comes aligned"),
        (["prepare", "photos", "--root", "nowhere"], "nowhere: no such folder"),
        (["render", "rafdb", "--out", "x"], "unknown twin 'rafdb' (nearest: rafdb-twin"),
    ],
)
def test_bad_usage_is_one_line_and_exit_2(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.startswith("error: ") and says in shown.err and shown.err.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["verify"], ["verify", "rafdb", "--workers", "0"], ["dance"]])
def test_a_malformed_command_line_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    assert raised.value.code == 2 and capsys.readouterr().out == ""


def test_verify_without_a_place_to_look_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAN_BENCH_DATA", raising=False)
    assert main(["verify", "sfew"]) == 2
    assert "give --root, --data or $DAN_BENCH_DATA" in capsys.readouterr().err
    assert main(["verify", "sfew", "--data", str(tmp_path)]) == 2
    assert "Train_Aligned_Faces" in capsys.readouterr().err


def test_verify_looks_below_the_data_folder_of_the_environment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    trees.facial_expressions(tmp_path / "open" / "photos")
    monkeypatch.setenv("DAN_BENCH_DATA", str(tmp_path))
    assert main(["verify", "facial_expressions8", "--json", "--workers", "1"]) == 0
    assert json.loads(capsys.readouterr().out)["root"] == str(tmp_path / "open" / "photos")


def test_list_says_where_each_dataset_is_and_how_to_get_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trees.rafdb(tmp_path / "RAF")
    assert main(["list", "--data", str(tmp_path), "--json"]) == 0
    rows = {row["dataset"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["rafdb"]["root"] == str(tmp_path / "RAF") and rows["sfew"]["root"] is None
    assert rows["sfew"]["twin"] == "sfew-twin" and "git clone" in rows["facial_expressions"]["access"]
    assert main(["list", "--data", str(tmp_path)]) == 0
    assert "not found" in capsys.readouterr().out


def test_a_rendered_twin_is_read_under_its_own_name_and_never_found_as_the_dataset(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from bench.data.find import locate
    from bench.errors import UserError

    out = tmp_path / "data" / "twin"
    assert main(["render", "rafdb-twin", "--out", str(out), "--count", "70"]) == 0
    capsys.readouterr()
    assert main(["verify", "rafdb-twin", "--root", str(out), "--json", "--workers", "1"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert sum(split["images"] for split in found["splits"].values()) == 70 and found["figures"] == []
    assert locate("rafdb", tmp_path / "data", None) is None
    with pytest.raises(UserError, match="rafdb-twin"):
        locate("rafdb", None, out)
