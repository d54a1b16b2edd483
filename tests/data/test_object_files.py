"""Files in instances/ that number the objects of masks of classes."""

import json

import numpy as np
import pytest

import maskwright
from maskwright.data import open_dataset
from maskwright.errors import DataError
from maskwright.imageio import write_image
from maskwright.labels import IGNORE_LABEL
from maskwright.rle import encode_rle
from maskwright.tasks.instances.learning.targets import load_objects


def draw(root, void=255, numbers=None):
    """Two objects in each of four images: a disk of class 1, and one whose pixels hold `void`."""
    rng = np.random.default_rng(0)
    for name in "abcd":
        labels = np.zeros((12, 20), np.uint8)
        labels[2:6, 2:6], labels[7:11, 12:18] = 1, void
        ids = np.zeros((12, 20), np.uint16)
        ids[1:6, 2:6], ids[7:11, 12:18] = 4, 9  # a row of the first is not in the mask
        pixels = rng.integers(0, 255, (12, 20, 3)).astype(np.uint8)
        write_image(root / "images" / f"{name}.png", pixels)
        write_image(root / "masks" / f"{name}.png", labels)
        write_image(root / "instances" / f"{name}.png", ids if numbers is None else numbers)
    return root


def test_objects_have_the_class_of_their_mask_and_void_ones_are_ignored(tmp_path):
    dataset = open_dataset(draw(tmp_path))
    objects = dataset.read_objects(dataset.samples[0])
    assert (objects.labels.tolist(), objects.boxes.tolist()) == ([1], [[1, 2, 6, 6]])
    arrays = load_objects(dataset, dataset.samples[:1], None)
    _, maps, labels = arrays[0]
    assert (labels.tolist(), np.unique(maps[..., 1]).tolist()) == ([1], [0, 1])
    assert (maps[7:11, 12:18, 0] == IGNORE_LABEL).all()


def test_objects_without_a_class_and_files_of_another_size_are_told(tmp_path):
    dataset = open_dataset(draw(tmp_path / "none", void=0))
    with pytest.raises(DataError, match="object at row 7, column 12, where the mask of its image"):
        dataset.read_objects(dataset.samples[0])
    findings = maskwright.check(tmp_path / "none").findings
    messages = [each.message for each in findings if each.code == "unreadable_mask"]
    assert ["row 7, column 12" in message for message in messages] == [True] * 4
    dataset = open_dataset(draw(tmp_path / "turned", numbers=np.ones((20, 12), np.uint16)))
    with pytest.raises(DataError, match=r"20x12 pixels but its mask .*a\.png is 12x20"):
        dataset.read_objects(dataset.samples[0])


def test_images_without_a_file_of_numbers_are_named(tmp_path):
    draw(tmp_path)
    (tmp_path / "instances" / "b.png").unlink()
    with pytest.raises(DataError, match=r"1 image of 4 in .* have no file .* such as .*b\.png"):
        maskwright.plan(tmp_path, objects="auto", measure=False)


def test_classes_without_a_background_are_told_before_training(tmp_path):
    draw(tmp_path, void=2)  # classes 0 to 2, whose names nobody states
    findings = {each.code: each for each in maskwright.check(tmp_path).findings}
    assert "name class_0 so in data.yaml" in findings["objects"].advice
    with pytest.raises(DataError, match="Expected a background as the first class"):
        maskwright.plan(tmp_path, objects="auto", measure=False)
    (tmp_path / "data.yaml").write_text("classes: [background, cell, clump]\n")
    dataset = open_dataset(tmp_path)
    assert dataset.read_objects(dataset.samples[0]).labels.tolist() == [1, 2]


def test_a_crowd_is_no_object_to_learn(tmp_path):
    size = (16, 24)
    single, crowd = np.zeros(size, bool), np.zeros(size, bool)
    single[2:8, 2:8] = crowd[9:15, 3:20] = True
    annotations = [
        {"id": n, "image_id": 1, "category_id": 1, "segmentation": encode_rle(m), "iscrowd": n}
        for n, m in enumerate((single, crowd))
    ]
    content = {
        "images": [{"id": 1, "file_name": "a.png", "height": 16, "width": 24}],
        "categories": [{"id": 1, "name": "person"}],
        "annotations": annotations,
    }
    write_image(tmp_path / "a.png", np.zeros((*size, 3), np.uint8))
    (tmp_path / "instances.json").write_text(json.dumps(content))
    dataset = open_dataset(tmp_path)
    assert dataset.read_objects(dataset.samples[0]).crowd.tolist() == [False, True]
    arrays = load_objects(dataset, dataset.samples, None)
    _, maps, labels = arrays[0]
    assert (labels.tolist(), arrays.largest_px()) == ([1], 6)
    assert np.array_equal(maps[..., 1], single)
    assert np.array_equal(maps[..., 0] == IGNORE_LABEL, crowd)
