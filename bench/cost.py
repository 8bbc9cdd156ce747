"""How large is a network?  Parameters, operations in the paper's convention, and pure multiply-adds (Table 6).

    python -m bench.cost            count every row of bench/table6.py and write results/costs.json
    python -m bench.cost --check    count again and fail on one difference

Parameters are counted from the module itself: an operation counter misses fused norm layers and bare parameters.
Tables read the file, so rendering them imports no torch.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.atomic import write_text
from bench.command import finish
from bench.errors import UserError

if TYPE_CHECKING:
    from torch import nn

COSTS = "costs.json"


@dataclass(frozen=True)
class Cost:
    """The size of one network on one image.

    `ops_paper` follows the convention of Table 6 (FIDELITY section 3): a multiply-add is 1, as are a bias, each of the
    two steps of a batch normalisation, and each addition and the division of an average pooling.  `macs` are the
    multiply-adds of convolutions, linear layers and attention alone.  `input` is the image (channels, height, width).
    `note` says what the figure counts.
    """

    parameters: int
    ops_paper: int
    macs: int
    input: tuple[int, ...]
    note: str = ""


def cost_of(network: nn.Module, input_shape: Sequence[int], note: str = "") -> Cost:
    """Count a network, in evaluation mode, on one image of `input_shape` (channels, height, width).

    The network itself stays as it is: a copy without storage (meta device) is counted.
    """
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as operators:
        ops = _sum_over_layers(network, input_shape, _paper_ops)
    return Cost(
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        ops_paper=ops,
        macs=operators.get_total_flops() // 2,  # torch counts the multiplication and the addition
        input=tuple(input_shape),
        note=note,
    )


def layer_macs(network: nn.Module, input_shape: Sequence[int]) -> int:
    """Multiply-adds of the convolution and linear layers, counted by layer and not by operator.

    The second opinion on `Cost.macs`; less where a network multiplies outside its layers (attention).
    """
    return _sum_over_layers(network, input_shape, _macs)


def read_costs(results: Path) -> dict[str, Cost]:
    """The counted rows by the names of bench/table6.py, in its order.  Raises UserError where the file is missing or
    damaged."""
    path = results / COSTS
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {name: Cost(**row | {"input": tuple(row["input"])}) for name, row in content.items()}
    except FileNotFoundError:
        raise UserError(f"{path} is missing: write it with `python -m bench.cost --results {results}`") from None
    except (ValueError, TypeError, KeyError, AttributeError):  # no JSON, or not of this form
        raise UserError(f"{path} is damaged: write it again with `python -m bench.cost --results {results}`") from None


def to_json(costs: Mapping[str, Cost]) -> str:
    """The bytes of costs.json: equal for equal counts."""
    return json.dumps({name: asdict(cost) for name, cost in costs.items()}, indent=1, ensure_ascii=False) + "\n"


def _sum_over_layers(network: nn.Module, input_shape: Sequence[int], count: Callable[[Any, Any, Any], int]) -> int:
    """Run one image through a copy of the network and add up `count(layer, input, output)` over its leaf layers."""
    import copy

    import torch

    total = 0

    def add(layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        nonlocal total
        total += count(layer, inputs[0], output)

    twin = copy.deepcopy(network).to("meta").eval()
    for layer in twin.modules():
        if not any(True for _ in layer.children()):
            layer.register_forward_hook(add)
    with torch.no_grad():
        twin(torch.empty(1, *input_shape, device="meta"))
    return total


def _macs(layer: nn.Module, _input: Any, output: Any) -> int:
    from torch import nn

    if isinstance(layer, nn.Conv2d):
        return output.numel() * layer.in_channels // layer.groups * prod(layer.kernel_size)
    if isinstance(layer, nn.Linear):
        return output.numel() * layer.in_features
    return 0


def _paper_ops(layer: nn.Module, input: Any, output: Any) -> int:
    """FIDELITY section 3: layers that are not named here (activations, max pooling) count nothing."""
    from torch import nn

    if isinstance(layer, nn.Conv2d) and layer.bias is not None:
        return _macs(layer, input, output) + output.numel()
    if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
        return 2 * input.numel()
    if isinstance(layer, nn.AdaptiveAvgPool2d):
        window = prod(a // b for a, b in zip(input.shape[2:], output.shape[2:], strict=True))
        return output.numel() * (window + 1)
    if isinstance(layer, nn.AvgPool2d):
        return output.numel()
    return _macs(layer, input, output)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.cost", description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument(
        "--results", type=Path, default=Path("results"), metavar="DIR", help="where costs.json lies (results)"
    )
    parser.add_argument("--check", action="store_true", help="count again; exit with 1 where the file differs")
    parser.epilog = "example: python -m bench.cost --check"
    options = parser.parse_args(arguments)
    return finish(lambda: (_check if options.check else _write)(options.results))


def _write(results: Path) -> int:
    costs = _counted()
    write_text(results / COSTS, to_json(costs))
    print(f"{results / COSTS}: {len(costs)} networks counted")
    return 0


def _check(results: Path) -> int:
    stored, counted = read_costs(results), _counted()
    differing = [name for name in stored | counted if stored.get(name) != counted.get(name)]
    for name in differing:
        print(f"{name}: stored {stored.get(name)}, counted {counted.get(name)}")
    if not differing and (results / COSTS).read_text(encoding="utf-8") != to_json(counted):
        print(f"{results / COSTS}: other bytes or another order than `python -m bench.cost` writes")
        return 1
    if differing:
        return 1
    print(f"{results / COSTS}: {len(counted)} networks counted again, no difference")
    return 0


def _counted() -> dict[str, Cost]:
    from bench.table6 import ROWS

    return {row.name: cost_of(row.build(), row.input, row.note) for row in ROWS}


if __name__ == "__main__":
    sys.exit(main())
