from dataclasses import replace

import numpy as np
import pytest

from drawing_layers import NAMES, draw_layers, layers_of
from drawing_samples import draw
from maskwright.data import open_dataset
from maskwright.data.layers import Combinations, find_combinations, layer_labels, read_layers
from maskwright.data.opening import write_yaml
from maskwright.data.pipeline.load_arrays import load
from maskwright.data.writers.table import convert_dataset
from maskwright.errors import ConfigError, DataError


def test_files_of_classes_keep_what_overlaps(tmp_path):
    dataset = open_dataset(draw_layers(tmp_path))
    assert dataset.multilabel
    assert layer_labels(dataset.labels).names == NAMES
    for sample in dataset.samples:
        layers = read_layers(dataset, sample)[1]
        np.testing.assert_array_equal(layers, layers_of(int(sample.id)))
    write_yaml(dataset, tmp_path / "data.yaml")
    assert open_dataset(tmp_path).multilabel


def test_what_is_ignored_in_one_layer_is_ignored_in_all(tmp_path):
    draw_layers(tmp_path, 4)
    mask = 255 * layers_of(0)[..., 1]
    mask[:5] = 128
    draw(tmp_path / "masks" / "tumor" / "0.png", mask)
    with pytest.raises(DataError, match=r"`ignore: \[128\]`"):
        open_dataset(tmp_path)
    (tmp_path / "data.yaml").write_text("overlap: multilabel\nignore: [128]\n")
    for again in (False, True):
        dataset = open_dataset(tmp_path)
        sample = next(sample for sample in dataset.samples if sample.id == "0")
        layers = read_layers(dataset, sample)[1]
        assert (layers[:5] == 255).all()
        np.testing.assert_array_equal(layers[5:], layers_of(0)[5:])
        if not again:
            write_yaml(dataset, tmp_path / "data.yaml")


def test_the_smaller_class_is_painted_on_top(tmp_path):
    dataset = open_dataset(draw_layers(tmp_path))
    for sample in dataset.samples:
        assert set(np.unique(dataset.read_mask(sample))) == {0, 1, 2, 3}


def test_objects_of_coco_keep_what_overlaps(tmp_path):
    import json

    draw(tmp_path / "1.png", np.full((20, 30, 3), 90, np.uint8))
    square, bar = [2, 2, 12, 2, 12, 12, 2, 12], [0, 6, 30, 6, 30, 9, 0, 9]
    content = {
        "images": [{"id": 1, "file_name": "1.png", "height": 20, "width": 30}],
        "categories": [{"id": 1, "name": "organ"}, {"id": 2, "name": "vessel"}],
        "annotations": [
            {"id": n, "image_id": 1, "category_id": n, "segmentation": [ring], "iscrowd": 0}
            for n, ring in ((1, square), (2, bar))
        ],
    }
    (tmp_path / "coco.json").write_text(json.dumps(content))
    (tmp_path / "data.yaml").write_text("overlap: multilabel\n")
    dataset = open_dataset(tmp_path)
    assert dataset.multilabel
    layers = read_layers(dataset, dataset.samples[0])[1]
    assert layers.sum(axis=(0, 1)).tolist() == [100, 90]
    assert (layers.sum(axis=-1) == 2).sum() == 30


def test_combinations_are_numbered_and_ignored_pixels_stay_so(tmp_path):
    dataset = open_dataset(draw_layers(tmp_path, 3))
    combinations = find_combinations(dataset, dataset.samples)
    arrays = load(dataset, dataset.samples, None, combinations=combinations)
    for sample, (_, numbers) in zip(dataset.samples, arrays, strict=True):
        layers = layers_of(int(sample.id))
        np.testing.assert_array_equal(combinations.layers[numbers], layers)
    pair = Combinations(np.array([0, 1, 3]), 2)
    layers = np.array([[[0, 0], [1, 1], [255, 255], [1, 0]]], np.uint8)
    assert pair.numbers(layers).tolist() == [[0, 2, 255, 1]]


def test_masks_in_which_nothing_can_overlap_are_told_of(tmp_path):
    for number in range(4):
        draw(tmp_path / f"images/{number}.png", np.full((40, 40), 90, np.uint8))
        draw(tmp_path / f"masks/{number}.png", layers_of(number, 40)[..., 0])
    (tmp_path / "data.yaml").write_text("overlap: multilabel\n")
    with pytest.raises(ConfigError, match="expected a mask file for each class"):
        open_dataset(tmp_path)


def test_too_many_combinations_are_refused(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(4):
        draw(tmp_path / f"images/{number}.png", np.full((40, 40), 90, np.uint8))
        for name in "abcdefghij":
            mask = 255 * rng.integers(0, 2, (40, 40), np.uint8)
            draw(tmp_path / f"masks/{name}/{number}.png", mask)
    (tmp_path / "data.yaml").write_text("overlap: multilabel\n")
    dataset = open_dataset(tmp_path)
    with pytest.raises(DataError, match=r"overlap in 1,\d{3} combinations; expected at most 255"):
        find_combinations(dataset, dataset.samples)


def test_formats_of_one_class_for_a_pixel_are_refused(tmp_path):
    dataset = open_dataset(draw_layers(tmp_path / "data", 3))
    with pytest.raises(DataError, match="the format voc, unlike masks and coco, needs one"):
        convert_dataset(dataset, tmp_path / "out", "voc")
    united = replace(dataset, multilabel=False)
    assert convert_dataset(united, tmp_path / "out", "voc") == []
