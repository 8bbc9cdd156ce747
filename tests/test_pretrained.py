"""Are the starting weights those that were asked for, and proved before anything is trained?"""

from __future__ import annotations

import hashlib
import json

import pytest
import torch

from bench.errors import UserError
from bench.pretrained import SHIPPED, Weights, family, prove, starting_weights
from dan.backbone import resnet18_trunk
from dan.weights import load_backbone


def test_the_quick_budget_starts_from_the_rendered_faces_and_the_full_one_from_nothing():
    assert starting_weights(None, "quick").name == "rendered"
    assert starting_weights(None, "full") == Weights()
    assert starting_weights("none", "quick") == Weights()


def test_weights_carry_the_digest_of_their_file(tmp_path):
    file = tmp_path / "resnet18_msceleb.pth"
    file.write_bytes(b"weights")
    found = starting_weights(f"msceleb={file}", "full")
    digest = hashlib.sha256(b"weights").hexdigest()
    assert (found.name, found.path, found.sha256) == (f"msceleb@{digest[:8]}", file, digest)
    assert family(found.name) == "msceleb"
    assert family("rendered") == "rendered"


def test_two_files_of_one_kind_are_two_rows(tmp_path):
    for content in ("one", "other"):
        (tmp_path / content).write_text(content)
    first, second = (starting_weights(f"msceleb={tmp_path / name}", "full") for name in ("one", "other"))
    assert first.name != second.name


def test_rendered_weights_of_ones_own_are_told_apart_by_their_digest(tmp_path):
    file = tmp_path / "mine.safetensors"
    file.write_bytes(b"mine")
    mine, shipped = starting_weights(f"rendered={file}", "quick"), starting_weights("rendered", "quick")
    assert mine.path == file
    assert mine.sha256 != shipped.sha256


@pytest.mark.parametrize(
    ("text", "said"), [("msceleb", "write msceleb=FILE"), ("imagenet=/nowhere", "imagenet=FILE"), ("vgg", "'vgg'")]
)
def test_a_name_without_its_file_is_refused(text, said):
    with pytest.raises(UserError, match="--pretrained") as caught:
        starting_weights(text, "quick")
    assert said in str(caught.value)


def test_a_file_that_holds_something_else_is_refused_before_training(tmp_path):
    file = tmp_path / "x.pth"
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, file)
    with pytest.raises(UserError, match="1 of 100 backbone tensors"):
        prove(Weights("msceleb", file, "0"))


def test_the_shipped_weights_are_those_of_their_model_card_and_load_whole():
    story = json.loads(SHIPPED.with_suffix(".json").read_text())
    trunk = resnet18_trunk()
    before = trunk[0].weight.detach().clone()
    assert load_backbone(trunk, SHIPPED) == story["sha256"]
    assert story["sha256"] in SHIPPED.with_suffix(".md").read_text()
    assert not torch.equal(trunk[0].weight, before)
    assert SHIPPED.stat().st_size < 23e6
