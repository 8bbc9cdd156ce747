"""The open photos: identities from names, a split no other row can change, the release's own blemishes."""

from __future__ import annotations

from pathlib import Path

import data_trees as trees
import pytest

from bench.data.read import read
from bench.data.readers.facial_expressions import identity, split_of


@pytest.mark.parametrize(
    ("name", "person"),
    [
        ("Aaron_Peirsol_0001.jpg", "aaron_peirsol"),
        ("Aaron_Peirsol_0012.JPG", "aaron_peirsol"),
        ("HrithikRoshan_11.jpg", "hrithikroshan"),
        ("facial-expressions_2868588k.jpg", "facial-expressions"),
        ("Jean-Claude_Van_Damme_0001.jpg", "jean-claude_van_damme"),
        ("Abdullah_al-Attiyah_0003.jpg", "abdullah_al-attiyah"),
        ("images/Moon-So-ri_0001.jpg", "moon-so-ri"),
        ("portrait.jpg", "portrait"),
        ("0001.jpg", "0001"),
    ],
)
def test_the_identity_is_the_file_name_less_its_number(name: str, person: str) -> None:
    assert identity(name) == person


def test_no_person_is_in_both_splits_and_about_a_fifth_is_in_test(tmp_path: Path) -> None:
    listing = read("facial_expressions8", trees.facial_expressions(tmp_path))
    assert {sample.group for sample in listing.train}.isdisjoint({sample.group for sample in listing.test})
    shares = [split_of(f"person {number}") for number in range(20_000)]
    assert 0.19 < shares.count("test") / len(shares) < 0.21  # 0.2 within 3.5 standard errors


def test_a_smaller_copy_has_the_same_split(tmp_path: Path) -> None:
    root = trees.facial_expressions(tmp_path)
    whole = read("facial_expressions", root)
    legend = root / "data" / "legend.csv"
    lines = legend.read_text().splitlines()
    legend.write_text("\n".join(lines[:1] + lines[1::3]) + "\n")
    part = read("facial_expressions", root)
    assert {sample.path for sample in part.test} < {sample.path for sample in whole.test}
    assert {sample.path for sample in part.train} < {sample.path for sample in whole.train}


def test_contempt_is_a_class_of_eight_and_a_counted_exclusion_of_seven(tmp_path: Path) -> None:
    root = trees.facial_expressions(tmp_path)
    seven, eight = read("facial_expressions", root), read("facial_expressions8", root)
    assert dict(seven.excluded) == {"contempt": 10} and not eight.excluded
    assert eight.classes == (*seven.classes, "contempt")
    assert len(eight.train) + len(eight.test) == len(seven.train) + len(seven.test) + 10 == 80
    assert not any(finding.code == "extra-images" for finding in seven.findings)


@pytest.mark.parametrize("word", ["happiness", "HAPPINESS", "happy", "Happy "])
def test_emotions_are_read_in_any_case_and_grammar(tmp_path: Path, word: str) -> None:
    root = trees.facial_expressions(tmp_path)
    trees.replace_line(root / "data" / "legend.csv", 20, f"1,Person_Aa_0001.jpg,{word}")
    assert not [
        error
        for error in read("facial_expressions", root).errors
        if "20" in error.message and "emotion" in error.message
    ]


def test_an_unknown_emotion_is_an_error_with_the_nearest(tmp_path: Path) -> None:
    root = trees.facial_expressions(tmp_path)
    trees.replace_line(root / "data" / "legend.csv", 20, "1,Person_Ja_0001.jpg,hapiness")
    assert any(
        "legend.csv:20" in error.message and "nearest: happiness" in error.message
        for error in read("facial_expressions", root).errors
    )


def test_a_repeated_row_counts_once_with_a_warning(tmp_path: Path) -> None:
    root = trees.facial_expressions(tmp_path)
    line = trees.add_line(root / "data" / "legend.csv", "9,Person_Aa_0001.jpg,NEUTRAL")
    listing = read("facial_expressions8", root)
    assert len(listing.train) + len(listing.test) == 80 and not listing.errors
    assert any(f"legend.csv:{line} repeats data/legend.csv:2" in finding.message for finding in listing.warnings)


def test_a_contradiction_is_an_error_in_a_small_file_and_left_out_of_one_with_the_releases_share(
    tmp_path: Path,
) -> None:
    root = trees.facial_expressions(tmp_path)
    legend = root / "data" / "legend.csv"
    line = trees.add_line(legend, "9,Person_Aa_0001.jpg,anger")
    (error,) = read("facial_expressions", root).errors
    assert f"legend.csv:{line}" in error.message and "legend.csv:2" in error.message
    photo = trees.encoded(trees.picture(1, (8, 8)))
    for number in range(1_000):
        trees.write(root / "images" / f"Crowd_{number:04d}.jpg", photo)
    legend.write_text(legend.read_text() + "".join(f"9,Crowd_{number:04d}.jpg,neutral\n" for number in range(1_000)))
    listing = read("facial_expressions", root)
    assert not listing.errors and listing.excluded["contradictory label"] == 1
    assert "images/Person_Aa_0001.jpg" not in {sample.path for sample in (*listing.train, *listing.test)}
