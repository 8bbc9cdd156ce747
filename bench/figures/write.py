"""How do a suite's figures come to disk?  Pictures and data whole, the list last; what nothing makes any more goes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from bench.atomic import write_bytes, write_text
from bench.figures import manifest, style
from bench.figures.chart import Chart
from bench.figures.manifest import Entry
from bench.record import Record


def write(
    results: Path, suite: str, charts: Iterable[Chart], records: Mapping[str, Record], kept: Collection[str] = ()
) -> tuple[Path, ...]:
    """Draw the charts into the suite's folder, and remove the others but `kept` (stems that only weights can make).

    Returns the pictures.
    """
    folder = manifest.folder_of(results, suite)
    before = manifest.read(results, suite)
    entries: dict[str, Entry] = {}
    for chart in charts:
        picture = picture_of(chart)
        write_bytes(folder / f"{chart.stem}.png", picture)
        write_text(folder / f"{chart.stem}.csv", chart.csv)
        entries[chart.stem] = entry_of(chart, picture, records)
    entries |= {stem: entry for stem, entry in before.items() if stem in kept and stem not in entries}
    if entries or before:
        manifest.write(results, suite, entries)
    for stem in before.keys() - entries.keys():
        for suffix in ("png", "csv"):
            (folder / f"{stem}.{suffix}").unlink(missing_ok=True)
    return tuple(folder / f"{stem}.png" for stem in entries)


def picture_of(chart: Chart) -> bytes:
    """The picture in the house style."""
    with style.styled():
        return style.png(chart.draw())


def entry_of(chart: Chart, picture: bytes, records: Mapping[str, Record]) -> Entry:
    """What the list says of a chart."""
    cells = {cell: records[cell].digest for cell in sorted(chart.cells)}
    csv = chart.csv.encode()
    return Entry(chart.title, chart.caption, chart.source, cells, manifest.sha256(picture), manifest.sha256(csv))
