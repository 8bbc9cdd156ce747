"""Does bench.perf compare what it says, and say what it found?  Nothing here is timed against a limit."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from scipy import stats

from bench import store
from bench.perf import cells, clock, report
from bench.perf.accuracy import accuracy_document
from bench.plan import plan
from bench.report import pages
from bench.spec import cells_of

TREE = Path(__file__).parent.parent


def perf(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench.perf", *arguments]
    return subprocess.run(command, cwd=TREE, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})


def test_contenders_take_turns_after_a_warm_up_and_each_round_begins_with_another():
    done, now = [], [0.0]

    def work(name, seconds):
        def run():
            done.append(name)
            now[0] += seconds
            return 10

        return run

    found = clock.interleaved({"a": work("a", 1.0), "b": work("b", 2.0)}, 3, lambda: now[0])
    assert "".join(done) == "ab" + "ab" + "ba" + "ab"
    assert found == {"a": [10.0] * 3, "b": [5.0] * 3}


def test_a_ratio_is_the_median_of_the_ratios_within_each_round():
    ratio = clock.ratio([10.0, 40.0, 9.0], [10.0, 20.0, 10.0])
    assert (ratio.median, ratio.low, ratio.high, ratio.rounds) == (1.0, 0.9, 2.0, 3)


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    out = tmp_path_factory.mktemp("perf") / "cpu.json"
    answer = perf("--quick", "--device", "cpu", "--out", str(out))
    assert answer.returncode == 0, answer.stderr
    return answer.stdout, json.loads(out.read_text()), out


def test_every_ratio_is_there_and_finite(quick):
    _, document, _ = quick
    rows = {row["name"]: row for row in document["rows"]}
    assert {"A", "A data", "B", "C", "C compiled", "D", "D fast", "D filled", "fast / faithful"} == rows.keys() - {
        "captured"
    }
    assert "GPU only" in rows.pop("C compiled")["reason"]
    assert "a GPU captures" in rows.pop("captured")["reason"]
    for row in rows.values():
        ratio = row["ratio"]
        assert 0 < ratio["low"] <= ratio["median"] <= ratio["high"] < math.inf
        assert all(0 < row[side]["median"] < math.inf for side in ("ours", "theirs"))


def test_every_gate_holds(quick):
    gates = quick[1]["gates"]
    assert len(gates) == 10  # three presets, a second run, three numbers of workers, two evaluation batches, a kill
    assert all(gate["held"] for gate in gates)
    assert [gate["found"] for gate in gates[:3]] == ["0", "0", "0"]


def test_the_page_names_the_machine_as_a_class_and_says_that_no_gpu_was_at_hand(quick):
    printed, document, out = quick
    page = (out.parent / "README.md").read_text()
    about = document["about"]
    assert about["processor"] in page and about["packages"]["torch"] in page
    assert "No CUDA GPU was at hand" in page
    assert "measures nothing" in page
    assert os.uname().nodename not in printed + page + out.read_text()
    assert printed.splitlines()[0] in page
    assert page == report.page(out.parent)


def test_scaling_gives_a_cost_for_every_axis(tmp_path):
    answer = perf("--quick", "--scaling", "--device", "cpu", "--json")
    assert answer.returncode == 0, answer.stderr
    points = json.loads(answer.stdout)["points"]
    assert {point["axis"] for point in points} == {"images", "batch", "heads", "seeds"}
    assert all(0 < point["low"] <= point["median"] <= point["high"] < math.inf for point in points)


def test_fast_is_compared_with_faithful_on_paired_seeds(tmp_path, tiny, tiny_cell):
    import torch

    from bench.cell import Start, run_cell

    correct = {}
    alone = "center_loss"  # sorts before the row that has both modes, and has one
    for method, numeric, seeds in (
        ("dan", "faithful", (0, 1, 2)),
        ("dan", "fast", (0, 1, 7)),
        (alone, "fast", (0,)),
    ):
        for seed in seeds:
            recipe = replace(tiny_cell.recipe, numeric=numeric, epochs=1)
            cell = replace(tiny_cell, method=method, seed=seed, recipe=recipe)
            given = {"device": "cpu", "machine": "a processor", "packages": {"torch": "2"}}
            start = Start(f"{numeric}{seed}", tmp_path / "runs" / cell.name)
            record, predictions = run_cell(cell, tiny, start, torch.device("cpu"), given)
            store.save(tmp_path, cell.name, record, predictions)
            if method != alone:
                correct[numeric, seed] = record.scores["last"].correct
    (row,) = accuracy_document(tmp_path)["rows"]
    differences = [(correct["fast", seed] - correct["faithful", seed]) / 18 for seed in (0, 1)]
    assert row["seeds"] == [0, 1]
    assert (row["n"], row["most_frequent_class"]) == (18, 6)
    assert row["faithful"] == [correct["faithful", 0], correct["faithful", 1]]
    assert row["mean"] == pytest.approx(sum(differences) / 2)
    assert row["half_width"] == pytest.approx(
        stats.t.ppf(0.975, 1) * abs(differences[0] - differences[1]) / 2  # sd / sqrt(2) of two values
    )
    assert "Quick budget" in accuracy_document(tmp_path)["note"]


def test_help_needs_no_torch():
    code = "import sys, bench.perf.__main__, bench.campaign; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=TREE).returncode == 0


def test_a_device_that_is_not_there_is_one_line(tmp_path):
    answer = perf("--device", "tpu")
    assert answer.returncode == 2
    assert answer.stderr.startswith("error: unknown device 'tpu'") and len(answer.stderr.splitlines()) == 1


def test_many_cells_are_planned_as_done_and_rendered_from_copies_of_one_record(tmp_path):
    suite = cells.many(2)
    listed = cells_of(suite, cells.TWINS, "quick", cells.SEEDS, "rendered", "faithful")
    assert len(listed) == len({cell.name for cell in listed}) == 48
    template = store.load(pages.PROJECT_RESULTS, cells.TEMPLATE)
    weights = {"rendered": template.weights_sha256, "none": None}
    cells.write(tmp_path, listed, template, weights)
    data = dict.fromkeys(cells.TWINS, template.data.digest)
    assert {item.state for item in plan(listed, data, weights, tmp_path, tmp_path / "runs")} == {"done"}
    assert all(len(record.epochs) == 40 for _, record in store.scan(tmp_path))
    assert cells.everything(suite, tmp_path) > cells.tables(suite, tmp_path) > 0


def test_times_of_plan_and_pages_name_the_cells_that_they_took(tmp_path):
    answer = perf("--cells", "24", "--quick", "--json")
    assert answer.returncode == 0, answer.stderr
    document = json.loads(answer.stdout)
    reads = [each["cells"] for each in document["timings"] if each["what"].startswith("read")]
    assert reads == [6, 12, 24]
    assert all(each["low"] <= each["median"] <= each["high"] for each in document["timings"])
    refused = perf("--cells", "23")
    assert refused.returncode == 2 and refused.stderr.startswith("error: --cells 23: at least 24")
