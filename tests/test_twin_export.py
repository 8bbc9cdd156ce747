"""Do the readers of the licensed datasets read an exported twin as what it stands in for?"""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from bench.data.catalog import TWIN_MARKER
from bench.data.catalog import TWINS as LICENSED
from bench.data.read import read
from bench.data.twin import export as exporting
from bench.data.twin import render as rendering
from bench.data.twin.export import SHEET, export
from bench.data.twin.population import TWINS, roster, spec
from bench.data.twin.sheet import contact_sheet, first_of_each
from bench.errors import UserError


def small(image: np.ndarray, size: int) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize((size, size)))


@pytest.fixture
def quick_render(monkeypatch):
    """Pictures of the licensed size, drawn at 24 pixels and enlarged: these tests are about files."""

    def render(seed, index, expression, identity, preset, size):
        drawn = rendering.render_image(seed, index, expression, identity, preset, 24)
        return rendering.Rendered(
            small(drawn.image, size), drawn.masks, drawn.landmarks, drawn.person, drawn.expression, drawn.scene
        )

    monkeypatch.setattr(exporting, "render_image", render)


@pytest.mark.parametrize("name", TWINS)
def test_the_licensed_datasets_reader_reads_the_export(name, tmp_path, quick_render):
    twin = spec(name, "quick", count=90)
    sheet = export(twin, tmp_path / "tree", workers=1, progress=False)
    listing = read(LICENSED[name], tmp_path / "tree")
    assert not listing.errors and listing.classes == twin.classes
    for samples, counts in ((listing.train, twin.train_counts), (listing.test, twin.test_counts)):
        assert tuple(np.bincount([sample.label for sample in samples], minlength=len(counts))) == counts
    picture = Image.open(listing.root / listing.train[0].path)
    assert picture.size == twin.source_size[::-1]
    assert picture.format == ("PNG" if name == "sfew-twin" else "JPEG")
    assert sheet == tmp_path / "tree" / SHEET and Image.open(sheet).size[0] > 200
    assert "not it" in (tmp_path / "tree" / TWIN_MARKER).read_text()


def test_sfew_groups_are_identities(tmp_path, quick_render):
    twin = spec("sfew-twin", "quick", count=70)
    export(twin, tmp_path / "tree", workers=1, progress=False)
    listing = read("sfew", tmp_path / "tree")
    groups = [{sample.group for sample in split} for split in (listing.train, listing.test)]
    assert not groups[0] & groups[1]
    assert len(groups[0] | groups[1]) == len(set(roster(twin).identities))


def test_an_interrupted_export_leaves_no_folder_and_goes_on(tmp_path, quick_render, monkeypatch):
    twin, drawn, render = spec("rafdb-twin", "quick", count=70), [], exporting.render_image

    def failing(*arguments):
        if len(drawn) == 20:
            raise KeyboardInterrupt
        drawn.append(arguments)
        return render(*arguments)

    monkeypatch.setattr(exporting, "render_image", failing)
    with pytest.raises(KeyboardInterrupt):
        export(twin, tmp_path / "tree", workers=1, progress=False)
    assert not (tmp_path / "tree").exists()
    rest = []
    monkeypatch.setattr(exporting, "render_image", lambda *arguments: rest.append(arguments) or render(*arguments))
    export(twin, tmp_path / "tree", workers=1, progress=False)
    assert len(rest) == 50 and len(list((tmp_path / "tree" / "Image" / "aligned").iterdir())) == 70


def test_a_folder_with_files_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="exists already"):
        export(spec("rafdb-twin", "quick", count=70), tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_sheet_shows_each_class_in_its_row():
    labels = np.array([1, 0, 1, 1, 0, 2])
    assert first_of_each(labels, 3, columns=2) == [[1, 4], [0, 2], [5]]
    rows = [[np.full((20, 20, 3), 40 * (r + 1), np.uint8)] * (2 - r % 2) for r in range(3)]
    sheet = np.asarray(contact_sheet(rows, ["a", "b", "c"], "rendered faces"))
    assert [int(sheet[16 + 20 * r + 10, 84 + 10, 0]) for r in range(3)] == [40, 80, 120]
    assert sheet[16 + 20 + 10, 84 + 30].tolist() == [255, 255, 255]
