import cv2
import numpy as np
import pytest
from scipy import ndimage

from maskwright.inference.postprocess import clean


def grid(*rows):
    return np.array([[int(c) for c in row] for row in rows], np.int32)


def test_small_components_become_background_and_corners_connect():
    labels = grid("1000022", "0100020", "0000000", "2200001")
    # Of class 1: two pixels touching at a corner, one alone. Of class 2: three pixels, two pixels.
    expected = grid("1000022", "0100020", "0000000", "2200000")
    np.testing.assert_array_equal(clean(labels, min_area_px=2), expected)
    expected = grid("0000022", "0000020", "0000000", "0000000")
    np.testing.assert_array_equal(clean(labels, min_area_px=3), expected)


def test_largest_of_each_class_stays():
    labels = grid("1100222", "0000000", "1011002")
    # The two components of class 1 with two pixels are equally large: the upper one stays.
    expected = grid("1100222", "0000000", "0000000")
    np.testing.assert_array_equal(clean(labels, keep_largest=True), expected)


def test_enclosed_holes_are_filled_up_to_an_area_and_foreign_classes_stay():
    labels = grid(
        "1111101",
        "1020101",
        "1111111",
        "1001011",
        "1001110",
        "1111100",
    )
    # Holes of 1, 1, 4 and 1 pixels; 0 at the right of row 0 and in the corner reach the border.
    one = grid(
        "1111101",
        "1121101",
        "1111111",
        "1001111",
        "1001110",
        "1111100",
    )
    np.testing.assert_array_equal(clean(labels, fill_holes_px=3), one)
    four = one.copy()
    four[3:5, 1:3] = 1
    np.testing.assert_array_equal(clean(labels, fill_holes_px=4), four)


def test_holes_are_filled_after_small_components_are_removed():
    labels = grid("111", "121", "111")
    np.testing.assert_array_equal(clean(labels, min_area_px=2), grid("111", "101", "111"))
    np.testing.assert_array_equal(
        clean(labels, min_area_px=2, fill_holes_px=1), grid("111", "111", "111")
    )


def test_without_background_the_nearest_class_takes_over():
    labels = grid("000001", "020211", "000111")
    # The single 2s are nearest to 0 and, between 0 and 1, to whichever side OpenCV meets first.
    cleaned = clean(labels, min_area_px=2, background=None)
    assert cleaned[1, 1] == 0
    assert cleaned[1, 3] in (0, 1)
    cleaned[1, 3] = 2
    np.testing.assert_array_equal(cleaned, grid("000001", "000211", "000111"))
    # Where every component is too small, there is nothing to take over.
    np.testing.assert_array_equal(clean(labels, min_area_px=99, background=None), labels)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (3, 1)])
def test_thin_masks(shape):
    ones = np.ones(shape, np.int32)
    settings = {"fill_holes_px": 9, "keep_largest": True}
    np.testing.assert_array_equal(clean(ones, min_area_px=2, **settings), ones * (ones.size > 1))
    np.testing.assert_array_equal(clean(ones, min_area_px=9, background=None, **settings), ones)


def test_random_mask_agrees_with_a_plain_search():
    rng = np.random.default_rng(0)
    labels = (rng.random((40, 50)) < 0.4).astype(np.int32)
    cleaned = clean(labels, min_area_px=6)
    components, _ = ndimage.label(labels, np.ones((3, 3)))
    areas = np.bincount(components.ravel())
    np.testing.assert_array_equal(cleaned, (labels > 0) & (areas[components] >= 6))
    filled = clean(labels, fill_holes_px=10**6)
    np.testing.assert_array_equal(filled, ndimage.binary_fill_holes(labels))


def test_holes_in_one_class_are_filled_as_among_several():
    rng = np.random.default_rng(0)
    one = (cv2.GaussianBlur(rng.normal(size=(90, 90)), (0, 0), 2) > -0.05).astype(np.uint8)
    two = one.copy()
    two[0, 0] = 2
    filled, among = (clean(labels, fill_holes_px=30) for labels in (one, two))
    assert (filled != one).sum() > 50
    np.testing.assert_array_equal(filled[1:, 1:], among[1:, 1:])
