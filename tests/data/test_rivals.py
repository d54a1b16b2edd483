"""Masks in folders, and annotations of the same images beside them."""

import json

import numpy as np
import pytest

from drawing_samples import draw
from maskwright.data import open_dataset
from maskwright.data.opening import write_yaml
from maskwright.errors import DataError

SIDE, COUNT = 32, 4


@pytest.fixture
def root(monkeypatch, tmp_path):
    """Squares at other places in each image, as masks and as COCO."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    images, annotations = [], []
    for number in range(COUNT):
        mask = np.zeros((SIDE, SIDE), np.uint8)
        left, right = 2 + 3 * number, 12 + 3 * number
        mask[4:14, left:right] = 255
        name = f"{number}.png"
        draw(tmp_path / "set" / "images" / name, np.dstack([mask, mask // 2, mask // 3]))
        draw(tmp_path / "set" / "masks" / name, mask)
        ring = [left, 4, right, 4, right, 14, left, 14]
        images.append({"id": number, "file_name": name, "height": SIDE, "width": SIDE})
        annotations.append({"image_id": number, "category_id": 1, "segmentation": [ring]})
    content = {"images": images, "annotations": annotations}
    content["categories"] = [{"id": 1, "name": "cell"}]
    (tmp_path / "set" / "all.json").write_text(json.dumps(content))
    return tmp_path / "set"


def test_annotations_that_show_what_the_masks_show_are_noted(root):
    dataset = open_dataset(root)
    assert dataset.layout == "folders of images and masks"
    assert "several_formats" in {note.code for note in dataset.notes}


@pytest.mark.parametrize(
    "line", ["annotations: '**/*.json'", "images: images/*.png\nmasks: masks/*.png"]
)
def test_annotations_that_show_something_else_are_asked_about(root, line):
    for path in (root / "masks").iterdir():
        shifted = np.zeros((SIDE, SIDE), np.uint8)
        shifted[20:30, 2:12] = 255
        draw(path, shifted)
    with pytest.raises(
        DataError, match=r"4 images have masks .*COCO.* differ: .* is 0\.00"
    ) as told:
        open_dataset(root)
    for part in line.split("\n"):
        assert f"`{part}`" in str(told.value)
    (root / "data.yaml").write_text(line)
    dataset = open_dataset(root)
    rows = np.flatnonzero(dataset.read_mask(dataset.samples[0]).any(axis=1))
    assert rows[0] == (4 if "annotations" in line else 20)


def write_classes(root, values):
    """Two squares an image; masks with `values` of them by image, COCO always a dent, then rust."""
    images, annotations = [], []
    for number in range(COUNT):
        mask = np.zeros((SIDE, SIDE), np.uint8)
        for place, value in enumerate(values(number)):
            left, top = 2 + 12 * place, 2 + number
            mask[top : top + 10, left : left + 10] = value
            ring = [left, top, left + 10, top, left + 10, top + 10, left, top + 10]
            item = {"image_id": number, "category_id": place + 1, "segmentation": [ring]}
            annotations.append(item)
        draw(root / "images" / f"{number}.png", np.dstack([mask * 60, mask * 9, mask * 5]))
        draw(root / "masks" / f"{number}.png", mask)
        images.append({"id": number, "file_name": f"{number}.png"})
    categories = [{"id": 1, "name": "dent"}, {"id": 2, "name": "rust"}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (root / "all.json").write_text(json.dumps(content))


def test_annotations_of_other_classes_are_asked_about(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = tmp_path / "set"
    write_classes(root, lambda number: (2, 1) if number == 3 else (1, 2))  # swapped in one of four
    with pytest.raises(DataError, match=r"differ: 25% of a class are another one there"):
        open_dataset(root)
    write_classes(root, lambda number: (1, 1))  # united
    with pytest.raises(DataError, match=r"differ: 50% of a class are another one there"):
        open_dataset(root)
    write_classes(root, lambda number: (2, 1))
    (root / "classes.txt").write_text("background\ndent\nrust\n")
    with pytest.raises(DataError, match=r"differ: 100% of a class"):
        open_dataset(root)


def test_annotations_of_the_same_pixels_name_the_classes(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = tmp_path / "set"
    write_classes(root, lambda number: (2, 1))
    dataset = open_dataset(root)
    assert dataset.labels.names == ("background", "rust", "dent")
    assert "names_of_annotations" in {note.code for note in dataset.notes}
    write_yaml(dataset, root / "data.yaml")
    assert open_dataset(root).labels == dataset.labels
    write_classes(root, lambda number: (1, 2))
    with pytest.raises(DataError, match=r"differ: 100% of a class"):
        open_dataset(root)
