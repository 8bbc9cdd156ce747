"""How does a GPU in `fast` take steps without waiting for Python?  Captured as a CUDA graph, compiled where it pays.

Launched kernel by kernel, a step of DAN takes an H200 as long at 64 images as at 256: the host is the limit.  So the
forward and backward pass of a full batch is captured once and replayed: the same kernels, so the same bits as step by
step (gate of bench.perf).  The optimiser, whose learning rate changes, and the method's own rule stay outside.

What is compiled (bench.compiled) is decided by the length of a cell alone, never by what ran before it in the process,
so that its number does not depend on its neighbours.

Counted by cells of `fast` alone (bench/key.py): an edit here leaves the records of `faithful` as they are.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import torch
from torch import Tensor

from bench.compiled import compiled_augment, compiled_step
from bench.data.augment import augment
from bench.errors import CellError
from bench.feed import Feed, HostBatch
from bench.method import Batch, Method, Step
from bench.numeric import Arithmetic
from bench.recipe import Recipe
from bench.stepper import Stepper

# Full batches taken step by step before the capture, so that cuDNN, cuBLAS and a compiler have made what they need.
WARM_STEPS = 3
# From how many images (of all epochs) compiling pays, on an H200.  Augmentation: 5 s, once a process, against 7 us an
# image.  Steps: 20 s (ResNet-18) to 41 s (DAN), against 20 to 25 us an image; AffectNet is above, RAF-DB below.
COMPILED_AUGMENTATION_FROM = 250_000
COMPILED_STEPS_FROM = 2_000_000
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Means:
    """What a cell's steps are taken with."""

    compiled_augmentation: bool
    captured: bool
    compiled: bool


def means(method: Method, recipe: Recipe, images: int) -> Means:
    """What pays for a cell that trains on `images` in all."""
    # Sharpness-aware steps pass twice, with other weights in between.  A step that reads the epoch is captured anew in
    # each, and would be compiled anew.
    captured = method.capturable and not recipe.sam_rho
    compiled = captured and not method.reads_epoch and images >= COMPILED_STEPS_FROM
    return Means(images >= COMPILED_AUGMENTATION_FROM, captured, compiled)


