"""How large are the networks?  Table 6 beside our own counts, from results/costs.json."""

from __future__ import annotations

from collections.abc import Mapping

from bench.cost import Cost
from bench.markdown import MISSING, Column, Page, Section, count, grouped, scaled, table
from bench.report import reported as printed
from bench.report.reported import Reported
from bench.report.verdict import judge_count
from bench.spec import Table
from bench.table6 import HEADS, ROWS

MILLION, BILLION = 10**6, 10**9
FOOTERS = (
    "Params (M): parameters in millions, counted from the module itself, not by an operation counter.",
    "Ops (G): billions of operations for one image in the paper's convention: a multiply-add is 1, biases, batch "
    "normalisation and average pooling count, activations and max pooling do not; evaluation mode, batch 1.",
    "MACs (G): multiply-adds of convolutions, linear layers and attention; torch's own counter prints twice that.",
    "A count has no interval: a verdict compares the printed digits.",
)


def page(spec: Table, costs: Mapping[str, Cost], reported: Reported) -> Page:
    """The page of Table 6: the paper's rows with our counts, then the rows that make the comparison fair."""
    number = next(iter(spec.numbers), "")
    figures = [row for row in reported.costs if row.table == number.removeprefix("Table ")]
    labels = {row.name: row.label for row in ROWS}
    in_paper = {row.method: row for row in figures if row.method}
    heads = {f"dan-{number}": str(number) for number in HEADS}
    lines: list[tuple[str, printed.Cost | None, Cost | None]] = [
        (labels.get(name, name), in_paper.get(name), cost) for name, cost in costs.items() if name not in heads
    ]
    lines += [(row.label, row, None) for row in figures if row.method not in costs]
    by_heads = [_exact(label, costs[name]) for name, label in heads.items() if name in costs]
    columns = (
        Column("Network", "left"),
        Column("Paper (M)"),
        Column("Params (M)"),
        Column("Paper (G)"),
        Column("Ops (G)"),
        Column("MACs (G)"),
        Column("Input", "left"),
        Column("Verdict", "left"),
    )
    exact = (Column("Parameters"), Column("Operations"), Column("Multiply-adds"))
    return Page(
        heading=f"{number + '. ' if number else ''}{spec.title}",
        status="Counted from the networks as they are built here; no training, no data.",
        table=table(columns, [_line(*line) for line in lines]),
        sections=(
            Section(
                "Exact counts",
                table((Column("Network", "left"), *exact), [_exact(label, cost) for label, _, cost in lines if cost]),
            ),
            Section("DAN by number of heads", table((Column("Heads"), *exact), by_heads) if by_heads else ""),
            Section("What each figure counts", grouped((label, cost.note) for label, _, cost in lines if cost)),
        ),
        footers=FOOTERS,
    )


def _line(label: str, figure: printed.Cost | None, cost: Cost | None) -> tuple[str, ...]:
    if cost is None:
        assert figure is not None
        return (label, figure.parameters_millions, MISSING, figure.operations_billions, *[MISSING] * 3, "not counted")
    return (
        label,
        figure.parameters_millions if figure else MISSING,
        scaled(cost.parameters, MILLION, 2),
        figure.operations_billions if figure else MISSING,
        scaled(cost.ops_paper, BILLION, 2),
        scaled(cost.macs, BILLION, 4),
        "x".join(map(str, cost.input[1:])),
        _words(figure, cost) if figure else "not in the paper",
    )


def _words(figure: printed.Cost, cost: Cost) -> str:
    """One word where parameters and operations agree in it, else one for each."""
    parameters = judge_count(figure.parameters_millions, cost.parameters, MILLION).word
    operations = judge_count(figure.operations_billions, cost.ops_paper, BILLION).word
    return parameters if parameters == operations else f"parameters {parameters}, operations {operations}"


def _exact(label: str, cost: Cost) -> tuple[str, ...]:
    return label, count(cost.parameters), count(cost.ops_paper), count(cost.macs)
