"""Which files does an exported twin consist of?  The licensed dataset's own names and annotations, so that its reader
reads them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bench.data.twin.population import TwinSpec, roster

_SFEW_FOLDERS = {
    "anger": "Angry", "disgust": "Disgust", "fear": "Fear", "happiness": "Happy", "neutral": "Neutral",
    "sadness": "Sad", "surprise": "Surprise",
}  # fmt: skip

# A nominal place of each class on the circumplex (valence, arousal) at full strength: stand-ins for annotations that
# nobody made.
_CIRCUMPLEX = {
    "neutral": (0.0, 0.0), "happiness": (0.8, 0.3), "sadness": (-0.7, -0.4), "surprise": (0.2, 0.8),
    "fear": (-0.5, 0.8), "disgust": (-0.7, 0.4), "anger": (-0.6, 0.7), "contempt": (-0.5, 0.3),
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """One image of a twin: `path` below the root with forward slashes; its suffix says the format.  `annotation` is a
    stem or ""."""

    index: int
    path: str
    label: int
    identity: int
    annotation: str = ""


def places(spec: TwinSpec) -> tuple[Place, ...]:
    """Where each image goes, in the order of the roster."""
    people = roster(spec)
    numbered = zip(range(len(spec)), people.labels.tolist(), people.identities.tolist(), strict=True)
    return tuple(_place(spec, index, label, identity) for index, label, identity in numbered)


def _place(spec: TwinSpec, index: int, label: int, identity: int) -> Place:
    train = index < spec.train_size
    number = index + 1 if train else index - spec.train_size + 1
    if spec.name == "rafdb-twin":
        stem = f"train_{number:05d}" if train else f"test_{number:04d}"
        return Place(index, f"Image/aligned/{stem}_aligned.jpg", label, identity)
    if spec.name == "sfew-twin":
        split = "Train/Train_Aligned_Faces" if train else "Val/Val_Aligned_Faces_new/Val_Aligned_Faces"
        # the file name's first part is the film in SFEW; here it is the person, which is what must not straddle a split
        return Place(
            index,
            f"{split}/{_SFEW_FOLDERS[spec.classes[label]]}/Twin{identity:04d}_{index:09d}_00000001.png",
            label,
            identity,
        )
    folder = "train_set" if train else "val_set"
    return Place(index, f"{folder}/images/{number}.jpg", label, identity, f"{folder}/annotations/{number}")


def label_file(spec: TwinSpec) -> tuple[str, str] | None:
    """The path and text of the file that lists all labels (RAF-DB, codes 1..7, no final newline), or None where there
    is none."""
    if spec.name != "rafdb-twin":
        return None
    lines = (f"{place.path.rpartition('/')[2].replace('_aligned', '')} {place.label + 1}" for place in places(spec))
    return "EmoLabel/list_patition_label.txt", "\n".join(lines)  # the release's own spelling


def annotation_files(
    spec: TwinSpec, place: Place, strength: float, landmarks: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
    """Suffix and array of AffectNet's annotation files: label, valence, arousal as text, and the five landmarks (the
    release has 68)."""
    if not place.annotation:
        return
    valence, arousal = (
        round(min(max(value * strength, -1.0), 1.0), 3) for value in _CIRCUMPLEX[spec.classes[place.label]]
    )
    yield "_exp.npy", np.array(str(place.label))
    yield "_val.npy", np.array(str(valence))
    yield "_aro.npy", np.array(str(arousal))
    yield "_lnd.npy", landmarks.reshape(-1)
