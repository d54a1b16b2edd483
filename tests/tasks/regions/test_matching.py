import numpy as np
import pytest

from drawing_squares import SIDE, squares
from maskwright.tasks.regions.extraction.extract import extract
from maskwright.tasks.regions.extraction.predicted_regions import region_iou


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
