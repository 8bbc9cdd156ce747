"""Does pre-training learn what the renderer set, in the same bits each time, from people whom no twin shows?"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import r2_score

from bench.data.twin import population
from bench.data.twin.identity import sample_identity
from bench.data.twin.metadata import ROW
from bench.data.twin.presets import preset
from bench.data.twin.stream import derive_seed
from bench.pretrain import look, session, targets
from bench.pretrain.__main__ import main
from bench.pretrain.card import group_means, model_card
from bench.pretrain.faces import POPULATION, PRESET, faces
from bench.pretrain.files import backbone_bytes
from bench.pretrain.train import Plan, Regressor, pretrain, r2
from dan.backbone import resnet18_trunk
from dan.weights import load_backbone

TINY = Plan(images=80, render_size=32, image_size=24, epochs=2, batch_size=16)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def people(cache):
    return faces(TINY.images, TINY.render_size, TINY.seed, cache, progress=False)


def test_two_pretrainings_give_identical_weights(people, tmp_path):
    first, _ = pretrain(TINY, people, tmp_path / "a", "key", CPU)
    second, _ = pretrain(TINY, people, tmp_path / "b", "key", CPU)
    assert backbone_bytes(first) == backbone_bytes(second)


def test_an_interrupted_pretraining_goes_on_to_the_same_weights(people, tmp_path):
    class Stop(Exception):
        pass

    def stop(log):
        raise Stop

    whole, logs = pretrain(TINY, people, tmp_path / "a", "key", CPU)
    with pytest.raises(Stop):
        pretrain(TINY, people, tmp_path / "b", "key", CPU, stop)
    resumed, again = pretrain(TINY, people, tmp_path / "b", "key", CPU)
    assert backbone_bytes(resumed) == backbone_bytes(whole)
    for old, new in zip(logs, again, strict=True):
        assert (new.epoch, new.loss) == (old.epoch, old.loss)
        np.testing.assert_array_equal(new.r2, old.r2)  # NaN, where a target does not vary, equals NaN


def test_a_checkpoint_of_another_plan_is_passed_over(people, tmp_path):
    pretrain(TINY, people, tmp_path, "key", CPU)
    _, logs = pretrain(replace(TINY, epochs=1), people, tmp_path, "another key", CPU)
    assert len(logs) == 1


def test_it_learns_the_pictures_it_sees(people, tmp_path):
    """A network that could not see would stay at the loss of the mean, which is 1 for standardised targets."""
    _, logs = pretrain(replace(TINY, epochs=12, lr=2e-3), people, tmp_path, "key", CPU)
    assert logs[-1].loss < 0.7 * logs[0].loss


def test_no_person_is_in_a_twin():
    """Streams of people are keyed by a seed of the population's name, so the same number is another person."""
    twins = {derive_seed(name, 0) for name in population.TWINS}
    own = derive_seed(POPULATION, 0)
    assert own not in twins
    theirs = {sample_identity(seed, number, preset(PRESET)).shapes for seed in twins for number in range(5)}
    assert not theirs & {sample_identity(own, number, preset(PRESET)).shapes for number in range(5)}


def test_no_expression_name_is_a_target():
    assert not {"shown", "strength"} & set(targets.NAMES)
    assert all(name.startswith("AU") or name in targets.POSE + targets.ATTRIBUTES for name in targets.NAMES)


def test_a_mirror_turns_yaw_and_roll_and_nothing_else():
    raw = np.arange(1, len(targets.NAMES) + 1, dtype=np.float32)[None]
    changed = (raw != targets.mirrored(raw))[0]
    turned = {name for name, other in zip(targets.NAMES, changed, strict=True) if other}
    assert turned == {"yaw", "roll"}
    assert np.array_equal(targets.mirrored(targets.mirrored(raw)), raw)


def test_targets_are_standardised_over_the_training_pictures():
    meta = np.zeros(50, ROW)
    meta["pose"] = np.random.default_rng(0).normal(3, 5, (50, 3))
    raw = targets.targets(meta)
    scaled = targets.standardised(raw, targets.scale_of(raw))
    columns = [targets.NAMES.index(name) for name in targets.POSE]
    assert np.allclose(scaled[:, columns].mean(axis=0), 0, atol=1e-5)
    assert np.allclose(scaled[:, columns].std(axis=0), 1, atol=1e-5)
    assert np.isfinite(scaled).all()  # the targets that never vary too


