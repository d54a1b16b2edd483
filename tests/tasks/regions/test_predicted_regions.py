from dataclasses import replace

import numpy as np

from maskwright.inference.predictor import Prediction
from maskwright.tasks.regions.extraction.crops import CropSpec
from maskwright.tasks.regions.extraction.extract import extract
from maskwright.tasks.regions.extraction.predicted_regions import extract_predicted

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
