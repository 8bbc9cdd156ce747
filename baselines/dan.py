"""How does the harness train DAN?  The model and loss of the package `dan` behind the method contract.

Paper: Wen et al. 2023, "Distract Your Attention: Multi-Head Cross Attention Network for Facial Expression Recognition".
Code: github.com/yaoing/DAN.
Departures: none by default; every choice that paper and code leave open is a switch of `dan.options.Options`, named
after the ledger of deviations (baselines/deviations.toml).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor

from baselines.backbone import load_weights
from bench.errors import UserError
from bench.method import Batch, Context, Method, Step
from dan.losses import DanLoss, pooled
from dan.model import DAN
from dan.options import Options, number_of_centers


class DanMethod(Method):
    """DAN with its loss (Eq. 7); the class centres are parameters of the loss and so of this module."""

    def __init__(self, options: Options, context: Context) -> None:
        super().__init__()
        self.model = DAN(context.num_classes, options=options)
        load_weights(self.model, context)
        count = number_of_centers(options.affinity, context.dataset, context.num_classes)  # deviates: L3
        try:
            self.loss = DanLoss(context.num_classes, options, count)
        except ValueError as error:  # switches that exclude each other
            raise UserError(f"dan: {error}") from None

    def logits(self, images: Tensor) -> Tensor:
        return self.model(images).logits

    def step(self, batch: Batch) -> Step:
        output = self.model(batch.images)
        loss = self.loss(output, batch.labels)
        parts = {name: part.detach() for name, part in loss.parts.items()}
        return Step(loss.total, output.logits, parts, {"features": pooled(output.features.detach())})

    def after_step(self, batch: Batch, step: Step) -> None:
        self.loss.move_centers(step.kept["features"], batch.labels)

    def parameter_groups(self, lr: float) -> Iterable[Mapping[str, object]]:
        """The network, then the centres with the learning rate and weight decay of their switches (deviates: L4)."""
        network = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        return [{"params": network}, *self.loss.parameter_groups(lr)]


class TrainedDan(Method):
    """A DAN that answers and does not train, as an official checkpoint gives it."""

    def __init__(self, model: DAN) -> None:
        super().__init__()
        self.model = model

    def logits(self, images: Tensor) -> Tensor:
        return self.model(images).logits


def build(options: Options, context: Context) -> DanMethod:
    return DanMethod(options, context)
