"""What does the lab keep of a network?  One JSON a cell below results/heads, so that pages need no weights.

Reading imports no torch.  `key` and `record_digest` say of which result it is, `weights_sha256` of which weights.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.atomic import write_text
from bench.errors import UserError
from bench.heads.diversity import Floats, chance_overlap, diversity
from bench.heads.regions import region_shares
from bench.record import Record

MEASURES = ("cosine", "overlap", "jensen_shannon", "centre")


@dataclass(frozen=True)
class Spread:
    """A measure over images: its mean and quartiles."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Heads:
    """What is known of one network's heads.

    `measures` by name, empty for one head.  `correct` of `n` answers are right with all heads; `without`, `silenced`
    hold the same for each head left out, or kept at its mean.  `partition` is the partition loss, None for one head.
    `region_images`, `area` (by region), `attention` (by head and region) and `information` are of the renderer's
    regions, None where there are none.
    """

    correct: int
    without: tuple[int, ...]
    silenced: tuple[int, ...]
    partition: float | None
    measures: Mapping[str, Spread]
    region_images: int | None
    area: tuple[float, ...] | None
    attention: tuple[tuple[float, ...], ...] | None
    information: float | None

    @property
    def lift(self) -> NDArray[np.float64] | None:
        """(K, R): attention on a region over its area, None where no region is known."""
        if self.attention is None or self.area is None:
            return None
        area = np.array(self.area)
        shape = np.array(self.attention)
        return np.divide(shape, area, out=np.full(shape.shape, np.nan), where=area > 0)


@dataclass(frozen=True)
class Entry:
    """One cell in the lab: the network as `trained`, and the same before its first step (None where it does not start
    from random weights)."""

    cell: str
    key: str
    record_digest: str
    weights_sha256: str
    heads: int
    map_size: tuple[int, int]
    image_size: int
    n: int
    regions: tuple[str, ...]
    trained: Heads
    untrained: Heads | None

    @property
    def chance(self) -> float:
        """The overlap of heads whose top fields are drawn at random."""
        return chance_overlap(self.map_size[0] * self.map_size[1])


def described(
    maps: Floats,
    masks: NDArray[np.uint8] | None,
    correct: int,
    without: tuple[int, ...],
    silenced: tuple[int, ...],
    partition: float | None,
) -> Heads:
    """The measures of maps (n, K, h, w) and, where there are masks (n, S, S, R), of the renderer's regions."""
    measures: dict[str, Spread] = {}
    if maps.shape[1] > 1:
        found = diversity(maps)
        measures = {name: _spread(getattr(found, name)) for name in MEASURES}
    shares = region_shares(maps, masks) if masks is not None else None
    return Heads(
        correct,
        without,
        silenced,
        _short(partition) if partition is not None else None,
        measures,
        shares.images if shares else None,
        tuple(_short(value) for value in shares.area) if shares else None,
        tuple(tuple(_short(value) for value in row) for row in shares.attention) if shares else None,
        _short(shares.information) if shares else None,
    )


def path_of(results: Path, cell: str) -> Path:
    """Where a cell's file lies."""
    return results / "heads" / f"{cell}.json"


def save(results: Path, entry: Entry) -> None:
    """Write a cell's file."""
    write_text(path_of(results, entry.cell), json.dumps(asdict(entry), indent=1, sort_keys=True) + "\n")


def load(results: Path, cell: str) -> Entry | None:
    """What the lab knows of a cell, None for nothing.  Raises UserError for a damaged file."""
    path = path_of(results, cell)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        content |= {name: _heads(content[name]) for name in ("trained", "untrained")}
        content |= {name: tuple(content[name]) for name in ("map_size", "regions")}
        return Entry(**content)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{path}: {error}; delete it and run `python -m bench.figures --suite heads` again") from None


def problems(results: Path, records: Mapping[str, Record]) -> list[str]:
    """A line for each file of the lab that does not belong to the record of its cell."""
    folder, found = results / "heads", []
    for path in sorted(folder.rglob("*.json")) if folder.is_dir() else ():
        cell = path.relative_to(folder).with_suffix("").as_posix()
        entry, record = load(results, cell), records.get(cell)
        if record is None:
            found.append(f"{path}: its cell has no record")
        elif entry is None or entry.cell != cell or (entry.key, entry.record_digest) != (record.key, record.digest):
            found.append(f"{path}: of another result than the record of its cell; run `python -m bench.figures` again")
    return found


def current(results: Path, cell: str, record: Record) -> Entry | None:
    """What the lab knows of a cell as its record is now; None where it knows nothing, or of an older result."""
    entry = load(results, cell)
    return entry if entry is not None and entry.record_digest == record.digest else None


def _heads(content: Any) -> Heads | None:
    if content is None:
        return None
    measures = {name: Spread(**spread) for name, spread in content["measures"].items()}
    lists = {name: tuple(content[name]) for name in ("without", "silenced")}
    area = tuple(content["area"]) if content["area"] is not None else None
    attention = tuple(tuple(row) for row in content["attention"]) if content["attention"] is not None else None
    return Heads(**content | lists | {"measures": measures, "area": area, "attention": attention})


def _spread(values: Floats) -> Spread:
    low, high = np.quantile(values, (0.25, 0.75))
    return Spread(_short(values.mean()), _short(low), _short(high))


def _short(value: float) -> float:
    """Six significant digits: more would be the arithmetic's."""
    return float(f"{float(value):.6g}")
