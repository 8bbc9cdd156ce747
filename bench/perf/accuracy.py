"""Does `fast` cost accuracy?  Records of both numeric modes, paired by row and seed."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from bench import store
from bench.errors import UserError
from bench.perf.report import SCHEMA
from bench.record import Record
from bench.stats import summarise_seeds


def accuracy_document(results: Path) -> dict[str, Any]:
    """What the records below `results` say, for every row that ran in both modes.  Raises UserError where none did."""
    found: dict[tuple[str, str], dict[str, dict[int, Record]]] = defaultdict(lambda: {"faithful": {}, "fast": {}})
    for name, record in store.scan(results):
        place, _, _ = name.rpartition("/")
        row = place.removesuffix(f"-{record.cell['numeric']}")
        found[row, record.data.digest][record.cell["numeric"]][record.cell["seed"]] = record
    rows, paired = [], []
    for (row, digest), modes in sorted(found.items()):
        seeds = sorted(modes["faithful"].keys() & modes["fast"].keys())
        if seeds:
            rows.append(_row(row, digest, modes, seeds))
            paired.append(modes["fast"][seeds[0]])
    if not rows:
        raise UserError(f"{results}: no row has records in both numeric modes; run one with --numeric fast")
    some = paired[0]
    return {
        "schema": SCHEMA,
        "kind": "accuracy",
        "rows": rows,
        "note": (
            f"Last epoch, correct of n test images, seed after seed; the same seed sees the same split, order and "
            f"augmentation in both modes.  Most frequent: what always naming the most frequent class would get; where "
            f"a mode does not exceed it, little was learnt and the difference says little.  Computed on "
            f"{some.provenance['device']} "
            f"({some.provenance['machine']}), torch {some.provenance['packages']['torch']}."
            + (
                "  Quick budget: a rehearsal on few small images, whose interval is wide."
                if some.cell["budget"] == "quick"
                else ""
            )
        ),
    }


def _row(row: str, digest: str, modes: dict[str, dict[int, Record]], seeds: list[int]) -> dict[str, Any]:
    correct = {mode: [modes[mode][seed].scores["last"].correct for seed in seeds] for mode in modes}
    n = modes["faithful"][seeds[0]].scores["last"].n
    differences = [(fast - faithful) / n for faithful, fast in zip(correct["faithful"], correct["fast"], strict=True)]
    summary = summarise_seeds(differences)
    return {
        "row": row,
        "data_digest": digest,
        "n": n,
        "most_frequent_class": max(modes["faithful"][seeds[0]].data.test_per_class),
        "seeds": seeds,
        **correct,
        "mean": summary.mean,
        "half_width": summary.half_width,
        "keys": {mode: [modes[mode][seed].key for seed in seeds] for mode in modes},
    }
