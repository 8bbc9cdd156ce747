"""What do pages of a small results folder say?  Made-up records of a small suite, and how to read its pages."""

from __future__ import annotations

from pathlib import Path

import fake_results

from bench import tables
from bench.cost import Cost, to_json
from bench.spec import Suite
from bench.suite_file import parse_suite

DIGEST = {"first": "aa" * 32, "second": "bb" * 32, "weights": "99" * 32}

REPORTED = """
table = "3"
title = "Table 3"
source = "the paper, Table 3"
dataset = "rafdb"
n_paper = 70

[[accuracy]]
label = "Elsewhere"
citation = "1"
figure = "50.00"
retrained = false
why = "no code released"

[[accuracy]]
label = "SCN"
citation = "2"
figure = "64.29"
method = "scn"
retrained = true

[[accuracy]]
label = "ResNet-18"
figure = "60.00"
method = "resnet18"
retrained = true
selection = "best-test"

[[accuracy]]
label = "DAN (ours)"
figure = "70.01"
method = "dan"
retrained = true
selection = "best-test"
note = "no count of 70 prints as this"
"""
COSTS = {
    "resnet18": Cost(11_689_512, 1_819_066_368, 1_814_073_344, (3, 224, 224), "1,000 classes"),
    "dan": Cost(19_723_733, 2_230_861_582, 2_224_737_792, (3, 224, 224), "7 classes"),
    "dan-1": Cost(13_316_021, 1_921_614_670, 1_916_358_144, (3, 224, 224), "7 classes"),
}
REPORTED_COSTS = """
table = "6"
title = "Table 6"
source = "the paper, Table 6"
retrained = true

[[cost]]
label = "ResNet 18"
parameters_millions = "11.69"
operations_billions = "1.82"
method = "resnet18"

[[cost]]
label = "DAN (ours)"
parameters_millions = "19.72"
operations_billions = "2.32"
method = "dan"

[[cost]]
label = "PSR"
parameters_millions = "20.24"
operations_billions = "10.12"
retrained = false
why = "not counted"
"""


def suite(protocol: str = "paper") -> Suite:
    """A comparison, an ablation and a cost table."""
    comparison = {
        "id": "comparison", "kind": "comparison", "title": "Comparison", "numbers": ["Table 3"], "reference": "dan",
        "datasets": ["rafdb", "facial_expressions"],
        "rows": [{"method": method} for method in ("resnet18", "dan", "scn", "center_loss", "dacl")],
    }  # fmt: skip
    ablation = {
        "id": "ablation", "kind": "ablation", "title": "Ablation", "reference": "dan",
        "datasets": ["rafdb", "facial_expressions"],
        "rows": [
            {"group": "FCN", "label": "none", "method": "dan", "variant": {"affinity": "none"}, "note": "a remark"},
            {"group": "FCN", "label": "affinity", "method": "dan"},
            {"group": "AFN", "label": "partition", "method": "dan"},
        ],
    }  # fmt: skip
    cost = {"id": "cost", "kind": "cost", "title": "Size", "numbers": ["Table 6"]}
    seeds = {"quick": [0, 1], "full": list(range(8))}
    content = {
        "name": "paper",
        "title": "Tables",
        "protocol": protocol,
        "seeds": seeds,
        "tables": [comparison, ablation, cost],
    }
    return parse_suite(content, "paper.toml")


def prepare(folder: Path) -> Path:
    """An empty results folder with printed figures and counts."""
    (folder / "reported").mkdir()
    (folder / "reported" / "table3.toml").write_text(REPORTED)
    (folder / "reported" / "table6.toml").write_text(REPORTED_COSTS)
    (folder / "costs.json").write_text(to_json(COSTS))
    return folder


def fill_twin(results: Path) -> None:
    """Quick: a row with two seeds, one with a failed seed, one on other images, one that only failed, one never run."""
    for seed, correct in enumerate([(30, 42, 40), (30, 39, 41)]):
        fake_results.finish(results, fake_results.cell("rafdb-twin", "dan", seed), correct, digest=DIGEST["first"])
        fake_results.finish(
            results, fake_results.cell("rafdb-twin", "center_loss", seed), correct, digest=DIGEST["second"]
        )
    fake_results.finish(results, fake_results.cell("rafdb-twin", "resnet18", 0), (20, 30, 35), digest=DIGEST["first"])
    fake_results.fail(results, fake_results.cell("rafdb-twin", "resnet18", 1), "the loss is not a number in epoch 2")
    for seed in (0, 1):
        fake_results.fail(results, fake_results.cell("rafdb-twin", "dacl", seed), "out of memory | 3 GiB\nwanted")


def fill_full(results: Path) -> None:
    """Full, from weights: 8 seeds of two methods, 3 of 8 seeds of a third."""
    known = {"weights": "msceleb", "budget": "full"}
    for seed in range(8):
        dan, control = (45, 50 + seed % 3, 48 + seed % 4), (40, 41 + seed % 2, 42)
        for method, correct in (("dan", dan), ("resnet18", control)):
            cell = fake_results.cell("rafdb", method, seed, **known)
            fake_results.finish(results, cell, correct, weights_sha256=DIGEST["weights"])
    for seed in range(3):
        cell = fake_results.cell("rafdb", "scn", seed, **known)
        fake_results.finish(results, cell, (44, 44, 45), weights_sha256=DIGEST["weights"])


def page(results: Path, name: str, spec: Suite | None = None) -> str:
    tables.render(results, spec or suite())
    return (results / "tables" / name).read_text(encoding="utf-8")


def cells(text: str, row: str) -> list[str]:
    """The cells of the first table line whose first cell is `row`."""
    lines = [
        [cell.strip() for cell in line.strip("|").split(" |")] for line in text.splitlines() if line.startswith("|")
    ]
    return next(line for line in lines if line[0] == row)


def column(text: str, row: str, head: str) -> str:
    heads = next(line for line in text.splitlines() if line.startswith("|"))
    return cells(text, row)[[cell.strip() for cell in heads.strip("|").split(" |")].index(head)]