def test_the_shares_of_the_loss_are_those_of_the_groups():
    weights = dict(zip(targets.NAMES, targets.weights(), strict=True))
    pose = sum(weights[name] for name in targets.POSE)
    assert pose == pytest.approx(targets.SHARES["pose"])
    assert sum(weights.values()) == pytest.approx(1)


def test_the_coefficient_of_determination_is_scikit_learns():
    rng = np.random.default_rng(1)
    wanted = rng.normal(size=(40, 3)).astype(np.float32)
    guess = (wanted + rng.normal(size=(40, 3))).astype(np.float32)
    assert np.allclose(r2(guess, wanted), r2_score(wanted, guess, multioutput="raw_values"), atol=1e-6)


def test_a_look_without_any_change_is_the_picture_itself():
    still = look.Look(
        zoom=(1, 1), aspect=0, degrees=0, grey_p=0, saturation=(1, 1), gain=(1, 1), contrast=(1, 1), gamma=(1, 1),
        blur_p=0, noise=0, erase_p=0,
    )  # fmt: skip
    pixels = torch.randint(1, 256, (3, 16, 16, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    found = look.randomised(pixels, 16, torch.tensor([False, True, False]), torch.Generator().manual_seed(1), still)
    plain = look.plain(pixels, 16, 1.0)
    assert torch.allclose(found[[0, 2]], plain[[0, 2]], atol=1e-4)
    assert torch.allclose(found[1], plain[1].flip(-1), atol=1e-4)


def test_a_look_stays_in_the_range_of_pictures_and_differs_between_them():
    pixels = torch.full((8, 20, 20, 3), 120, dtype=torch.uint8)
    pixels[:, ::2] = 200
    found = look.randomised(pixels, 12, torch.zeros(8, dtype=torch.bool), torch.Generator().manual_seed(0))
    bounds = look.normalised(torch.tensor([0.0, 1.0])[:, None, None, None].expand(2, 3, 1, 1))
    assert (found >= bounds[0] - 1e-5).all() and (found <= bounds[1] + 1e-5).all()
    assert not torch.equal(found[0], found[1])


def test_the_file_holds_the_trunk_in_half_precision(tmp_path):
    model = Regressor()
    file = tmp_path / "a.safetensors"
    file.write_bytes(backbone_bytes(model))
    trunk = resnet18_trunk()
    load_backbone(trunk, file)
    for name, value in trunk.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            assert torch.equal(value, model.features.state_dict()[name].half().float()), name


def test_weights_that_half_precision_cannot_hold_are_refused():
    model = Regressor()
    with torch.no_grad():
        model.features[0].weight[0, 0, 0, 0] = 1e6
    with pytest.raises(ValueError, match=r"conv1\.weight does not fit"):
        backbone_bytes(model)


def test_the_command_writes_weights_story_and_card(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("bench.pretrain.plans.PLANS", {"quick": replace(TINY, epochs=1), "full": TINY})
    out = tmp_path / "mine.safetensors"
    assert main(["--out", str(out), "--runs", str(tmp_path / "runs"), "--device", "cpu"]) == 0
    story = json.loads(out.with_suffix(".json").read_text())
    assert model_card(story) == out.with_suffix(".md").read_text()
    assert set(group_means(story)) == {"action units", "pose", "attributes"}
    assert [line for line in capsys.readouterr().out.splitlines()] == [
        str(out.with_suffix(suffix)) for suffix in (".safetensors", ".json", ".md")
    ]
    assert not list((tmp_path / "runs" / "pretraining").rglob("checkpoint*"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--out", "x.pth"), "ends in .safetensors"),
        (("--out", "x.safetensors", "--images", "3"), "--images 3"),
        (("--out", "/proc/x/y.safetensors"), "/proc/x cannot be written"),
        (("--out", "x.safetensors", "--device", "gpu"), "unknown device 'gpu'"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(list(arguments)) == 2
    assert said in capsys.readouterr().err


def test_another_plan_or_picture_is_another_pretraining():
    assert session.identity(TINY) != session.identity(replace(TINY, seed=1))
    assert session.identity(TINY) == session.identity(replace(TINY))
