"""What did a run of bench.perf find, for machines and for people?  One JSON document; Markdown made from it alone."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.markdown import Column, Page, Section, table
from bench.provenance import git, machine, packages

if TYPE_CHECKING:
    import torch

    from bench.perf.cells import Timing
    from bench.perf.ratios import Outcome
    from bench.perf.scaling import Point

SCHEMA = 1
KINDS = ("ratios", "scaling", "cells", "accuracy")


def facts(device: torch.device | None, quick: bool, load_before: float) -> dict[str, Any]:
    """The machine as a class (no host name), what computes, and how busy it was; `device` is None where torch takes no
    part."""
    if device is None:
        return _facts(quick, load_before) | {"device": "cpu", "threads": 1, "clock": "wall time"}
    import torch

    on_gpu = device.type == "cuda"
    return _facts(quick, load_before) | {
        "device": torch.cuda.get_device_name(device) if on_gpu else "cpu",
        "device_memory_gib": round(torch.cuda.mem_get_info(device)[1] / 2**30, 1) if on_gpu else None,
        "threads": torch.get_num_threads(),
        "cuda": torch.version.cuda if on_gpu else None,
        "clock": "wall time" if on_gpu else "process CPU time",
    }


def _facts(quick: bool, load_before: float) -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": machine(),
        "memory_gib": round(memory / 2**30, 1),
        "python": platform.python_version(),
        "packages": packages(),
        "load_average": {"before": round(load_before, 2), "after": round(load(), 2)},
        "quick": quick,
        "git": git("rev-parse", "HEAD"),
        "date": datetime.now(UTC).date().isoformat(),
    }


def load() -> float:
    """Processes that want a core, averaged over the last minute."""
    return os.getloadavg()[0]


def ratios_document(found: Outcome, about: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "kind": "ratios",
        "about": dict(about),
        "rows": [asdict(row) for row in found.rows],
        "gates": [asdict(gate) | {"held": gate.held} for gate in found.gates],
        "extra": found.extra,
    }


def scaling_document(points: Sequence[Point], about: Mapping[str, Any]) -> dict[str, Any]:
    return {"schema": SCHEMA, "kind": "scaling", "about": dict(about), "points": [asdict(point) for point in points]}


def cells_document(found: Sequence[Timing], about: Mapping[str, Any]) -> dict[str, Any]:
    return {"schema": SCHEMA, "kind": "cells", "about": dict(about), "timings": [asdict(timing) for timing in found]}


def as_json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def as_text(document: Mapping[str, Any]) -> str:
    """The document as Markdown, without a heading."""
    body = {"ratios": _ratios, "scaling": _scaling, "cells": _cells, "accuracy": _accuracy}[document["kind"]]
    parts = [body(document), *([document["note"]] if "note" in document else [])]
    if "about" in document:
        parts.append(about_line(document["about"]))
    return "\n\n".join(parts)


def about_line(about: Mapping[str, Any]) -> str:
    """Under which conditions: one paragraph."""
    versions = ", ".join(f"{name} {version}" for name, version in about["packages"].items())
    where = about["processor"] if about["device"] == "cpu" else f"{about['device']} ({about['processor']})"
    loads = about["load_average"]
    rehearsal = "**Quick sizes: this shows that everything runs and measures nothing.**  " if about["quick"] else ""
    return (
        f"{rehearsal}Measured on {where}, {about['memory_gib']} GiB of memory, {about['threads']} thread(s), in "
        f"{about['clock']}; load average {loads['before']} before and {loads['after']} after.  Python "
        f"{about['python']}, {versions}.  Commit {(about['git'] or 'unknown')[:12]}, {about['date']}."
    )


def _ratios(document: Mapping[str, Any]) -> str:
    columns = [
        Column("Ratio", "left"),
        Column("What", "left"),
        Column("Median"),
        Column("Lowest to highest"),
        Column("Rounds"),
        Column("Ours, images/s"),
        Column("Other, images/s"),
        Column("Goal"),
        Column("Conditions", "left"),
    ]
    lines = []
    for row in document["rows"]:
        if "reason" in row:
            lines.append((row["name"], row["title"], "–", "", "", "", "", "", row["reason"]))
            continue
        ratio, goal = row["ratio"], row["goal"]
        missed = goal is not None and round(ratio["median"], 2) < goal  # as printed
        lines.append(
            (
                row["name"],
                row["title"],
                f"{ratio['median']:.2f}",
                f"{ratio['low']:.2f} to {ratio['high']:.2f}",
                str(ratio["rounds"]),
                f"{row['ours']['median']:.1f}",
                f"{row['theirs']['median']:.1f}",
                "–" if goal is None else f"≥ {goal:g}" + (" (missed)" if missed else ""),
                row["note"],
            )
        )
    gates = table(
        [Column("Gate", "left"), Column("Found", "left"), Column("Wanted", "left"), Column("Held", "left")],
        [
            (gate["title"], gate["found"], gate["wanted"], "yes" if gate["held"] else "**no**")
            for gate in document["gates"]
        ],
    )
    parts = [table(columns, lines), gates]
    if limit := document["extra"].get("floor"):
        parts.append(
            f"Floor of ratio C on this GPU: {1e6 * limit['seconds_per_image']:.1f} µs an image, from "
            f"{limit['bandwidth_bytes_per_second'] / 1e12:.2f} TB/s and {limit['products_flop_per_second'] / 1e12:.0f} "
            f"TFLOP/s (bf16) measured in this run; our step reaches {limit['fraction_reached']:.2f} of it"
            + (f", compiled {limit['fraction_reached_compiled']:.2f}." if "fraction_reached_compiled" in limit else ".")
        )
    return "\n\n".join(parts)


def _scaling(document: Mapping[str, Any]) -> str:
    columns = [
        Column("Axis", "left"),
        Column("Value"),
        Column("Cost"),
        Column("Lowest to highest"),
        Column("Unit", "left"),
    ]
    lines = []
    for point in document["points"]:
        thousand, unit = (1.0, "s a cell of one epoch") if point["axis"] == "seeds" else (1000.0, "ms an image")
        cost, low, high = (thousand * point[name] for name in ("median", "low", "high"))
        lines.append((point["axis"], str(point["value"]), f"{cost:.3g}", f"{low:.3g} to {high:.3g}", unit))
    return table(columns, lines)


def _cells(document: Mapping[str, Any]) -> str:
    columns = [
        Column("What", "left"),
        Column("Cells"),
        Column("Seconds"),
        Column("Lowest to highest"),
        Column("Rounds"),
    ]
    lines = [
        (
            each["what"],
            f"{each['cells']:,}",
            f"{each['median']:.2f}",
            f"{each['low']:.2f} to {each['high']:.2f}",
            str(each["rounds"]),
        )
        for each in document["timings"]
    ]
    return table(columns, lines) + "\n\nCopies of one record with 40 epochs, in one process; nothing is trained."


def _accuracy(document: Mapping[str, Any]) -> str:
    columns = [
        Column("Row", "left"),
        Column("n"),
        Column("Most frequent"),
        Column("Seeds"),
        Column("faithful, correct", "left"),
        Column("fast, correct", "left"),
        Column("fast − faithful, points"),
        Column("95 % t-interval"),
    ]
    lines = [
        (
            row["row"],
            str(row["n"]),
            str(row["most_frequent_class"]),
            str(len(row["seeds"])),
            ", ".join(map(str, row["faithful"])),
            ", ".join(map(str, row["fast"])),
            f"{100 * row['mean']:+.2f}",
            "–" if row["half_width"] is None else f"± {100 * row['half_width']:.2f}",
        )
        for row in document["rows"]
    ]
    return table(columns, lines)


HEADINGS = {
    "ratios": "Ratios A to D",
    "scaling": "Cost against images, batch, heads, seeds",
    "cells": "Plan and pages of many cells",
    "accuracy": "Accuracy of `fast` against `faithful`",
}


def page(folder: Path) -> str:
    """README.md of results/perf, from its JSON files alone."""
    documents = [(path, json.loads(path.read_text(encoding="utf-8"))) for path in sorted(folder.glob("*.json"))]
    documents.sort(key=lambda item: (KINDS.index(item[1]["kind"]), item[0].name))
    devices = sorted({document["about"]["device"] for _, document in documents if "about" in document})
    on_gpu = [device for device in devices if device != "cpu"]
    said = (f"Measured on {', '.join(devices)}." if devices else "No throughput is measured here yet.") + (
        "" if on_gpu else "  No CUDA GPU was at hand: what concerns one is not measured."
    )
    sections = tuple(
        Section(f"{HEADINGS[document['kind']]} (`{path.name}`)", as_text(document)) for path, document in documents
    )
    footers = (
        "A ratio above 1 means that the harness is the faster.  It is the median, over rounds, of the ratio within a "
        "round; all contenders of a row run in turns.  Ratios between 0.9 and 1.1 are noise on a shared machine.",
        "A: the whole harness against the usual script's loop; B: what the data path and the bookkeeping leave of the "
        "step; C: our ResNet-18 beside timm's; D: what determinism leaves of the speed.  On a GPU the steps of `fast` "
        "are captured, those of long cells compiled (bench/captured.py).  Each section names its commit.",
        "Goals are those of the project's performance notes for this kind of device.",
    )
    return Page(
        "Performance", said, "", sections, footers, "Rendered from the JSON files beside it by `python -m bench.perf`."
    ).text()
