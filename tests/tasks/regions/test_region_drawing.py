import numpy as np
import pytest

from maskwright.tasks.regions.drawing import (
    NEGATIVE,
    POSITIVE,
    caption,
    draw_decisions,
    outline,
    shade,
)
from maskwright.tasks.regions.extraction.extract import extract

GRAY = np.full((80, 120, 3), 90, np.uint8)


def two():
    """A square on the left, and one that touches the right border."""
    mask = np.zeros((80, 120), np.uint8)
    mask[20:40, 10:30] = 1
    mask[50:70, 100:120] = 1
    return extract(GRAY, mask)


def same(picture):
    return (picture == GRAY).all(-1)


def like(pixel, color):
    """Lines are smoothed, which takes a little of their color."""
    return np.abs(pixel.astype(int) - color).max() < 60


def test_the_color_changes_at_the_threshold():
    assert (shade(0.0), shade(1.0)) == (NEGATIVE, POSITIVE)
    for threshold in (0.2, 0.5):
        below, above = shade(threshold - 0.01, threshold), shade(threshold, threshold)
        assert below[2] == 255 > below[0]  # blue
        assert above[0] == 255 > above[2]  # orange
        assert min(below + above) > 150  # pale


def test_regions_are_outlined_and_numbered_within_the_picture():
    picture = draw_decisions(GRAY, two(), [1.0, 0.0])
    assert (GRAY == 90).all()
    assert (picture.shape, picture.dtype) == (GRAY.shape, np.uint8)
    assert like(picture[20, 20], POSITIVE)
    assert like(picture[50, 110], NEGATIVE)
    inside = np.s_[25:35, 15:25]
    assert same(picture)[inside].all()
    # The number stands to the right of the first, to the left of the second.
    assert not same(picture)[20:28, 32:40].all()
    assert not same(picture)[50:58, 90:98].all()


def test_the_heaviest_of_several_has_a_thicker_outline():
    def drawn(weights):
        picture = draw_decisions(GRAY, two(), [1.0, 1.0], weights=weights)
        return (~same(picture))[15:45, 5:31].sum()

    assert drawn([0.9, 0.1]) > drawn([0.1, 0.9]) == drawn(None)


def test_nothing_found_leaves_the_picture():
    assert same(draw_decisions(GRAY, [], [], weights=[])).all()


def test_one_probability_for_each():
    with pytest.raises(ValueError, match="shorter"):
        draw_decisions(GRAY, two(), [0.5])


def test_crops_with_outline_and_caption():
    crop, mask = np.zeros((32, 32, 3), np.uint8), np.zeros((32, 32), bool)
    mask[8:24, 8:24] = True
    drawn = outline(crop, mask, POSITIVE)
    assert like(drawn[8, 16], POSITIVE)
    assert not drawn[10:22, 10:22].any()
    told = caption(drawn, "0.97 malignant, and more than there is room for")
    assert told.shape == (32 + 12, 32, 3)
    np.testing.assert_array_equal(told[:32], drawn)
    assert told[32:].max() > 100
