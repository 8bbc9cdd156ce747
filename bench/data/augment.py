"""How does a batch of stored pixels become the model's input?  One gather, equal to PIL + torchvision to the bit.

Storage is uint8, channels last, (N, H, W, 3): resident on the device, or a memory map from which the rows of a batch
are copied (`gather_rows`).  Pixels move as in Pillow (nearest, 16.16 fixed point, black outside), are normalised by a
table of the 256 values that ToTensor and Normalize give, and are erased to 0 afterwards, as RandomErasing does.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # RGB, of values in [0, 1]; the official code normalises every dataset so
IMAGENET_STD = (0.229, 0.224, 0.225)
UNMOVED = [65536, 0, 0, 65536, 32768, 32768, 0, 0, 0, 0, 0, 0, 0]  # the packed row that changes nothing


def normalisation_table(mean: tuple[float, float, float], std: tuple[float, float, float]) -> Tensor:
    """(768,) float32: entry 256 c + v is what ToTensor, then Normalize(mean, std), make of byte v in channel c."""
    # The operations and their order are torchvision's; made once on the CPU, where a division by 255 is a division
    # (CUDA multiplies by the reciprocal), so every device normalises to the same bits.
    value = torch.arange(256, dtype=torch.float32).div(255).expand(3, 256)
    centred = value - torch.tensor(mean, dtype=torch.float32)[:, None]
    return centred.div(torch.tensor(std, dtype=torch.float32)[:, None]).reshape(768)


def gather_rows(cache: np.ndarray, ids: np.ndarray, pin: bool = False) -> Tensor:
    """Rows `ids` of a cache (N, H, W, 3) uint8, copied into memory as (B, H, W, 3); nothing else of a map is read.

    `pin` gives page-locked memory, from which a copy to a CUDA device does not wait for the host.  Raises IndexError
    for an id outside [0, N).
    """
    if len(ids) and not (np.min(ids) >= 0 and np.max(ids) < len(cache)):
        raise IndexError(f"sample ids {np.min(ids)}..{np.max(ids)} asked of a cache of {len(cache)} images")
    rows = torch.empty((len(ids), *cache.shape[1:]), dtype=torch.uint8, pin_memory=pin)
    np.take(cache, ids, axis=0, out=rows.numpy(), mode="clip")  # "raise" would copy everything twice
    return rows


def augment(
    images: Tensor,
    index: Tensor,
    draws: Tensor,
    table: Tensor,
    out_dtype: torch.dtype = torch.float32,
    memory_format: torch.memory_format = torch.contiguous_format,
) -> Tensor:
    """Images `index` (B,) of `images` (N, H, W, 3) uint8, augmented by `draws`, normalised: (B, 3, H, W).

    `draws` (B, 13) int32 are rows of bench.data.draws.pack made for this image size; `table` is a
    normalisation_table.  All tensors are on one device.  The same bits on every path and device.
    """
    _check(images)
    if images.device.type == "cpu" and not torch.compiler.is_compiling():
        return _by_rows(images, index, draws, table, out_dtype, memory_format)
    return fused(images, index, draws, table, out_dtype, memory_format)


def plain(
    images: Tensor,
    index: Tensor,
    table: Tensor,
    out_dtype: torch.dtype = torch.float32,
    memory_format: torch.memory_format = torch.contiguous_format,
) -> Tensor:
    """Images `index` (B,) of `images` (N, H, W, 3) uint8, normalised and nothing else: (B, 3, H, W), for evaluation."""
    _check(images)
    if images.device.type == "cpu" and not torch.compiler.is_compiling():
        return _by_rows(images, index, None, table, out_dtype, memory_format)
    value = images[index].int() + _channel_offset(images.device)  # (B, H, W, 3)
    return _channels_first(table.to(out_dtype)[value], memory_format)


def fused(
    images: Tensor,
    index: Tensor,
    draws: Tensor,
    table: Tensor,
    out_dtype: torch.dtype = torch.float32,
    memory_format: torch.memory_format = torch.contiguous_format,
) -> Tensor:
    """`augment` as one expression without data-dependent shapes: what CUDA runs and torch.compile fuses."""
    _, height, width, _ = images.shape
    y = torch.arange(height, dtype=torch.int32, device=images.device).view(1, height, 1)
    x = torch.arange(width, dtype=torch.int32, device=images.device).view(1, 1, width)
    a, b, d, e, c, f, up, along, flip, top, bottom, left, right = draws.view(-1, 13, 1, 1).unbind(1)  # (B, 1, 1) each

    row, column = y + up, x + along  # in the rotated image, of which the crop is taken
    source_x = (a * column + b * row + c) >> 16  # (B, H, W)
    source_y = (d * column + e * row + f) >> 16
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    inside = inside & (source_x >= 0) & (source_x < width) & (source_y >= 0) & (source_y < height)
    source_x = torch.where(flip > 0, width - 1 - source_x, source_x).clamp(0, width - 1)
    source_y = source_y.clamp(0, height - 1)

    value = images[index.view(-1, 1, 1), source_y, source_x].int()  # (B, H, W, 3)
    value = torch.where(inside[..., None], value, 0)  # black before normalising, as in Pillow
    result = table.to(out_dtype)[value + _channel_offset(images.device)]
    erased = (y >= top) & (y < bottom) & (x >= left) & (x < right)
    result = torch.where(erased[..., None], torch.zeros((), dtype=out_dtype, device=images.device), result)
    return _channels_first(result, memory_format)


def _by_rows(
    images: Tensor,
    index: Tensor,
    draws: Tensor | None,
    table: Tensor,
    out_dtype: torch.dtype,
    memory_format: torch.memory_format,
) -> Tensor:
    """`augment`, or `plain` without draws, for a CPU without a compiler: only rows that move compute positions.

    Measured on one core against the uncompiled fused expression, which computes them for all: 4 to 20 times faster.
    """
    _, height, width, _ = images.shape
    pixels, draw_rows = images.numpy(), draws.tolist() if draws is not None else [UNMOVED] * len(index)
    normalise = _normalise_last if memory_format == torch.channels_last else _normalise_first
    result = torch.empty((len(index), 3, height, width), dtype=torch.float32, memory_format=memory_format)
    move = _Mover(height, width)
    for target, sample, row in zip(result.numpy(), index.tolist(), draw_rows, strict=True):
        image = pixels[sample]  # (H, W, 3)
        if row[:8] != UNMOVED[:8]:
            image = move(image, row)
        elif row[8]:
            image = image[:, ::-1]
        normalise(target, image, table.numpy())
        top, bottom, left, right = row[9:]
        target[:, top:bottom, left:right] = 0.0
    return result.to(out_dtype)


def _normalise_first(target: np.ndarray, image: np.ndarray, table: np.ndarray) -> None:
    """Write `image` (H, W, 3) uint8, through the table, to `target` (3, H, W), contiguous."""
    for channel in range(3):
        # mode "clip" because "raise" would copy the output once more; a byte is always a valid index of 256 values.
        np.take(table[256 * channel : 256 * channel + 256], image[:, :, channel], out=target[channel], mode="clip")


def _normalise_last(target: np.ndarray, image: np.ndarray, table: np.ndarray) -> None:
    """Write `image` (H, W, 3) uint8, through the table, to `target` (3, H, W), a view of channels-last memory."""
    height, width, _ = image.shape
    offset = np.tile(np.array([0, 256, 512], np.int16), width)  # a whole row: NumPy is slow along an axis of three
    entry = image.reshape(height, 3 * width) + offset
    np.take(table, entry, out=target.transpose(1, 2, 0).reshape(height, 3 * width), mode="clip")


class _Mover:
    """Pillow's affine map of one image after another, in buffers that are allocated once."""

    def __init__(self, height: int, width: int) -> None:
        self.size = height, width
        # A black border of one pixel stands for everything outside, so that no mask is needed.
        self.source = np.zeros((height + 2, width + 2, 3), np.uint8)
        self.moved = np.empty((height, width, 3), np.uint8)

    def __call__(self, image: np.ndarray, row: list[int]) -> np.ndarray:
        """`image` (H, W, 3) moved by columns 0-8 of a packed row; valid until the next call."""
        height, width = self.size
        a, b, d, e, c, f, up, along, flip = row[:9]
        if flip:  # width - 1 - (v >> 16) is ((width << 16) - 1 - v) >> 16, so a mirror costs nothing
            a, b, c = -a, -b, (width << 16) - 1 - c
        self.source[1:-1, 1:-1] = image
        x = np.arange(along, along + width, dtype=np.int32)[None, :]
        y = np.arange(up, up + height, dtype=np.int32)[:, None]
        source_x = a * x + (b * y + c)  # (H, W)
        source_y = d * x + (e * y + f)
        source_x >>= 16
        source_y >>= 16
        np.clip(source_x, -1, width, out=source_x)
        np.clip(source_y, -1, height, out=source_y)
        source_y *= width + 2
        source_y += source_x
        source_y += width + 3  # row 1, column 1 of the bordered source
        np.take(self.source.reshape(-1, 3), source_y, axis=0, out=self.moved, mode="clip")
        # What the crop takes from the padding around the rotated image is black, whatever the map says.
        self.moved[: max(-up, 0)] = 0
        self.moved[height - max(up, 0) :] = 0
        self.moved[:, : max(-along, 0)] = 0
        self.moved[:, width - max(along, 0) :] = 0
        return self.moved


def _check(images: Tensor) -> None:
    if images.dtype != torch.uint8 or images.dim() != 4 or images.shape[3] != 3:
        raise ValueError(f"images are uint8, channels last (N, H, W, 3), not {images.dtype} {tuple(images.shape)}")


def _channel_offset(device: torch.device) -> Tensor:
    """Where each channel's 256 entries begin in the table, (3,)."""
    return torch.arange(0, 768, 256, dtype=torch.int32, device=device)


def _channels_first(result: Tensor, memory_format: torch.memory_format) -> Tensor:
    """(B, H, W, 3) to (B, 3, H, W); free of a copy where channels_last memory is asked for."""
    return result.permute(0, 3, 1, 2).contiguous(memory_format=memory_format)
