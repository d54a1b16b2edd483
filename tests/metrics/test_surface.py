import math

import numpy as np
import pytest

from maskwright.errors import DataError
from maskwright.metrics.surface import assd, boundary_iou, hd95, surface_dice, surface_distances

CUT = math.sqrt(2) / 2  # length of outline where a corner is cut off


def square(top, left, side, size=(12, 12)):
    mask = np.zeros(size, bool)
    mask[top : top + side, left : left + side] = True
    return mask


def test_a_square_moved_by_two_pixels():
    # Outlines of 16 corners: 12 of length 1, and the four of the square, cut off.
    # The left side, 3 and 2 cut, is 2 px from the other outline, and so is the middle of the right
    # side; its other two inner corners are 1 px away, and so are the next ones of the left side.
    two, one, total = 2 * (4 + 2 * CUT), 2 * 4, 2 * (12 + 4 * CUT)
    distances = surface_distances(square(2, 2, 4), square(2, 4, 4))
    assert surface_dice(distances, 2) == 1
    assert surface_dice(distances, 1) == pytest.approx(1 - two / total)
    assert surface_dice(distances, 0.5) == pytest.approx(1 - (two + one) / total)
    assert assd(distances) == pytest.approx((2 * two + one) / total)
    assert hd95(distances) == 2


def test_distances_are_in_the_unit_of_the_spacing():
    # Moved by three rows of 0.1 mm; columns of 0.5 mm change only the lengths.
    moved = surface_distances(square(2, 2, 4), square(5, 2, 4), (0.1, 0.5))
    assert hd95(moved) == pytest.approx(0.3)
    assert surface_dice(moved, 0.3) == 1  # although 3 * 0.1 > 0.3 in floats
    cut = math.hypot(0.1, 0.5) / 2
    assert moved.truth_lengths.sum() == pytest.approx(6 * 0.1 + 6 * 0.5 + 4 * cut)


def test_values_are_those_of_surface_distance():
    # By surface-distance 0.1 of google-deepmind; ASSD is its mean over both lists together.
    rows, columns = np.mgrid[:24, :30]
    truth = (rows - 11) ** 2 + (columns - 13) ** 2 < 70
    predicted = (rows - 12) ** 2 / 36 + (columns - 16) ** 2 / 120 < 1
    predicted[0, 0] = True  # at the edge of the image, far away
    distances = surface_distances(truth, predicted, (0.8, 0.7))
    found = surface_dice(distances, 1.0), hd95(distances), assd(distances)
    assert found == pytest.approx((0.37896052041855155, 3.5902646142032486, 1.632883147292897))


def test_boundary_iou_compares_bands_within_the_masks():
    truth, predicted = square(2, 2, 4), square(2, 4, 4)
    # Rings of 12 pixels: those in rows 2 and 5 and columns 4 and 5 are in both.
    assert boundary_iou(truth, predicted, 1) == pytest.approx(4 / 20)
    # Within 2 px of the outline lies all of both squares: their IoU.
    assert boundary_iou(truth, predicted, 2) == pytest.approx(8 / 24)
    # 2 % of a diagonal of 17 px is less than a pixel: one.
    assert boundary_iou(truth, predicted) == boundary_iou(truth, predicted, 1)
    # The edge of the image cuts masks: a full image has a band along it.
    full = np.ones((5, 5), bool)
    assert boundary_iou(full, square(1, 1, 3, (5, 5)), 1) == 0


@pytest.mark.parametrize(
    ("truth", "predicted", "expected"),
    [(0, 0, (math.nan, math.nan)), (0, 1, (0, math.inf)), (1, 0, (0, math.inf))],
)
def test_empty_masks_have_no_score_or_the_worst(truth, predicted, expected):
    masks = [square(2, 2, 3) * np.bool_(there) for there in (truth, predicted)]
    distances = surface_distances(*masks)
    share, far = expected
    found = [surface_dice(distances, 2), boundary_iou(*masks), hd95(distances), assd(distances)]
    np.testing.assert_equal(found, [share, share, far, far])


def test_masks_of_two_sizes_are_refused():
    with pytest.raises(DataError, match=r"two boolean masks .* of equal size"):
        surface_distances(square(2, 2, 3), square(2, 2, 3, (9, 9)))
    with pytest.raises(DataError, match="received uint8"):
        boundary_iou(square(2, 2, 3).view(np.uint8), square(2, 2, 3))
