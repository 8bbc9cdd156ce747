"""Are heads that look at the same place found out, however loud they are; and does the lab keep what it measured?"""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import fake_results as fake
import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon

from bench import store
from bench.data.dataset import Dataset, Split
from bench.errors import UserError
from bench.feed import feed
from bench.figures import heads_lab
from bench.figures.rows import View
from bench.figures.style import png, styled
from bench.heads import lab
from bench.heads.diversity import centres_of_mass, chance_overlap, diversity, top_count, unit
from bench.heads.lab import Entry
from bench.heads.measure import correct, fused, look, silenced, without
from bench.heads.regions import MOVED, cover, region_shares
from bench.numeric import Arithmetic
from bench.report.pages import gather, pages_of
from bench.suite_file import load_suite
from dan.losses import partition_loss
from dan.model import DAN

MAPS = np.random.default_rng(7).gamma(1.0, size=(5, 3, 4, 4))


def test_four_heads_with_one_map_at_four_strengths_agree_in_everything_while_the_partition_loss_falls() -> None:
    one = MAPS[:, :1]
    same, scaled = np.repeat(one, 4, axis=1), one * np.array([1.0, 2.0, 4.0, 8.0])[:, None, None]
    for maps in (same, scaled):
        found = diversity(maps)
        assert np.allclose(found.overlap, 1) and np.allclose(found.cosine, 1)
        assert np.allclose(found.jensen_shannon, 0, atol=1e-7) and np.allclose(found.centre, 0)
    vectors = torch.from_numpy(np.random.default_rng(1).random((5, 1, 512)))
    equal = vectors.repeat(1, 4, 1)
    louder = vectors * torch.tensor([1.0, 2.0, 4.0, 8.0], dtype=torch.float64)[None, :, None]
    fusions = [torch.log_softmax(heads, dim=1) for heads in (equal, louder)]
    assert partition_loss(fusions[1]) < 0.5 * partition_loss(fusions[0])  # so the loss alone proves nothing


def test_the_measures_are_those_of_plain_loops_over_images_and_pairs() -> None:
    found = diversity(MAPS)
    for image in range(len(MAPS)):
        cosine, overlap, distance, centre = [], [], [], []
        for a, b in combinations(range(3), 2):
            p, q = (MAPS[image, head].ravel() / MAPS[image, head].sum() for head in (a, b))
            cosine.append(p @ q / math.sqrt((p @ p) * (q @ q)))
            top_p, top_q = (set(sorted(range(16), key=lambda i: -x[i])[:4]) for x in (p, q))
            overlap.append(len(top_p & top_q) / len(top_p | top_q))
            distance.append(jensenshannon(p, q, base=2))
            middles = []
            for x in (p, q):
                grid = x.reshape(4, 4)
                middles.append([sum(grid[r, c] * (axis(r, c) + 0.5) / 4 for r in range(4) for c in range(4))
                                for axis in (lambda r, c: c, lambda r, c: r)])  # fmt: skip
            centre.append(math.dist(*middles))
        assert found.cosine[image] == pytest.approx(np.mean(cosine))
        assert found.overlap[image] == pytest.approx(np.mean(overlap))
        assert found.jensen_shannon[image] == pytest.approx(np.mean(distance))
        assert found.centre[image] == pytest.approx(np.mean(centre))


def test_heads_on_opposite_corners_share_nothing() -> None:
    maps = np.zeros((1, 2, 4, 4))
    maps[0, 0, 0, 0] = maps[0, 1, 3, 3] = 5.0
    found = diversity(maps)
    assert found.cosine[0] == 0 and found.jensen_shannon[0] == pytest.approx(1)
    assert found.centre[0] == pytest.approx(0.75 * math.sqrt(2))


def test_a_map_without_a_response_is_even_and_a_negative_one_is_refused() -> None:
    assert np.allclose(unit(np.zeros((1, 2, 3, 3))), 1 / 9)
    assert np.allclose(centres_of_mass(unit(np.zeros((1, 2, 3, 3)))), 0.5)
    with pytest.raises(ValueError, match="below zero"):
        unit(np.full((1, 1, 2, 2), -1.0))
    with pytest.raises(ValueError, match="two heads"):
        diversity(np.ones((1, 1, 2, 2)))


