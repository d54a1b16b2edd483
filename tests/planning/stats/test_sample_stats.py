import cv2
import numpy as np
import pytest

from maskwright.planning.stats.sample_stats import measure_holes, measure_regions


def test_widths_of_strips_and_discs():
    labels = np.zeros((80, 120), np.uint8)
    labels[10:14, 10:110] = 1  # 4 x 100
    cv2.circle(labels, (60, 50), 15, 2, -1)
    strip, disc = (measure_regions(labels, 0)[label] for label in (1, 2))
    assert strip.area_px.tolist() == [400]
    # Distances to the outline are 0.5, 1.5, 1.5, 0.5 across; four times their mean is 4.
    assert strip.width_px[0] == pytest.approx(4, abs=0.2)
    assert disc.width_px[0] == pytest.approx(2 / 3 * 30, rel=0.05)
    assert disc.area_px[0] / disc.width_px[0] ** 2 == pytest.approx(1.8, rel=0.1)


def test_a_bent_strip_is_as_wide_as_a_straight_one():
    labels = np.zeros((120, 120), np.uint8)
    rows, columns = np.indices(labels.shape) - 60
    labels[np.abs(np.hypot(rows, columns) - 40) < 3.5] = 1  # a ring, 7 px wide
    assert measure_regions(labels, 0)[1].width_px[0] == pytest.approx(7, abs=0.5)


def test_regions_touch_at_corners_and_ignored_pixels_are_none():
    labels = np.full((6, 6), 255, np.uint8)
    labels[:4] = 0
    labels[0, 0] = labels[1, 1] = labels[3, 3] = 1
    measures = measure_regions(labels, 0)
    assert list(measures) == [1]
    assert sorted(measures[1].area_px.tolist()) == [1, 2]


def test_a_region_as_large_as_the_image_has_a_width():
    assert measure_regions(np.ones((20, 40), np.uint8), 0)[1].width_px[0] == pytest.approx(20)


def test_holes_reach_no_border():
    labels = np.zeros((10, 10), np.uint8)
    labels[2:7, 2:7] = 1
    labels[3, 3] = labels[5, 4:6] = 0
    assert sorted(measure_holes(labels, 0).tolist()) == [1, 2]
