"""Does a proof kill what it says, see what differs, and count right?  (The suite itself: --prove.)"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import fake_results
import pytest

from bench.atomic import write_text
from bench.data.read import read
from bench.errors import UserError
from bench.prove import proof as proving
from bench.prove import runs
from bench.prove.compare import differences
from bench.prove.moments import STUDY, SUITE, WRITES, Moment, moments
from bench.prove.patches import DATASET, write_patches
from bench.prove.proof import Now, Proof, kill_all
from bench.run import main

CELL = fake_results.cell("facial_expressions", "dan")


@pytest.fixture(autouse=True)
def no_heavy_imports(monkeypatch):
    monkeypatch.setattr(runs, "PRELOADED", ())


@pytest.fixture
def counting(monkeypatch):
    """The moment when something stands in the toy's file."""
    monkeypatch.setitem(WRITES[SUITE], "count", ("results/count.txt",))
    return Moment(SUITE, 0.5, "count")


@dataclass
class Toy(Proof):
    """A run that counts to ten in a file, `careful` (it goes on from what is there) or not."""

    careful: bool = True

    def commands(self, subject, place):
        return (("counting", (str(place), "careful" if self.careful else "careless")),)


def toy(folder: Path, careful: bool) -> Toy:
    proof = Toy((), folder, (), None, careful=careful)
    proof.longest[SUITE] = proof.finish(SUITE, proof.place(f"reference-{SUITE}"))
    return proof


def test_a_careful_run_is_identical_after_every_kill(tmp_path, capfd):
    proof = toy(tmp_path, careful=True)
    assert kill_all(proof, [Moment(SUITE, share) for share in (0.2, 0.5, 0.4, 0.7)]) == 4
    told = capfd.readouterr().err
    assert told.count("s (a random time") == 4 and "DIFFERENT" not in told
    assert sorted(path.name for path in tmp_path.iterdir()) == ["reference-suite"], "a run that is as it should be goes"


def test_a_careless_run_is_found_out_and_kept(tmp_path, capfd, counting):
    proof = toy(tmp_path, careful=False)
    assert kill_all(proof, [counting]) == 0
    assert "DIFFERENT: count.txt differs" in capfd.readouterr().err
    assert (tmp_path / "run-1" / "results" / "count.txt").exists()


def test_the_whole_group_is_killed_at_the_moment_and_not_before(tmp_path):
    place = tmp_path / "place"
    (place / "runs").mkdir(parents=True)
    ended = runs.run([("counting", (str(place), "fork"))], {}, tmp_path / "log", lambda seconds: _forked(place))
    assert ended.code is None
    child = int((place / "child").read_text())
    end = time.monotonic() + 30
    while _alive(child) and time.monotonic() < end:
        time.sleep(0.05)
    assert not _alive(child)


def test_a_run_that_fails_by_itself_is_told_with_its_last_words(tmp_path):
    with pytest.raises(UserError, match="exit code 7: no more paper"):
        Toy((), tmp_path, (), None).finish("suite", _failing(tmp_path))


def test_moments_are_the_same_in_each_proof_and_of_every_kind():
    hundred = moments(100)
    assert moments(10) == hundred[:10]
    assert {moment.subject for moment in hundred} == {SUITE, STUDY}
    for subject, writes in WRITES.items():
        mine = [moment for moment in hundred if moment.subject == subject]
        assert {moment.write for moment in mine} == {None, *writes}
        assert 0.3 <= sum(moment.write is None for moment in mine) / len(mine) <= 0.7
    assert all(moment.subject == SUITE for moment in moments(20, (SUITE,)))


def test_a_write_is_sighted_when_it_is_new_or_changed_and_not_where_an_earlier_run_left_it(tmp_path):
    record = tmp_path / "results" / "records" / "a" / "s0.json"
    record.parent.mkdir(parents=True)
    record.write_text("old")
    now = Now(Moment(SUITE, 0.5, "record", linger=1.0), tmp_path, 0.0)
    assert not now(5.0)
    (record.parent / ".s1.json.abc.part").touch()
    assert not now(6.0) and now(7.0)


def test_a_half_written_file_a_lost_one_and_another_number_are_differences(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        fake_results.finish(folder, CELL, (1, 2, 3))
        write_text(folder / "tables" / "page.md", "same")
    assert list(differences(one, two)) == []
    (two / "records" / ".s0.json.x1.part").touch()
    (two / "tables" / "page.md").unlink()
    fake_results.finish(two, CELL, (1, 2, 4))
    assert [line.rsplit("/", 1)[-1] for line in differences(one, two)] == [
        "s0.npz differs",
        ".s0.json.x1.part should not be there",
        "s0.json differs",
        "page.md is missing",
    ]


def test_patches_are_a_data_folder_with_every_class_in_both_splits(tmp_path):
    listing = read(DATASET, write_patches(tmp_path) / DATASET)
    assert not listing.errors
    for split in (listing.train, listing.test):
        assert {sample.label for sample in split} == set(range(7))


@pytest.mark.parametrize("count", ["-3", "x"])
def test_a_number_of_kills_that_is_none_is_refused(count, tmp_path, capsys):
    try:
        code = main(["--suite", "proof", "--prove", count, "--runs", str(tmp_path / "runs")])
    except SystemExit as end:  # argparse's own
        code = end.code
    assert code == 2 and "--prove" in capsys.readouterr().err


def test_an_unknown_suite_is_refused_before_anything_is_run(tmp_path, capsys):
    assert main(["--suite", "prof", "--prove", "3", "--runs", str(tmp_path / "runs")]) == 2
    assert "nearest: proof" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_proving_is_exit_code_1_and_the_count_on_stdout_when_something_differs(tmp_path, monkeypatch, capsys, counting):
    monkeypatch.setattr(proving, "Proof", lambda *given: Toy(*given, careful=False))
    monkeypatch.setattr(proving, "moments", lambda *given: [counting])
    assert proving.prove(1, (), tmp_path / "runs", own_data=True) == 1
    assert capsys.readouterr().out == "0 of 1 identical\n"


def _failing(folder):
    place = folder / "failing"
    (place / "runs").mkdir(parents=True)
    (place / "fail").touch()
    return place


def _forked(place):
    return (place / "child").exists() and (place / "child").read_text().endswith("\n")


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
