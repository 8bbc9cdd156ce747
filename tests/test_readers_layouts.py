"""Every layout of every dataset is found and gives the right images, classes and groups."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import data_trees as trees
import pytest

from bench.data.find import locate, looked_for
from bench.data.listing import Listing
from bench.data.read import read
from bench.errors import UserError

RAF = tuple(trees.RAF_CODES.values())
AFFECTNET = tuple(trees.AFFECTNET_CODES.values())
SFEW = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")


def counts(listing: Listing, split: str) -> dict[str, int]:
    tally = Counter(listing.classes[sample.label] for sample in getattr(listing, split))
    return {name: tally[name] for name in listing.classes}


def every(names: tuple[str, ...], count: int) -> dict[str, int]:
    return dict.fromkeys(names, count)


@pytest.mark.parametrize("place", ["", "basic", "RAF-DB/basic", "raf-basic", "anything"])
def test_official_rafdb_is_found_at_and_around_its_folder(tmp_path: Path, place: str) -> None:
    trees.rafdb(tmp_path / place)
    listing = read("rafdb", tmp_path)
    assert (listing.layout, listing.root, listing.classes) == ("official", tmp_path / place, RAF)
    assert counts(listing, "train") == every(RAF, 2) and counts(listing, "test") == every(RAF, 1)
    assert not listing.errors


@pytest.mark.parametrize("given", ["Image", "EmoLabel"])
def test_a_folder_inside_the_dataset_leads_one_level_up(tmp_path: Path, given: str) -> None:
    trees.rafdb(tmp_path)
    assert read("rafdb", tmp_path / given).root == tmp_path


@pytest.mark.parametrize("given", ["data", "images"])
def test_a_folder_inside_the_open_photos_leads_one_level_up(tmp_path: Path, given: str) -> None:
    trees.facial_expressions(tmp_path)
    assert read("facial_expressions", tmp_path / given).root == tmp_path


def test_official_rafdb_labels_follow_the_label_file_and_not_the_order_of_files(tmp_path: Path) -> None:
    trees.rafdb(tmp_path, train=1)
    trees.write(trees.rafdb_labels(tmp_path), "test_0001.jpg 7\ntrain_00003.jpg 5\n")
    listing = read("rafdb", tmp_path)
    assert [(sample.path, RAF[sample.label]) for sample in (*listing.train, *listing.test)] == [
        ("Image/aligned/train_00003_aligned.jpg", "sadness"),
        ("Image/aligned/test_0001_aligned.jpg", "neutral"),
    ]


def test_kaggle_repackaging_of_rafdb(tmp_path: Path) -> None:
    trees.rafdb_kaggle(tmp_path)
    listing = read("rafdb", tmp_path)
    assert (listing.layout, listing.errors) == ("kaggle", ())
    assert counts(listing, "train") == every(RAF, 2) and counts(listing, "test") == every(RAF, 1)


def test_kaggle_tables_and_folders_that_disagree_are_an_error_with_the_line(tmp_path: Path) -> None:
    trees.rafdb_kaggle(tmp_path)
    trees.replace_line(tmp_path / "train_labels.csv", 2, "train_00001_aligned.jpg,3")
    (error,) = read("rafdb", tmp_path).errors
    assert "train_labels.csv:2" in error.message and "DATASET/train/1" in error.message


def test_the_same_photos_in_two_layouts_list_the_same_labels_in_the_same_order(tmp_path: Path) -> None:
    official = read("rafdb", trees.rafdb(tmp_path / "a"))
    kaggle = read("rafdb", trees.rafdb_kaggle(tmp_path / "b"))
    assert [sample.label for sample in official.train] == [sample.label for sample in kaggle.train]


@pytest.mark.parametrize("splits", [("train", "test"), ("train", "valid"), ("train", "val"), ("train_set", "val_set")])
def test_rafdb_folders_one_to_seven_are_the_official_codes(tmp_path: Path, splits: tuple[str, str]) -> None:
    trees.class_folders(tmp_path, {str(code): code for code in trees.RAF_CODES}, splits)
    listing = read("rafdb", tmp_path)
    assert counts(listing, "train") == {name: code for code, name in trees.RAF_CODES.items()}
    assert counts(listing, "test") == every(RAF, 1)


@pytest.mark.parametrize(
    ("order", "names"),
    [
        ("raf", RAF),
        ("affectnet", AFFECTNET[:7]),
        ("alphabetical", SFEW),
        (
            "anger,fear,neutral,sad,happy,surprise,disgust",
            ("anger", "fear", "neutral", "sadness", "happiness", "surprise", "disgust"),
        ),
    ],
)
def test_class_order_gives_folders_from_zero_their_meaning(tmp_path: Path, order: str, names: tuple[str, ...]) -> None:
    trees.class_folders(tmp_path, {str(number): number + 1 for number in range(7)})
    listing = read("rafdb", tmp_path, class_order=order)
    assert not listing.errors and listing.classes == RAF
    assert counts(listing, "train") == {name: names.index(name) + 1 for name in RAF}


def test_named_class_folders_are_read_in_any_case_and_grammar(tmp_path: Path) -> None:
    folders = {"Surprised": 1, "FEAR": 2, "disgust": 3, "Happy": 4, "5_sad": 5, "angry": 6, "Neutral": 7}
    listing = read("rafdb", trees.class_folders(tmp_path, folders, ("Train", "Valid")))
    assert counts(listing, "train") == dict(zip(RAF, range(1, 8), strict=True))


@pytest.mark.parametrize(("name", "number"), [("affectnet7", 7), ("affectnet8", 8)])
def test_reduced_affectnet_counts_what_it_excludes(tmp_path: Path, name: str, number: int) -> None:
    trees.affectnet_reduced(tmp_path, codes=tuple(range(11)))
    listing = read(name, tmp_path)
    assert (listing.layout, listing.classes, listing.errors) == ("reduced", AFFECTNET[:number], ())
    assert counts(listing, "train") == every(AFFECTNET[:number], 2) and counts(listing, "test") == every(
        AFFECTNET[:number], 1
    )
    expected = {"none": 3, "uncertain": 3, "no-face": 3} | ({"contempt": 3} if number == 7 else {})
    assert dict(listing.excluded) == expected
    assert not any(finding.code == "extra-images" for finding in listing.findings)


def test_reduced_affectnet_with_valid_set(tmp_path: Path) -> None:
    trees.affectnet_reduced(tmp_path)
    (tmp_path / "val_set").rename(tmp_path / "valid_set")
    assert counts(read("affectnet8", tmp_path), "test") == every(AFFECTNET, 1)


@pytest.mark.parametrize(
    ("images", "tables"),
    [
        ("Manually_Annotated_Images", "Manually_Annotated_file_lists"),
        ("Manually_Annotated/Manually_Annotated_Images", "Manually_Annotated_file_lists"),
        (
            "Manually_Annotated_compressed/Manually_Annotated_Images",
            "Manually_Annotated_file_lists/Manually_Annotated_file_lists",
        ),
        ("Manually_Annotated_compressed", "."),
    ],
)
@pytest.mark.parametrize("header", [True, False])
def test_full_affectnet_in_its_nestings_with_and_without_header(
    tmp_path: Path, images: str, tables: str, header: bool
) -> None:
    trees.affectnet_full(tmp_path, images=images, tables=tables, header_in_validation=header)
    listing = read("affectnet8", tmp_path)
    assert (listing.layout, listing.errors) == ("full", ())
    assert counts(listing, "train") == counts(listing, "test") == every(AFFECTNET, 1)
    assert dict(listing.excluded) == {"none": 2, "uncertain": 2, "no-face": 2}
    assert {sample.box for sample in listing.train} == {(10, 20, 60, 70)}
    assert any(finding.code == "no-header" for finding in listing.warnings) is not header


def test_full_affectnet_matches_extensions_of_any_case(tmp_path: Path) -> None:
    trees.affectnet_full(tmp_path)
    home = tmp_path / "Manually_Annotated" / "Manually_Annotated_Images"
    trees.write(home / "9" / "ABC.JPG", trees.encoded(trees.picture(900)))
    trees.write(home / "9" / "def.bmp", trees.encoded(trees.picture(901), "BMP"))
    rows = [trees.affectnet_row("9/abc.jpg", 3), trees.affectnet_row("9/def.BMP", 3)]
    trees.append_rows(tmp_path / "Manually_Annotated_file_lists" / "training.csv", *rows)
    listing = read("affectnet8", tmp_path)
    assert not listing.errors and counts(listing, "train")["surprise"] == 3


def test_imagefolder_conversion_of_affectnet_uses_its_own_codes(tmp_path: Path) -> None:
    trees.class_folders(tmp_path, {str(code): code + 1 for code in range(8)}, ("train", "val"))
    seven = read("affectnet7", tmp_path)
    assert counts(seven, "train") == {name: code + 1 for code, name in list(trees.AFFECTNET_CODES.items())[:7]}
    assert dict(seven.excluded) == {"contempt": 9}


def test_a_small_copy_of_affectnet_is_said_not_to_be_the_benchmark(tmp_path: Path) -> None:
    warnings = read("affectnet8", trees.affectnet_reduced(tmp_path)).warnings
    assert any("not the benchmark" in finding.message and "287,651" in finding.message for finding in warnings)


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("Train/Train_Aligned_Faces", "Val/Val_Aligned_Faces_new/Val_Aligned_Faces"),
        ("Train/Train_Aligned_Faces", "Val/Val_Aligned_Faces"),
        ("Train", "Val"),
        ("Train", "Val/Val"),
    ],
)
def test_sfew_in_its_nestings(tmp_path: Path, train: str, test: str) -> None:
    listing = read("sfew", trees.sfew(tmp_path, train_at=train, test_at=test))
    assert not listing.errors and listing.classes == SFEW
    assert counts(listing, "train") == every(SFEW, 2) and counts(listing, "test") == every(SFEW, 1)
    assert {sample.group for sample in listing.train} == {"trainfilm0", "trainfilm1", "trainfilm2"}


def test_aligned_sfew_faces_win_over_raw_frames_beside_them(tmp_path: Path) -> None:
    trees.sfew(tmp_path)
    trees.sfew(tmp_path, train=1, train_at="Train", test_at="Val")
    listing = read("sfew", tmp_path)
    assert counts(listing, "train") == every(SFEW, 2) and all("Aligned" in sample.path for sample in listing.train)


@pytest.mark.parametrize("build", [trees.rafdb, trees.affectnet_reduced, trees.facial_expressions, trees.sfew])
def test_datasets_are_found_below_a_data_folder_by_layout_alone(tmp_path: Path, build) -> None:
    name = {
        "rafdb": "rafdb",
        "affectnet_reduced": "affectnet8",
        "facial_expressions": "facial_expressions",
        "sfew": "sfew",
    }[build.__name__]
    build(tmp_path / "some" / "Folder")
    assert locate(name, tmp_path, None) == tmp_path / "some" / "Folder"
    others = {"rafdb", "affectnet8", "facial_expressions", "sfew"} - {name}
    assert [locate(other, tmp_path, None) for other in others] == [None] * 3


def test_a_shared_layout_counts_only_below_a_folder_that_names_the_dataset(tmp_path: Path) -> None:
    trees.class_folders(tmp_path / "My-RAF-copy", {"happy": 1, "sad": 1})
    assert locate("rafdb", tmp_path, None) == tmp_path / "My-RAF-copy"
    assert locate("affectnet8", tmp_path, None) is None and locate("sfew", tmp_path, None) is None


def test_two_copies_below_a_data_folder_are_listed_instead_of_guessed(tmp_path: Path) -> None:
    trees.rafdb(tmp_path / "one")
    trees.rafdb(tmp_path / "two")
    with pytest.raises(UserError, match=r"one.*two.*--root rafdb="):
        locate("rafdb", tmp_path, None)


def test_a_wrong_root_says_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "holiday").mkdir()
    with pytest.raises(UserError, match=r"list_patition_label\.txt") as raised:
        locate("rafdb", None, tmp_path)
    assert "holiday/" in str(raised.value)


def test_looked_for_is_one_line() -> None:
    assert "\n" not in looked_for("sfew") and "Train_Aligned_Faces" in looked_for("sfew")


def test_a_twin_is_read_by_the_layouts_of_its_dataset_and_keeps_its_own_name(tmp_path: Path) -> None:
    listing = read("rafdb-twin", trees.rafdb(tmp_path))
    assert listing.dataset == "rafdb-twin" and not any(finding.code == "counts-differ" for finding in listing.findings)
