import json

import pytest

from drawing_samples import MASK, draw
from maskwright.data import open_dataset
from maskwright.data.audit import audit
from maskwright.data.readers import probe, resolve
from maskwright.data.readers.base import Layout, Place, Reader, Recognition
from maskwright.data.readers.resolve import READERS, list_samples
from maskwright.data.samples import Sample
from maskwright.planning import measure_dataset


@pytest.fixture
def folder(tmp_path):
    for name in ("a", "b", "c"):
        draw(tmp_path / "images" / f"{name}.png")
        draw(tmp_path / "masks" / f"{name}.png", MASK)
    return tmp_path


def test_a_stated_place_is_certain_and_folders_are_likely(folder):
    def confidences(place):
        results = ((reader.name, reader.recognize(place)) for reader in READERS)
        return {name: result.confidence for name, result in results if result}

    assert confidences(Place(str(folder))) == {"folders of images and masks": 0.8}
    (folder / "data.yaml").write_text("images: images\nmasks: masks\n")
    assert confidences(Place(str(folder)))["data.yaml"] == 1
    (folder / "data.json").write_text('{"images": [], "annotations": [], "categories": []}')
    assert confidences(Place(str(folder / "data.json"))) == {"COCO annotations": 0.9}
    assert confidences(Place(str(folder / "nothing"))) == {}


def test_a_doubt_is_noted_with_what_was_not_used(folder):
    assert "several_formats" not in {note.code for note in open_dataset(folder).notes}
    coco = {"images": [], "annotations": [], "categories": []}
    (folder / "instances.json").write_text(json.dumps(coco))
    dataset = open_dataset(folder)
    assert dataset.layout == "folders of images and masks"
    (doubt,) = (note.text for note in dataset.notes if note.code == "several_formats")
    assert "also as COCO annotations (instances.json), which is not used" in doubt


def test_a_reader_joins_by_a_line_in_the_table(folder, monkeypatch):
    (folder / "notes.odd").write_text("a\n")

    def recognize(place):
        if not (place.path / "notes.odd").is_file():
            return None
        return Recognition(0.95, "notes.odd", lambda: Layout("odd", [sample], class_map=None))

    sample = Sample("a", folder / "images/a.png", (folder / "masks/a.png",), "a", "train")
    odd = Reader("odd notes", "odd notes", recognize)
    monkeypatch.setattr(resolve, "READERS", (*READERS, odd))
    _, layout = list_samples(folder)
    assert layout.name == "odd"
    assert layout.samples == [sample]
    assert "also as folders of images and masks" in layout.notes[0].text


def test_a_header_is_read_once_for_opening_audit_and_plan(folder, monkeypatch):
    read = []
    original = probe.read_header
    monkeypatch.setattr(probe, "read_header", lambda path: read.append(path) or original(path))
    dataset = open_dataset(folder)
    audit(dataset)
    measure_dataset(dataset)
    assert sorted(read) == sorted(folder.glob("*/*.png"))
