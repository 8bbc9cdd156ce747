"""Is a search space what the method declares, or exactly what --space says, and are mistakes told in one line?"""

from __future__ import annotations

import math
import re

import pytest

from baselines.registry import METHODS
from bench.errors import UserError
from bench.spec import settings_of, slug
from bench.study.space import as_trained, described, distributions, from_text, published, space_of, variant_for
from bench.switches import flatten


def test_the_two_weights_of_the_paper_are_searched_over_four_decades() -> None:
    space = space_of("dan")
    assert [(each.name, each.low, each.high, each.log) for each in space] == [
        ("loss.lambda1", 1e-3, 1e1, True),
        ("loss.lambda2", 1e-3, 1e1, True),
    ]
    assert published(space) == {"loss.lambda1": 1.0, "loss.lambda2": 1.0}


@pytest.mark.parametrize("method", [name for name, entry in METHODS.items() if entry.tunable])
def test_every_declared_interval_holds_its_published_value(method: str) -> None:
    assert all(dimension.contains(dimension.published) for dimension in space_of(method))


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("loss.lambda1", "0.001..10:log"),
        ("loss.lambda1=1e-2..1e2:log", "0.01..100:log"),
        ("loss.lambda1=0..2", "0..2"),
        ("loss.lambda2=0.5..1.5:linear", "0.5..1.5"),
        ("heads=1..8", "1..8"),
        ("affinity.reduction=sum|mean", "sum|mean"),
        ("affinity=affinity|center|none", "affinity|center|none"),
        ("head.logit_bn=true|false", "true|false"),
        ("centers.lr=none|0.1|1.5", "none|0.1|1.5"),
    ],
)
def test_a_domain_reads_back_as_the_same_dimension(text: str, domain: str) -> None:
    (dimension,) = space_of("dan", [text])
    assert dimension.domain == domain
    assert space_of("dan", [f"{dimension.name}={dimension.domain}"]) == (dimension,)
    again = from_text("dan", {dimension.name: dimension.domain}, {dimension.name: dimension.published})
    assert again == (dimension,)


def test_a_whole_switch_is_proposed_whole() -> None:
    space = space_of("dan", ["heads=1..8", "affinity.reduction=mean|sum"])
    found = distributions(space)
    assert type(found["heads"]).__name__ == "IntDistribution"
    assert found["affinity.reduction"].choices == ("mean", "sum")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["loss.lamda1"], "unknown switch 'loss.lamda1' (nearest: loss.lambda1"),
        (["heads"], "declares no interval"),
        (["loss.lambda1=2..10"], "leaves out the published value 1"),
        (["loss.lambda1=10..0.1"], "from a smaller to a larger"),
        (["loss.lambda1=0..10:log"], "above 0"),
        (["heads=1.5..3"], "whole numbers"),
        (["affinity.reduction=0..1"], "is no number"),
        (["affinity.reduction=mean|median"], "affinity.reduction = 'median'"),
        (["affinity.reduction=mean"], "at least two values"),
        (["loss.lambda1=inf..nan"], "from a smaller to a larger"),
        (["heads=1..8", "heads=2..4"], "names heads twice"),
    ],
)
def test_a_mistake_in_a_space_is_one_line_that_says_what(given: list[str], message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        space_of("dan", given)
    assert "\n" not in str(caught.value)


def test_a_method_without_tunable_switches_says_how_to_give_one() -> None:
    with pytest.raises(UserError, match="declares nothing to tune"):
        space_of("resnet18")


def test_weights_are_trained_with_four_significant_digits() -> None:
    params = {"loss.lambda1": 0.0028431098765432, "loss.lambda2": math.pi}
    assert as_trained(params) == {"loss.lambda1": 0.002843, "loss.lambda2": 3.142}
    variant = variant_for("dan", params)
    assert slug(variant) == "loss.lambda1=0.002843,loss.lambda2=3.142"
    settings = flatten(settings_of("dan", variant))
    assert (settings["loss.lambda1"], settings["loss.lambda2"]) == (0.002843, 3.142)


def test_the_published_point_is_the_method_as_published() -> None:
    assert variant_for("dan", {"loss.lambda1": 1.0, "loss.lambda2": 1.0}) == ()
    assert variant_for("dan", {"loss.lambda1": 1.0, "loss.lambda2": 2.0}) == (("loss.lambda2", 2.0),)


def test_the_listing_names_every_tunable_switch_with_its_published_value() -> None:
    lines = [line.split() for line in described().splitlines()]
    for name, entry in METHODS.items():
        for switch in entry.tunable:
            assert any(line[:2] == [name, switch] and len(line) == 4 for line in lines)
