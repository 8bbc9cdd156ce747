"""How much work is timed?  Sizes by device, so that a run takes minutes and every contender works for long enough."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """`images` are rendered and written as files; an epoch trains on `images` of `size` pixels in batches of `batch`.

    `workers` are the reference's loader processes.  `resnet_batch` and `resnet_size` are those of ratio C,
    `data_images` and `data_size` those of the data path alone, `gate_images` are compared with PIL for each preset.
    """

    images: int
    size: int
    batch: int
    rounds: int
    workers: int
    resnet_batch: int
    resnet_size: int
    data_images: int
    data_size: int
    gate_images: int


# Process CPU time does not count a loader's processes, so on a CPU the reference loads in its own process.
CPU = Sizes(96, 64, 32, 5, 0, 32, 64, 64, 224, 128)
CUDA = Sizes(4096, 224, 256, 5, 4, 256, 224, 512, 224, 256)
QUICK = Sizes(56, 32, 8, 1, 0, 8, 32, 8, 64, 8)


def sizes(device: str, quick: bool) -> Sizes:
    """The sizes for `cpu` or `cuda`; `quick` ones show that everything runs and measure nothing."""
    return QUICK if quick else CUDA if device == "cuda" else CPU
