"""What is a CUDA graph on a machine without a GPU?  A list of operations, run again into the tensors of the first time.

It has the traits that mistakes come from: Python runs once, what it changes during the capture is not done, inputs are
read where they lay, and outputs are written over by every replay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

CPU = torch.device("cpu")


class Graph(TorchDispatchMode):
    """Operations as they come, and where their results lie."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[tuple[Callable[..., Any], Any, Any, list[Tensor]]] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = function(*args, **kwargs)
        self.operations.append((function, args, kwargs, _fresh(result, (args, kwargs))))
        return result

    @torch.no_grad()
    def replay(self) -> None:
        for function, args, kwargs, fresh in self.operations:
            again = _fresh(function(*args, **kwargs), (args, kwargs))
            for old, new in zip(fresh, again, strict=True):
                old.copy_(new)


class Stream:
    """Everything runs in order here."""

    device = CPU

    def __init__(self, device: torch.device = CPU) -> None:
        pass

    def wait_stream(self, other: Stream) -> None:
        pass


def _fresh(result: Any, given: Any) -> list[Tensor]:
    """The results that are no views of what was given: a view sees by itself what is written later."""
    stored = {value.untyped_storage()._cdata for value in _tensors(given)}
    return [value for value in _tensors(result) if value.untyped_storage()._cdata not in stored]


def _tensors(values: Any) -> list[Tensor]:
    return [value for value in tree_leaves(values) if isinstance(value, Tensor)]


def on_this_machine(monkeypatch: pytest.MonkeyPatch, state: list[Tensor]) -> list[Graph]:
    """Let torch.cuda's graphs be these for a test; `state` is what a capture must leave as it was.  Returns what will
    be captured."""
    captured: list[Graph] = []

    @contextmanager
    def graph(recorder: Graph, **_: Any) -> Iterator[None]:
        before = [value.clone() for value in state]
        with recorder:
            yield
        with torch.no_grad():
            for value, old in zip(state, before, strict=True):
                value.copy_(old)
        captured.append(recorder)

    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device=None: Stream())
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", graph)
    return captured