def test_the_chance_overlap_is_that_of_random_sets() -> None:
    assert [top_count(fields) for fields in (4, 16, 25, 49)] == [1, 4, 5, 10]
    random = np.random.default_rng(0)
    drawn = []
    for _ in range(20_000):
        a, b = (set(random.permutation(16)[:4].tolist()) for _ in range(2))
        drawn.append(len(a & b) / len(a | b))
    assert chance_overlap(16) == pytest.approx(np.mean(drawn), abs=4 * np.std(drawn) / math.sqrt(len(drawn)))


def test_attention_on_regions_is_that_of_a_loop_over_pixels() -> None:
    random = np.random.default_rng(2)
    masks = (random.random((5, 8, 8, 4)) < 0.2) * np.uint8(MOVED + 1)
    masks[4] = 0  # a face at rest does not count
    found = region_shares(MAPS, masks)
    assert found is not None and found.images == 4
    for region in range(4):
        area = np.mean([masks[image, :, :, region].astype(bool).mean() for image in range(4)])
        assert found.area[region] == pytest.approx(area)
        for head in range(3):
            shares = []
            for image in range(4):
                total, on = MAPS[image, head].sum(), 0.0
                for r in range(8):
                    for c in range(8):
                        on += MAPS[image, head, r // 2, c // 2] / 4 * bool(masks[image, r, c, region])
                shares.append(on / total)
            assert found.attention[head, region] == pytest.approx(np.mean(shares))


def test_even_attention_has_lift_one_and_tells_nothing_and_a_region_a_head_tells_two_bits() -> None:
    masks = np.zeros((1, 4, 4, 4), np.uint8)
    for region in range(4):
        masks[0, region, :, region] = 255  # a row of the image each
    even = region_shares(np.ones((1, 4, 4, 4)), masks)
    assert even is not None and np.allclose(even.lift, 1) and even.information == pytest.approx(0)
    own = np.zeros((1, 4, 4, 4))
    for head in range(4):
        own[0, head, head] = head + 1.0
    apart = region_shares(own, masks)
    assert apart is not None and apart.information == pytest.approx(2) and np.allclose(apart.lift, 4 * np.eye(4))


def test_faces_at_rest_have_no_regions_and_uneven_fields_are_refused() -> None:
    assert region_shares(MAPS, np.zeros((5, 8, 8, 4), np.uint8)) is None
    with pytest.raises(ValueError, match="equal fields"):
        cover(np.zeros((1, 7, 7, 4), bool), 2, 2)


@pytest.fixture(scope="module")
def model() -> DAN:
    torch.manual_seed(0)
    return DAN(num_classes=3, num_heads=3).eval()


def test_the_heads_seen_one_by_one_give_the_networks_own_logits(model: DAN) -> None:
    images = np.random.default_rng(3).integers(0, 255, (4, 64, 64, 3), dtype=np.uint8)
    split = Split(images, np.arange(4) % 3, np.arange(4), np.arange(4).astype(str))
    dataset = Dataset("rafdb-twin", ("a", "b", "c"), split, split, "digest")
    source = feed(dataset, "test", np.arange(4), Arithmetic(torch.device("cpu"), False, torch.contiguous_format))
    seen = look(model, source)
    with torch.no_grad():
        logits = model(source.plain(np.arange(4))).logits
    assert torch.allclose(fused(model, seen.vectors), logits, atol=1e-5)
    assert seen.maps.shape == (4, 3, 2, 2) and seen.maps.min() >= 0
    assert correct(model, seen.vectors, logits.argmax(dim=1).numpy()) == 4


def test_a_head_that_is_left_out_or_silenced_tells_nothing_of_the_image(model: DAN) -> None:
    vectors = torch.rand(6, 3, 512)
    other = vectors.clone()
    other[:, 1] = vectors[:, 1].flip(0)  # the same answers of head 1, given to other images
    assert torch.equal(without(vectors, 1), vectors[:, [0, 2]])
    assert not torch.allclose(fused(model, vectors), fused(model, other), atol=1e-4)
    for change in (without, silenced):
        assert torch.allclose(fused(model, change(vectors, 1)), fused(model, change(other, 1)), atol=1e-5)


def entry(cell: str, key: str, digest: str, seed: int = 0) -> Entry:
    random = np.random.default_rng(seed)
    maps, masks = random.gamma(1.0, size=(6, 4, 4, 4)), np.full((6, 8, 8, 4), 255, np.uint8)
    trained = lab.described(maps, masks, 40, (30, 35, 38, 40), (39, 40, 41, 20), 0.02)
    untrained = lab.described(np.ones((6, 4, 4, 4)), masks, 10, (10,) * 4, (9,) * 4, 0.5)
    return Entry(cell, key, digest, "w" * 64, 4, (4, 4), 112, 70, ("brow", "eyes", "nose", "mouth"), trained, untrained)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """The lab's reference and its control without partition loss, measured; the others not run."""
    for seed, variant in enumerate(({"recipe.image_size": 112}, {"partition.form": "none", "recipe.image_size": 112})):
        cell = fake.cell("rafdb-twin", "dan", variant=variant)
        record = fake.finish(tmp_path, cell, (10, 20, 40))
        lab.save(tmp_path, entry(cell.name, record.key, record.digest, seed))
    return tmp_path


def test_what_the_lab_keeps_is_read_back_as_it_was(results: Path) -> None:
    (name, record), *_ = store.scan(results)
    kept = lab.load(results, name)
    assert kept is not None and lab.current(results, name, record) == kept
    lab.save(results, kept)
    assert lab.load(results, name) == kept
    assert lab.problems(results, dict(store.scan(results))) == []


def test_a_measure_of_an_older_result_is_named_and_not_shown(results: Path) -> None:
    (name, record), *_ = store.scan(results)
    kept = lab.load(results, name)
    assert kept is not None
    lab.save(results, replace(kept, record_digest="0" * 64))
    assert lab.current(results, name, record) is None
    assert any(f"{name}.json: of another result" in line for line in lab.problems(results, dict(store.scan(results))))


def test_a_damaged_file_of_the_lab_is_one_clear_line(results: Path) -> None:
    (name, _), *_ = store.scan(results)
    lab.path_of(results, name).write_text(json.dumps({"cell": name}))
    with pytest.raises(UserError, match="delete it and run"):
        lab.load(results, name)


def test_the_page_sets_the_reference_beside_its_controls_and_says_what_is_not_measured(results: Path) -> None:
    pages = pages_of([load_suite("heads")], gather(results))
    assert set(pages) == {"heads/diversity-112-rafdb-twin.md"}  # the full budget's rows have no cells here
    text = pages["heads/diversity-112-rafdb-twin.md"].text()
    assert "Beside 4 heads, no partition loss, trained, its heads are" in text
    assert "Beside 4 heads, partition loss (DAN), before training, its heads are further apart" in text
    assert "8 heads, no partition loss, 1 head: seed 0 not run yet" in text
    assert "descriptions and no tests" in text
    assert "rendered faces" in text and "**Rehearsal**" in text


def test_the_labs_figures_hold_its_numbers_and_draw_to_the_same_bytes(results: Path) -> None:
    material = gather(results)
    view = View(load_suite("heads"), material.finished, results, material.costs)
    charts = {chart.stem: chart for chart in heads_lab.charts(view)}
    assert set(charts) == {"diversity-112-rafdb-twin", "regions-112-rafdb-twin"}
    rows = list(csv.DictReader(io.StringIO(charts["diversity-112-rafdb-twin"].csv)))
    assert len(rows) == 2 * 2 * 4  # rows, states, measures
    kept = lab.load(results, next(store.scan(results))[0])
    assert kept is not None
    of_it = [row for row in rows if row["row"] == "4 heads, no partition loss" and row["state"] == "trained"]
    assert {row["measure"]: float(row["mean"]) for row in of_it} == {
        name: spread.mean for name, spread in kept.trained.measures.items()
    }
    for chart in charts.values():
        with styled():
            assert png(chart.draw()) == png(chart.draw())
