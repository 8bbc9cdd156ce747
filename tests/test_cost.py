"""Is Table 6 counted to the last digit, and do two counters agree?"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from bench.cost import Cost, cost_of, layer_macs, main, read_costs, to_json
from bench.errors import UserError
from bench.table6 import ROWS

RESULTS = Path(__file__).parent.parent / "results"
BY_NAME = {row.name: row for row in ROWS}

# Parameters, operations in the paper's convention, and what the paper prints in millions and billions.
PRINTED = {
    "efficientface": (1_275_293, 154_176_526, "1.28", "0.15"),
    "scn": (11_180_616, 1_818_558_464, "11.18", "1.82"),
    "ran": (11_186_250, 14_548_455_424, "11.19", "14.55"),
    "psr": (20_244_586, 10_123_947_066, "20.24", "10.12"),
    "dacl": (103_042_311, 1_910_414_976, "103.04", "1.91"),
    "resnet18": (11_689_512, 1_819_066_368, "11.69", "1.82"),
    "dan": (19_723_733, 2_230_861_582, "19.72", "2.23"),
}
# Pure multiply-adds in billions.
MACS = {
    "efficientface": "0.1497",
    "scn": "1.8136",
    "ran": "14.5085",
    "psr": "10.0997",
    "dacl": "1.9054",
    "resnet18": "1.8141",
    "dan": "2.2247",
}


@pytest.fixture(scope="module")
def networks() -> dict[str, nn.Module]:
    return {row.name: row.build() for row in ROWS}


@pytest.fixture(scope="module")
def costs(networks: dict[str, nn.Module]) -> dict[str, Cost]:
    return {row.name: cost_of(networks[row.name], row.input, row.note) for row in ROWS}


@pytest.mark.parametrize("name", PRINTED)
def test_every_row_of_the_papers_table_comes_out_to_the_printed_digit(costs: dict[str, Cost], name: str) -> None:
    parameters, ops, millions, billions = PRINTED[name]
    assert (costs[name].parameters, costs[name].ops_paper) == (parameters, ops)
    assert (f"{parameters / 1e6:.2f}", f"{ops / 1e9:.2f}") == (millions, billions)
    assert f"{costs[name].macs / 1e9:.4f}" == MACS[name]


@pytest.mark.parametrize("name", BY_NAME)
def test_counting_by_operator_and_by_layer_gives_the_same_multiply_adds(
    networks: dict[str, nn.Module], costs: dict[str, Cost], name: str
) -> None:
    assert layer_macs(networks[name], BY_NAME[name].input) == costs[name].macs


def test_resnet_as_compared_has_seven_classes(costs: dict[str, Cost]) -> None:
    fair = costs["resnet18-fair"]
    assert fair.parameters == 11_180_103
    assert f"{fair.ops_paper / 1e9:.4f}" == "1.8186"
    thousand = costs["resnet18"]
    assert thousand.parameters - fair.parameters == 993 * 513
    assert thousand.ops_paper - fair.ops_paper == 993 * 512


def test_psr_on_the_image_of_the_other_rows_is_five_times_as_large(costs: dict[str, Cost]) -> None:
    assert f"{costs['psr-224'].parameters / 1e6:.2f}" == "20.97"
    assert f"{costs['psr-224'].ops_paper / 1e9:.2f}" == "51.95"


@pytest.mark.parametrize("heads", range(1, 9))
def test_each_head_of_dan_costs_the_same(costs: dict[str, Cost], heads: int) -> None:
    cost = costs[f"dan-{heads}"]
    assert cost.parameters == 13_316_021 + 2_135_904 * (heads - 1)
    assert cost.macs / 1e9 == pytest.approx(1.9164 + 0.10279 * (heads - 1), abs=1e-4)


def test_the_convention_counts_biases_normalisation_and_pooling_as_by_hand() -> None:
    network = nn.Sequential(
        nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2),  # (6, 5, 5): 2 x 9 multiply-adds and a bias each
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Conv2d(6, 8, 1, bias=False),  # (8, 5, 5)
        nn.AvgPool2d(2),  # (8, 2, 2)
        nn.AdaptiveAvgPool2d(1),  # 4 additions and a division for each of 8
        nn.Flatten(),
        nn.Linear(8, 3),
        nn.BatchNorm1d(3),
        nn.Sigmoid(),
    )
    convolutions = 150 * 18, 200 * 6
    cost = cost_of(network, (4, 9, 9))
    assert cost.macs == sum(convolutions) + 24
    assert cost.ops_paper == sum(convolutions) + 150 + 2 * 150 + 32 + 8 * 5 + 24 + 2 * 3
    assert cost.parameters == (6 * 2 * 9 + 6) + 12 + 48 + (24 + 3) + 6


def test_attention_is_counted_by_operator_only() -> None:
    network = _Attention()
    tokens, width = 16, 8
    assert layer_macs(network, (width, 4, 4)) == 0
    assert cost_of(network, (width, 4, 4)).macs == 2 * tokens * tokens * width


def test_counting_leaves_the_network_as_it_was() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    cost_of(network, (3, 8, 8))
    assert network.training and network[0].weight.device.type == "cpu" and not network[0]._forward_hooks
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_the_file_of_counts_is_what_counting_gives_and_is_read_back(costs: dict[str, Cost]) -> None:
    assert (RESULTS / "costs.json").read_text(encoding="utf-8") == to_json(costs)
    assert read_costs(RESULTS) == costs
    assert list(read_costs(RESULTS)) == [row.name for row in ROWS]


def test_check_fails_on_one_differing_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bench.table6.ROWS", (BY_NAME["resnet18-fair"],))
    assert main(["--results", str(tmp_path)]) == 0
    assert main(["--results", str(tmp_path), "--check"]) == 0
    file = tmp_path / "costs.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    content["resnet18-fair"]["parameters"] += 1
    file.write_text(json.dumps(content), encoding="utf-8")
    capsys.readouterr()
    assert main(["--results", str(tmp_path), "--check"]) == 1
    assert capsys.readouterr().out.startswith("resnet18-fair: stored")


@pytest.mark.parametrize("content", [None, "{", "[]", '{"dan": {"parameters": 1}}', '{"dan": 3}'])
def test_a_missing_or_damaged_file_is_named_with_what_to_do(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "costs.json").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=r"costs\.json is (missing|damaged): write it .*python -m bench\.cost"):
        read_costs(tmp_path)
    assert main(["--results", str(tmp_path), "--check"]) == 2


def test_reading_the_rows_and_their_counts_imports_no_torch() -> None:
    code = (
        "import sys; from pathlib import Path; from bench.cost import read_costs; from bench.table6 import ROWS\n"
        f"assert len(read_costs(Path({str(RESULTS)!r}))) == len(ROWS)\n"
        "print(sorted({'torch', 'torchvision', 'timm', 'mlflow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=RESULTS.parent)
    assert (done.stdout, done.stderr) == ("[]\n", "")


class _Attention(nn.Module):
    """Self-attention without projections over the places of a map (N, D, h, w)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = x.flatten(2).transpose(1, 2)  # (N, T, D)
        return (tokens @ tokens.transpose(1, 2)).softmax(dim=2) @ tokens
