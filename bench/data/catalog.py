"""Which datasets exist, and what is officially in them?  Data only: order of classes, counts, licence, where to ask."""

from __future__ import annotations

from dataclasses import dataclass

RAF_ORDER = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
AFFECTNET_ORDER = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")
SFEW_ORDER = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")


@dataclass(frozen=True)
class DatasetInfo:
    """One dataset as its authors describe it.

    `train` and `test` are the official images per class in `classes` order, empty where no official number is known.
    `test_totals` are the sizes of the scored split in the releases that are in circulation.  `blemishes` is the share
    of images about which the release contradicts itself (two labels, or one photo under two names); up to it they are
    left out with a warning, beyond it the copy is broken.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    licensed: bool
    access: str
    train: tuple[int, ...] = ()
    test: tuple[int, ...] = ()
    test_totals: tuple[int, ...] = ()
    blemishes: float = 0.0

    @property
    def twin(self) -> str | None:
        """The rendered twin that stands in for a licensed dataset."""
        return f"{self.name}-twin" if self.licensed else None


_AFFECTNET_TRAIN = (74_874, 134_415, 25_459, 14_090, 6_378, 3_803, 24_882, 3_750)
_AFFECTNET_ACCESS = "on request for research: mohammadmahoor.com/affectnet (universities; an agreement is signed)"

DATASETS: dict[str, DatasetInfo] = {
    info.name: info
    for info in (
        DatasetInfo(
            "affectnet8",
            "AffectNet-8",
            AFFECTNET_ORDER,
            True,
            _AFFECTNET_ACCESS,
            train=_AFFECTNET_TRAIN,
            test=(500,) * 8,
            test_totals=(4_000, 3_999),
        ),
        DatasetInfo(
            "affectnet7",
            "AffectNet-7",
            AFFECTNET_ORDER[:7],
            True,
            _AFFECTNET_ACCESS,
            train=_AFFECTNET_TRAIN[:7],
            test=(500,) * 7,
            test_totals=(3_500,),
        ),
        DatasetInfo(
            "rafdb",
            "RAF-DB (basic)",
            RAF_ORDER,
            True,
            "on request for research: whdeng.cn/RAF/model1.html (an agreement is signed)",
            train=(1_290, 281, 717, 4_772, 1_982, 705, 2_524),
            test=(329, 74, 160, 1_185, 478, 162, 680),
            test_totals=(3_068,),
        ),
        DatasetInfo(
            "sfew",
            "SFEW 2.0",
            SFEW_ORDER,
            True,
            "on request for research: users.cecs.anu.edu.au/~few_group/AFEW.html (an agreement is signed)",
            test_totals=(431, 436),
        ),
        DatasetInfo(
            "facial_expressions",
            "facial_expressions (7 classes)",
            AFFECTNET_ORDER[:7],
            False,
            "open: git clone https://github.com/muxspace/facial_expressions",
            blemishes=1e-3,
        ),
        DatasetInfo(
            "facial_expressions8",
            "facial_expressions (8 classes)",
            AFFECTNET_ORDER,
            False,
            "open: git clone https://github.com/muxspace/facial_expressions",
            blemishes=1e-3,
        ),
    )
}
TWIN_MARKER = "TWIN.txt"
"""A file in the root of every twin written out as image folders, by which it is told from the licensed dataset."""
TWINS: dict[str, str] = {info.twin: info.name for info in DATASETS.values() if info.twin}


def info(name: str) -> DatasetInfo:
    """The facts of a dataset; a twin's are those of the licensed dataset that it stands in for."""
    return DATASETS[TWINS.get(name, name)]


def title(name: str) -> str:
    """How a table names the dataset.  A twin is never called by the licensed name alone."""
    return f"{info(name).title} twin (rendered faces)" if name in TWINS else info(name).title
