"""Masks in folders, and annotations of the same images beside them."""

import json

import numpy as np
import pytest

from drawing_samples import draw
from maskwright.data import open_dataset
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
