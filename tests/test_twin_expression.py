"""Does each class move the face as its table says?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.data.catalog import DATASETS
from bench.data.twin.expression import CLASS_UNITS, EXPRESSIONS, FACE_UNITS, LEAK, region, sample_expression
from bench.data.twin.head import REGIONS, load_head
from bench.data.twin.presets import PRESETS, preset
from bench.errors import UserError

PURE = replace(PRESETS["default"], leak=0.0, talking=0.0, strength=(1.0, 1.0))


def test_every_class_of_every_licensed_dataset_can_be_shown():
    assert {name for dataset in DATASETS.values() for name in dataset.classes} == set(EXPRESSIONS) == set(CLASS_UNITS)


def test_every_face_unit_is_a_shape_of_the_head():
    names = {
        name[:-1] + side if name.endswith("*") else name
        for units in FACE_UNITS.values()
        for name, _ in units
        for side in ("Left", "Right")
    }
    assert {f"au:{name}" for name in names} <= set(load_head().displacements)
    assert {region(name) for name in names} == set(REGIONS)


def test_tables_use_known_action_units_and_probabilities():
    for units in CLASS_UNITS.values():
        assert all(
            unit.action in FACE_UNITS and 0 < unit.probability <= 1 and 0 < unit.low < unit.high <= 1 for unit in units
        )
    assert set(LEAK) <= set(FACE_UNITS)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_action_units_occur_as_often_and_as_strongly_as_the_table_says(name):
    n = 1500
    drawn = [sample_expression(name, 5, index, PURE).actions for index in range(n)]
    assert {action for actions in drawn for action in actions} == {unit.action for unit in CLASS_UNITS[name]}
    for action in {unit.action for unit in CLASS_UNITS[name]}:
        rows = [unit for unit in CLASS_UNITS[name] if unit.action == action]
        absent = 1.0
        for row in rows:
            absent *= 1 - row.probability
        share, expected = sum(action in actions for actions in drawn) / n, 1 - absent
        assert abs(share - expected) < 5 * (expected * (1 - expected) / n) ** 0.5 + 1e-9
        shown = [actions[action] for actions in drawn if action in actions]
        assert min(row.low for row in rows) <= min(shown) <= max(shown) <= max(row.high for row in rows)


def test_neutral_without_leaks_moves_nothing_but_the_eyes():
    drawn = sample_expression("neutral", 1, 2, PURE)
    assert drawn.actions == {} and drawn.units == {}
    assert all(unit.startswith("eyeLook") for unit in drawn.gaze)


def test_contempt_pulls_one_corner_of_the_mouth():
    both = 0
    for index in range(200):
        units = sample_expression("contempt", 3, index, PURE).units
        left, right = units.get("mouthDimpleLeft", 0.0), units.get("mouthDimpleRight", 0.0)
        if max(left, right) > 0:
            both += min(left, right) > 0.25 * max(left, right)
    assert both < 10


def test_gaze_does_not_depend_on_the_class():
    assert len({str(sample_expression(name, 1, 9, PRESETS["hard"]).gaze) for name in EXPRESSIONS}) == 1


def test_label_noise_shows_another_class_as_often_as_it_says():
    noisy = replace(PRESETS["default"], label_noise=0.4)
    other = sum(sample_expression("fear", 1, index, noisy).name != "fear" for index in range(2000)) / 2000
    assert abs(other - 0.4 * 7 / 8) < 0.05


def test_an_unknown_preset_names_the_nearest():
    with pytest.raises(UserError, match="hard"):
        preset("hrad")
