"""Do logits depend on how many images are answered at once, and what happens where they do not fit?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import noise_split

from bench import predict as predicting
from bench.cell import Start, build, run_cell
from bench.feed import feed
from bench.numeric import arithmetic
from bench.predict import UNIT, EvaluationBatch, predict

CPU = torch.device("cpu")
COUNT = 90  # neither a multiple of the unit nor of the batches


@pytest.fixture
def many(tiny):
    return replace(tiny, test=noise_split(COUNT, 32, 3, 3))


@pytest.mark.parametrize("method", ["resnet18", "dan", "scn", "vit_se"])  # scn and vit_se have the narrowest products
def test_logits_do_not_depend_on_the_batch_to_the_bit(many, tiny_cell, method):
    with arithmetic("faithful", CPU) as numbers:
        model = build(replace(tiny_cell, method=method), 3, many.train.labels, None, numbers)
        images = feed(many, "test", np.arange(COUNT), numbers)
        found = [predict(model, images, EvaluationBatch(size)) for size in (32, 64, 128)]
    assert found[0].shape == (COUNT, 3)
    assert all(torch.equal(found[0], other) for other in found[1:])


@pytest.mark.parametrize("numeric", ["faithful", "fast"])
def test_one_record_digest_for_two_evaluation_batches(many, tiny_cell, tmp_path, monkeypatch, numeric):
    cell = replace(tiny_cell, recipe=replace(tiny_cell.recipe, epochs=1, numeric=numeric))
    found = {}
    for size in (32, 128):
        monkeypatch.setitem(predicting.LARGEST, "cpu", size)
        found[size] = run_cell(cell, many, Start("key", tmp_path / str(size)), CPU, {})[0]
    assert found[32].provenance["evaluation_batch"] == 32
    assert found[32].digest == found[128].digest


def test_a_batch_that_does_not_fit_is_halved_until_it_does(many, tiny_cell):
    with arithmetic("faithful", CPU) as numbers:
        model = build(tiny_cell, 3, many.train.labels, None, numbers)
        images = feed(many, "test", np.arange(COUNT), numbers)
        expected = predict(model, images)
        answer, asked = model.logits, []

        def cramped(batch):
            asked.append(len(batch))
            if len(batch) > UNIT:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return answer(batch)

        model.logits = cramped
        size = EvaluationBatch(128)
        assert torch.equal(predict(model, images, size), expected)
    assert size.size == UNIT
    assert asked == [96, 64, 32, 32, 32]  # 90 images filled up to 96; then three batches that fit


def test_where_nothing_fits_the_error_says_so(many, tiny_cell):
    with arithmetic("faithful", CPU) as numbers:
        model = build(tiny_cell, 3, many.train.labels, None, numbers)

        def full(batch):
            raise torch.OutOfMemoryError("CUDA out of memory")

        model.logits = full
        with pytest.raises(torch.OutOfMemoryError, match="not even 32 images fit"):
            predict(model, feed(many, "test", np.arange(COUNT), numbers))
