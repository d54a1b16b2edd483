from dataclasses import replace

import numpy as np
import pytest

from drawing_squares import LOWER, SIDE, UPPER, squares, write_squares
from drawing_squares import SPEC as CROPS
from maskwright.errors import DataError
from maskwright.imageio import write_image
from maskwright.inference.prediction import Prediction
from maskwright.tasks.regions.extraction.crops import CropSpec
from maskwright.tasks.regions.extraction.extract import extract
from maskwright.tasks.regions.extraction.masks import (
    extract_predicted,
    min_component_px,
    region_iou,
    true_regions,
)

SPEC = CropSpec("instances", min_predicted_px=5)
INSTANCES = np.array([[1, 1, 2, 2, 0, 3, 3], [1, 1, 2, 2, 0, 3, 3]])
IMAGE = np.zeros((2, 7, 1), np.uint8)


def areas(spec, labels, instances=None):
    prediction = Prediction(labels, instances=instances)
    return [region.area_px for region in extract_predicted(IMAGE, prediction, spec)]


def test_touching_objects_of_a_label_mask_are_one_region_and_small_ones_noise():
    labels = np.minimum(INSTANCES, 1)
    assert [region.area_px for region in extract(IMAGE, INSTANCES, SPEC)] == [4, 4, 4]
    assert areas(SPEC, labels) == [8]  # the component of 4 px is too small
    assert areas(replace(SPEC, min_predicted_px=1), labels) == [8, 4]


def test_predicted_instances_are_regions_unless_a_region_is_the_whole():
    labels = np.minimum(INSTANCES, 1)
    for kind in ("components", "instances"):
        assert areas(CropSpec(kind, min_predicted_px=4), labels, INSTANCES) == [4, 4, 4]
    assert areas(CropSpec("whole"), labels, INSTANCES) == [12]


def test_iou_is_worked_out_in_the_common_part_of_the_boxes():
    image = np.zeros((SIDE, SIDE), np.uint8)
    corner = squares((0, 0, 4, 4))[..., 0] > 0
    corner[0, 0] = False
    (a,) = extract(image, corner)
    (b,) = extract(image, squares((2, 2, 6, 6))[..., 0] > 0)
    (disjoint,) = extract(image, squares((4, 4, 6, 6))[..., 0] > 0)
    assert region_iou(a, b) == region_iou(b, a) == pytest.approx(4 / (15 + 16 - 4))
    assert region_iou(a, a) == 1
    assert region_iou(a, disjoint) == 0


@pytest.fixture
def dataset(tmp_path):
    return write_squares(tmp_path)


def test_noise_is_smaller_than_a_quarter_of_the_true_regions(dataset):
    assert min_component_px(dataset, "components") == 64 // 4
    dataset.samples[0].masks[0].write_text("this is text")
    assert min_component_px(dataset, "components") == 16


def test_a_mask_of_another_size_is_stretched_where_the_aspect_agrees(dataset):
    sample = dataset.samples[0]
    write_image(sample.masks[0], squares(UPPER, LOWER)[::2, ::2])
    assert [region.box for region in true_regions(dataset, sample, CROPS)[1]] == [
        (2, 2, 10, 10),
        # Every second pixel from 0 on: 12 to 18, and 14 to 20, each two wide.
        (12, 14, 20, 22),
    ]
    write_image(sample.masks[0], squares(UPPER)[:20])
    with pytest.raises(DataError, match=r"20 x 24 px .* for an image of 24 x 24 px"):
        true_regions(dataset, sample, CROPS)
