"""Are the draws Philox's, independent of batches, and distributed as torchvision's?"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bench.data import draws
from bench.errors import UserError

MANY = np.arange(40_000)


def words(text):
    return [int(word, 16) for word in text.split()]


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [  # kat_vectors of Random123, lines "philox4x32 10"
        ("0 0 0 0", "0 0", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff " * 4, "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)
def test_philox_gives_the_known_answers_of_random123(counter, key, expected):
    single = draws.philox4x32(np.array(words(counter)), tuple(words(key)))
    assert single.tolist() == words(expected)
    block = draws.philox4x32(np.array([[words(counter)] * 3] * 2), tuple(words(key)))
    assert block.shape == (2, 3, 4) and (block == single).all()


def test_uniform_draws_lie_in_the_unit_interval_and_look_uniform():
    u = draws.uniform(1, 2, MANY, 5)
    assert u.shape == (len(MANY), 5) and u.dtype == np.float64
    assert u.min() >= 0 and u.max() < 1
    for column in u.T:
        assert stats.kstest(column, "uniform").pvalue > 1e-3
    assert np.abs(np.corrcoef(u.T) - np.eye(5)).max() < 5 / math.sqrt(len(MANY))
    assert abs(np.corrcoef(u[:-1, 0], u[1:, 0])[0, 1]) < 5 / math.sqrt(len(MANY))


@settings(max_examples=30, deadline=None)
@given(
    ids=st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=20),
    seed=st.integers(0, 2**70),
    epoch=st.integers(0, 500),
    k=st.integers(1, 13),
)
def test_a_draw_depends_on_its_own_coordinates_only(ids, seed, epoch, k):
    together = draws.uniform(seed, epoch, np.array(ids), 13)[:, :k]
    alone = np.concatenate([draws.uniform(seed, epoch, np.array([i]), k) for i in ids])
    assert (together == alone).all()


def test_seed_epoch_stream_and_sample_each_change_the_draws():
    base = draws.uniform(1, 2, MANY[:8], 4)
    others = [
        draws.uniform(2, 2, MANY[:8], 4),
        draws.uniform(1, 3, MANY[:8], 4),
        draws.uniform(1, 2, MANY[:8], 4, stream="mixup"),
        draws.uniform(1, 2, MANY[:8] + 2**32, 4),
        draws.uniform(1, 2, MANY[8:16], 4),
    ]
    assert not any((base == other).any() for other in others)


def test_negative_coordinates_are_refused():
    for arguments in ((-1, 0, [0]), (0, -1, [0]), (0, 0, [-1])):
        with pytest.raises(ValueError, match="must not be negative"):
            draws.uniform(*arguments, 1)


def test_an_unknown_preset_names_the_nearest_one():
    with pytest.raises(UserError, match="rafdb"):
        draws.preset("rafbd", 224)


@pytest.mark.parametrize(
    "change", [{"flip_p": 1.5}, {"size": 0}, {"padding": -1}, {"padding": 64}, {"scale": (0.0, 1.0)}, {"degrees": 90.0}]
)
def test_an_impossible_transform_is_refused(change):
    with pytest.raises(ValueError, match="not an augmentation"):
        draws.AugmentSpec(**{"size": 64, **change})


@pytest.mark.parametrize(("size", "padding"), [(224, 32), (112, 16), (64, 9), (48, 7)])
def test_a_preset_scales_its_pixels_with_the_image(size, padding):
    spec = draws.preset("rafdb", size)
    assert (spec.size, spec.padding, spec.degrees) == (size, padding, 20.0)


@pytest.mark.parametrize(("name", "geometry"), [("rafdb", 0.2), ("affectnet", 0.7), ("sfew", 0.5)])
def test_flips_and_geometry_come_at_the_rates_of_the_paper(name, geometry):
    drawn = draws.decide(draws.preset(name, 64), 0, 0, MANY)
    assert stats.binomtest(int(drawn.flip.sum()), len(MANY), 0.5).pvalue > 1e-3
    assert stats.binomtest(int(drawn.geometry.sum()), len(MANY), geometry).pvalue > 1e-3
    both = stats.contingency.crosstab(drawn.flip, drawn.geometry).count
    assert stats.chi2_contingency(both).pvalue > 1e-3
    assert stats.kstest(drawn.angle[drawn.geometry], stats.uniform(-20, 40).cdf).pvalue > 1e-3


def test_the_preset_none_leaves_every_sample_alone():
    packed = draws.draw(draws.preset("none", 64), 0, 0, MANY[:100])
    assert (packed == [65536, 0, 0, 65536, 32768, 32768, 0, 0, 0, 0, 0, 0, 0]).all()


def test_crop_offsets_are_every_integer_of_the_padded_image_equally_often():
    drawn = draws.decide(draws.preset("rafdb", 224), 0, 0, MANY)
    for column in drawn.offset[drawn.geometry].T:
        counts = np.bincount(column, minlength=65)
        assert len(counts) == 65
        assert stats.chisquare(counts).pvalue > 1e-3


def test_translations_round_as_in_torchvision_so_the_ends_are_rarer():
    drawn = draws.decide(draws.preset("affectnet", 224), 0, 0, MANY)
    reach = 0.2 * 224  # 44.8: a value in [44.5, 44.8] becomes 45, with 0.3 of the weight of an inner integer
    weights = np.ones(91)
    weights[[0, -1]] = 0.3
    for column in drawn.offset[drawn.geometry].T:
        counts = np.bincount(column + 45, minlength=91)
        assert stats.chisquare(counts, weights / (2 * reach) * counts.sum()).pvalue > 1e-3
    assert stats.kstest(drawn.scale[drawn.geometry], stats.uniform(0.8, 0.2).cdf).pvalue > 1e-3


def fitting_probability(scale, size):
    """P(a box of RandomErasing fits at the first try), by a fine grid over its two uniform draws."""
    u = (np.arange(2000) + 0.5) / 2000
    area = size**2 * (scale[0] + (scale[1] - scale[0]) * u)[:, None]
    ratio = np.exp(np.log(0.3) + (np.log(3.3) - np.log(0.3)) * u)[None, :]
    return ((np.rint(np.sqrt(area * ratio)) < size) & (np.rint(np.sqrt(area / ratio)) < size)).mean()


def test_affectnet_erases_after_rejecting_boxes_that_do_not_fit_and_rafdb_never_rejects():
    assert fitting_probability((0.02, 0.25), 224) == 1.0
    fits = fitting_probability((0.02, 0.33), 224)
    assert 0.99 < fits < 1.0  # the loop is rare, but there
    for name in ("rafdb", "affectnet"):
        drawn = draws.decide(draws.preset(name, 224), 0, 0, MANY)
        erased = drawn.erase[:, 2] > 0
        assert stats.binomtest(int(erased.sum()), len(MANY), 0.5).pvalue > 1e-3  # (1 - fits)**10 is below 1e-19
        top, left, height, width = drawn.erase[erased].T
        assert (height < 224).all() and (width < 224).all() and (width > 0).all()
        assert (top >= 0).all() and (left >= 0).all() and (top + height <= 224).all() and (left + width <= 224).all()


def test_the_rejection_loop_takes_the_first_of_ten_tries_that_fits_and_else_erases_nothing():
    spec = draws.AugmentSpec(32, erase_p=1.0, erase_scale=(0.5, 1.0), erase_ratio=(0.2, 5.0))  # rejects often
    ids = np.arange(3000)
    drawn = draws.decide(spec, 4, 5, ids)
    u = draws.uniform(4, 5, ids, 30)
    expected = []
    for row in u.tolist():  # RandomErasing.get_params, line by line, on the draws of this sample
        box = (0, 0, 0, 0)
        for attempt in range(10):
            area = 32 * 32 * (0.5 + 0.5 * row[10 + 2 * attempt])
            aspect = math.exp(math.log(0.2) + (math.log(5.0) - math.log(0.2)) * row[11 + 2 * attempt])
            h, w = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if h < 32 and w < 32:
                box = (int(row[8] * (32 - h + 1)), int(row[9] * (32 - w + 1)), h, w)
                break
        expected.append(box)
    assert drawn.erase.tolist() == [list(box) for box in expected]
    retried = sum(box[2] > 0 for box in expected)
    assert 0 < retried < len(ids)  # both outcomes occur


def test_erased_boxes_follow_the_area_and_ratio_of_torchvision():
    import torch
    from torchvision.transforms import RandomErasing

    drawn = draws.decide(draws.preset("affectnet", 224), 0, 0, MANY[:8000])
    boxes = drawn.erase[drawn.erase[:, 2] > 0]
    torch.manual_seed(0)
    image = torch.zeros(1, 224, 224)
    theirs = np.array([RandomErasing.get_params(image, (0.02, 0.33), (0.3, 3.3), [0.0])[:4] for _ in range(len(boxes))])
    for column in range(4):
        assert stats.ks_2samp(boxes[:, column], theirs[:, column]).pvalue > 1e-3


@pytest.mark.parametrize("size", [224, 65])
def test_inverse_maps_are_those_that_pillow_and_torchvision_compute(monkeypatch, size):
    from PIL import Image
    from torchvision.transforms import functional as F

    seen = []  # the matrices handed to Pillow's C code
    monkeypatch.setattr(Image.Image, "transform", lambda self, *a, **k: seen.append(list(a[2])) or self)
    image = Image.new("RGB", (size, size))
    ids = np.arange(300)
    turned = draws.decide(draws.AugmentSpec(size, geometry="rotate_crop", geometry_p=1.0, degrees=89.0), 0, 0, ids)
    for angle in turned.angle.tolist():
        F.rotate(image, angle)
    assert draws._rotation(turned.angle, size).tolist() == seen
    seen.clear()
    moved = draws.decide(replace(draws.preset("affectnet", size), geometry_p=1.0), 0, 0, ids)
    for angle, offset, scale in zip(moved.angle.tolist(), moved.offset.tolist(), moved.scale.tolist(), strict=True):
        F.affine(image, angle, offset, scale, [0.0, 0.0])
    assert draws._affine(moved.angle, moved.offset, moved.scale, size).tolist() == seen


@pytest.mark.parametrize("name", sorted(draws.PRESETS))
def test_packed_rows_do_not_depend_on_batches_or_order(name):
    spec = draws.preset(name, 64)
    ids = np.random.default_rng(0).permutation(500)
    whole = draws.draw(spec, 3, 1, np.arange(500))
    assert whole.shape == (500, 13) and whole.dtype == np.int32
    pieces = np.concatenate([draws.draw(spec, 3, 1, part) for part in np.array_split(ids, 23)])
    assert (pieces == whole[ids]).all()
    assert draws.draw(spec, 3, 1, np.array([], np.int64)).shape == (0, 13)


def test_the_packed_rows_of_a_stored_seed_never_change():
    # Recorded from this implementation: another value means that every stored seed now augments otherwise.
    rafdb = draws.draw(draws.preset("rafdb", 224), 0, 0, np.array([2, 5]))
    assert rafdb.tolist() == [
        [62344, 20203, -20203, 62344, -1863969, 2641246, 31, 11, 1, 28, 89, 160, 203],
        [62454, 19860, -19860, 62454, -1838053, 2590825, 15, -12, 1, 133, 214, 53, 203],
    ]
    affectnet = draws.draw(draws.preset("affectnet", 224), 0, 0, np.arange(2))
    assert affectnet.tolist() == [
        [65536, 0, 0, 65536, 32768, 32768, 0, 0, 0, 105, 186, 20, 223],
        [80461, 3109, -3109, 80461, -5299044, -3815641, 0, 0, 1, 38, 148, 120, 202],
    ]


def test_a_sample_that_an_epoch_shows_again_is_augmented_anew():
    spec = draws.preset("affectnet")
    ids, again = np.full(50, 7), np.arange(50)
    rows = draws.draw(spec, 0, 1, ids, again)
    assert len({row.tobytes() for row in rows}) > 30
    assert rows[0].tobytes() == draws.draw(spec, 0, 1, np.array([7])).tobytes(), "the first showing needs no count"
    one = np.concatenate([draws.draw(spec, 0, 1, ids[i : i + 1], again[i : i + 1]) for i in range(50)])
    assert (one == rows).all()
