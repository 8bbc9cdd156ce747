"""From which weights does the ResNet-18 trunk start?  `--pretrained`, read and proved before anything is trained."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UserError, unknown

NAMES = ("none", "rendered", "msceleb", "imagenet")
SHIPPED = Path(__file__).parent / "pretrain" / "rendered-resnet18.safetensors"
DEFAULTS = {"quick": "rendered", "full": "none"}
HELP = (
    "none, rendered (faces of nobody, shipped; the default of the quick budget), rendered=FILE, msceleb=FILE or "
    "imagenet=FILE"
)


@dataclass(frozen=True)
class Weights:
    """Starting weights: their name in tables and cells, and the file with its digest (None for random initialisation).

    A file of the user's is named with the first digits of its digest, `msceleb@1a2b3c4d`: another file is another row.
    """

    name: str = "none"
    path: Path | None = None
    sha256: str | None = None


def starting_weights(text: str | None, budget: str) -> Weights:
    """What `--pretrained` names, or the budget's default: `none`, `rendered`, or `NAME=FILE`.

    Raises UserError for another name or a file that is not there.
    """
    text = text or DEFAULTS[budget]
    name, separator, file = text.partition("=")
    if name not in NAMES:
        raise unknown("weights", name, NAMES, "--pretrained")
    if name == "none":
        return Weights()
    path = SHIPPED if text == "rendered" else Path(file)
    if path is not SHIPPED and not (separator and path.is_file()):
        raise UserError(
            f"--pretrained {text}: write {name}=FILE with the file of ResNet-18 weights (nothing is downloaded)"
        )
    with path.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    return Weights(name if path is SHIPPED else f"{name}@{sha256[:8]}", path, sha256)


def family(name: str) -> str:
    """What kind of weights a name stands for: `msceleb` of `msceleb@1a2b3c4d`."""
    return name.partition("@")[0]


def prove(weights: Weights) -> None:
    """Load the weights once before anything is written.  Raises UserError for a file that does not hold them."""
    if weights.path is None:
        return
    from dan.backbone import resnet18_trunk
    from dan.weights import WeightsError, load_backbone

    try:
        load_backbone(resnet18_trunk(), weights.path)
    except WeightsError as error:
        raise UserError(str(error)) from None