class CapturedStepper(Stepper):
    """Full batches are replayed; the last batch of an epoch, and what cannot be captured, are taken step by step."""

    def __init__(
        self, method: Method, optimizer: torch.optim.Optimizer, recipe: Recipe, arithmetic: Arithmetic, images: int
    ) -> None:
        super().__init__(method, optimizer, recipe, arithmetic)
        self.means = means(method, recipe, images)
        self._step = compiled_step(method) if self.means.compiled else method.step
        self._augment = compiled_augment if self.means.compiled_augmentation else augment
        self._stream = torch.cuda.Stream(arithmetic.device)
        self._warm = 0
        self._graph: _Graph | None = None

    def images(self, feed: Feed, host: HostBatch) -> Tensor:
        if len(host.index) != self.recipe.batch_size:  # the compiler would begin again for every other size
            return feed.on_device(host)
        try:
            return feed.on_device(host, self._augment)
        except RuntimeError as error:
            if isinstance(error, torch.OutOfMemoryError) or self._augment is augment:
                raise
            log.warning("augmentation is not compiled, which changes no bit: %s", _first_line(error))
            self._augment = augment
            return feed.on_device(host)

    def take(self, batch: Batch) -> Step:
        if not self.means.captured:
            return super().take(batch)
        with self._beside():
            if len(batch.labels) != self.recipe.batch_size:
                return super().take(batch)
            seen = batch if self.method.reads_epoch else replace(batch, epoch=UNTOLD)
            step = self._warm_up(seen) if self._warm < WARM_STEPS else self._replay(seen)
            self.optimizer.step()
            with torch.no_grad():
                self.method.after_step(batch, step)
            return step

    def _warm_up(self, batch: Batch) -> Step:
        """Forward and backward as they are written, compiled where the replayed ones will be."""
        self._warm += 1
        self.optimizer.zero_grad(set_to_none=True)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"\s*Online softmax is disabled")  # the compiler, on its speed
            try:
                step = self._forward(batch)
            except RuntimeError as error:
                if isinstance(error, torch.OutOfMemoryError) or not self.means.compiled:
                    raise
                raise CellError(
                    f"torch.compile failed for {type(self.method).__name__} ({_first_line(error)}); `fast` compiles "
                    "cells of this length, which takes a C compiler: install one, or use --numeric faithful"
                ) from None
            step.loss.backward()
        return step

    def _replay(self, batch: Batch) -> Step:
        """Forward and backward out of the graph, which is captured first where none is there for this epoch."""
        epoch = batch.epoch if self.method.reads_epoch else None
        if self._graph is None or self._graph.epoch != epoch:
            self._graph = None  # gives its memory back before the next one takes its own
            self._graph = self._capture(batch, epoch)
        graph = self._graph
        for held, new in zip(graph.inputs, (batch.images, batch.labels, batch.index), strict=True):
            held.copy_(new)
        graph.graph.replay()
        for parameter, gradient in graph.gradients:  # a step that was not replayed has put others there
            parameter.grad = gradient
        loss, *parts = graph.scalars.clone().unbind()  # the next replay writes over them
        return Step(loss, graph.logits, dict(zip(graph.parts, parts, strict=True)), graph.kept)

    def _capture(self, batch: Batch, epoch: int | None) -> _Graph:
        inputs = batch.images.clone(), batch.labels.clone(), batch.index.clone()
        graph = torch.cuda.CUDAGraph()
        self.optimizer.zero_grad(set_to_none=True)  # so that backward writes new gradients and adds to none
        try:
            # Of this thread alone: the loader's threads allocate page-locked memory meanwhile.
            with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
                step = self._forward(Batch(*inputs, batch.epoch))
                step.loss.backward()
                scalars = torch.stack([value.detach().float() for value in (step.loss, *step.parts.values())])
        except RuntimeError as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            raise CellError(
                f"the step of {type(self.method).__name__} cannot be captured as a CUDA graph ({_first_line(error)}): "
                "give its class `capturable = False`"
            ) from None
        gradients = [(parameter, parameter.grad) for parameter in self.method.parameters()]
        return _Graph(graph, epoch, inputs, gradients, scalars, tuple(step.parts), step.logits.detach(), step.kept)

    def _forward(self, batch: Batch) -> Step:
        with self.arithmetic.forward():
            return self._step(batch)

    @contextmanager
    def _beside(self) -> Iterator[None]:
        """The stream on which everything of a step runs, warm-up and capture alike: autograd remembers the stream on
        which it first met a weight.  What comes before and after waits for it, so nothing runs at the same time."""
        usual = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(usual)
        with torch.cuda.stream(self._stream):
            yield
        usual.wait_stream(self._stream)


@dataclass(frozen=True)
class _Graph:
    """A captured forward and backward pass of one `epoch` (None: of any).

    It reads `inputs` (images, labels, index) and writes the gradient of each parameter (None where there is none),
    `scalars` (1 + P,), which are the loss and its named `parts`, the `logits`, and what the method has `kept`.
    """

    graph: torch.cuda.CUDAGraph
    epoch: int | None
    inputs: tuple[Tensor, Tensor, Tensor]
    gradients: list[tuple[torch.nn.Parameter, Tensor | None]]
    scalars: Tensor
    parts: tuple[str, ...]
    logits: Tensor
    kept: Mapping[str, Tensor]


class _Untold:
    """Stands for the epoch in a step that says it does not read it; whoever reads it is told to say so."""

    def _refuse(self, *_: object) -> NoReturn:
        raise CellError(
            "the step decides by `batch.epoch`: give its class `reads_epoch = True`, to be captured anew in each epoch"
        )

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _refuse
    __floordiv__ = __mod__ = __int__ = __index__ = __float__ = __bool__ = _refuse


UNTOLD: Any = _Untold()


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
