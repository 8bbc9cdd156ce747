"""Tiny datasets in the layouts of the real ones, made of generated pixels, for the readers' tests."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

RAF_CODES = {1: "surprise", 2: "fear", 3: "disgust", 4: "happiness", 5: "sadness", 6: "anger", 7: "neutral"}
AFFECTNET_CODES = {
    0: "neutral",
    1: "happiness",
    2: "sadness",
    3: "surprise",
    4: "fear",
    5: "disgust",
    6: "anger",
    7: "contempt",
}
SFEW_FOLDERS = ("Angry", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise")


def picture(seed: int, size: tuple[int, int] = (100, 100), mode: str = "RGB") -> Image.Image:
    """A smooth picture of its own: no two seeds look alike, not even to a perceptual hash."""
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).convert(mode)


def encoded(image: Image.Image, form: str = "JPEG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def write(path: Path, content: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def npy(value: object, dtype: object = None, allow_pickle: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array(value, dtype=dtype), allow_pickle=allow_pickle)
    return buffer.getvalue()


def seeds() -> Callable[[], int]:
    counter = iter(range(1_000_000))
    return lambda: next(counter)


def rafdb(root: Path, train: int = 2, test: int = 1) -> Path:
    """The official layout with `train` and `test` images of each class; lines in code order, no final newline."""
    seed, lines = seeds(), []
    for split, count in (("train", train), ("test", test)):
        number = 0
        for code in RAF_CODES:
            for _ in range(count):
                number += 1
                name = f"{split}_{number:05d}" if split == "train" else f"{split}_{number:04d}"
                lines.append(f"{name}.jpg {code}")
                write(root / "Image" / "aligned" / f"{name}_aligned.jpg", encoded(picture(seed())))
    write(root / "EmoLabel" / "list_patition_label.txt", "\n".join(lines))
    return root


def rafdb_labels(root: Path) -> Path:
    return root / "EmoLabel" / "list_patition_label.txt"


def rafdb_kaggle(root: Path, train: int = 2, test: int = 1) -> Path:
    """`DATASET/{train,test}/{1..7}` and two label tables."""
    seed = seeds()
    for split, count in (("train", train), ("test", test)):
        rows, number = ["image,label"], 0
        for code in RAF_CODES:
            for _ in range(count):
                number += 1
                name = f"{split}_{number:05d}_aligned.jpg" if split == "train" else f"{split}_{number:04d}_aligned.jpg"
                rows.append(f"{name},{code}")
                write(root / "DATASET" / split / str(code) / name, encoded(picture(seed())))
        write(root / f"{split}_labels.csv", "\n".join(rows) + "\n")
    return root


def class_folders(
    root: Path, folders: dict[str, int], splits: tuple[str, str] = ("train", "test"), size: tuple[int, int] = (100, 100)
) -> Path:
    """`<split>/<folder>/*.jpg` with the number of training images given per folder, and one test image each."""
    seed = seeds()
    for split, counts in zip(splits, (folders, dict.fromkeys(folders, 1)), strict=True):
        for folder, count in counts.items():
            for number in range(count):
                write(root / split / folder / f"{split}_{folder}_{number}.jpg", encoded(picture(seed(), size)))
    return root


def affectnet_reduced(root: Path, train: int = 2, test: int = 1, codes: tuple[int, ...] = tuple(range(8))) -> Path:
    """The reduced release: ids with gaps that repeat across the splits, labels as 0-d unicode arrays."""
    seed = seeds()
    for split, count in (("train_set", train), ("val_set", test)):
        identifier = 0
        for code in codes:
            for _ in range(count):
                identifier += 3
                write(root / split / "images" / f"{identifier}.jpg", encoded(picture(seed(), (224, 224))))
                for kind, value in (("exp", str(code)), ("val", "0.1"), ("aro", "-0.2")):
                    write(root / split / "annotations" / f"{identifier}_{kind}.npy", npy(value))
                write(root / split / "annotations" / f"{identifier}_lnd.npy", npy(np.zeros(136)))
    return root


AFFECTNET_HEADER = (
    "subDirectory_filePath",
    "face_x",
    "face_y",
    "face_width",
    "face_height",
    "facial_landmarks",
    "expression",
    "valence",
    "arousal",
)
LANDMARKS = ";".join(["10.5"] * 136)


def affectnet_row(
    path: str, code: object, box: tuple[object, ...] = (10, 20, 60, 70), landmarks: str = LANDMARKS
) -> list[object]:
    return [path, *box, landmarks, code, 0.1, -0.2]


def affectnet_full(
    root: Path,
    train: int = 1,
    test: int = 1,
    images: str = "Manually_Annotated/Manually_Annotated_Images",
    tables: str = "Manually_Annotated_file_lists",
    header_in_validation: bool = True,
) -> Path:
    """The full release: numbered folders, wide tables, codes 0..10."""
    seed = seeds()
    for table, count in (("training", train), ("validation", test)):
        rows = []
        for code in range(11):
            for _ in range(count):
                number = seed()
                path = f"{number % 5 + 1}/{number:032x}.jpg"
                rows.append(affectnet_row(path, code))
                write(root / images / path, encoded(picture(number, (120, 130))))
        write_table(root / tables / f"{table}.csv", rows, header=table == "training" or header_in_validation)
    return root


def write_table(path: Path, rows: list[list[object]], header: bool = True) -> Path:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerows(([list(AFFECTNET_HEADER)] if header else []) + rows)
    return write(path, buffer.getvalue())


def append_rows(path: Path, *rows: list[object]) -> None:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    path.write_text(path.read_text() + buffer.getvalue())


def sfew(
    root: Path,
    train: int = 2,
    test: int = 1,
    train_at: str = "Train/Train_Aligned_Faces",
    test_at: str = "Val/Val_Aligned_Faces_new/Val_Aligned_Faces",
) -> Path:
    """The aligned release; stills of one film stay in one split."""
    seed = seeds()
    for place, count, film in ((train_at, train, "TrainFilm"), (test_at, test, "ValFilm")):
        for folder in SFEW_FOLDERS:
            for _ in range(count):
                number = seed()
                name = f"{film}{number % 3}_{number:09d}_00000005.png"
                write(root / place / folder / name, encoded(picture(number, (143, 181)), "PNG"))
    return root


def facial_expressions(root: Path, people: int = 40) -> Path:
    """`data/legend.csv` + `images/`: two photos of each person, one emotion each, words in mixed case, CRLF at
    places."""
    words = ("neutral", "HAPPINESS", "sadness", "Surprise", "fear", "disgust", "ANGER", "contempt")
    lines = ["user.id,image,emotion"]
    for person in range(people):
        for shot in (1, 2):
            name = f"Person_{chr(65 + person % 26)}{chr(97 + person // 26)}_{shot:04d}.jpg"
            lines.append(f"628,{name},{words[person % len(words)]}")
            write(root / "images" / name, encoded(picture(2 * person + shot)))
    write(root / "data" / "legend.csv", "\r\n".join(lines[:5]) + "\n" + "\n".join(lines[5:]) + "\n")
    return root


def text_of(path: Path) -> str:
    return path.read_text()


def replace_line(path: Path, number: int, line: str) -> None:
    """Put `line` in place of the one-based line `number`."""
    lines = path.read_text().split("\n")
    lines[number - 1] = line
    path.write_text("\n".join(lines))


def add_line(path: Path, line: str) -> int:
    """Append a line; returns its number."""
    text = path.read_text().rstrip("\n")
    path.write_text(f"{text}\n{line}\n")
    return text.count("\n") + 2
