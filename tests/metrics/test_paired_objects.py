import numpy as np
import pytest

from maskwright.errors import DataError
from maskwright.instances import Instances
from maskwright.metrics.instances import tally_objects
from maskwright.metrics.paired_objects import paired_objects

CASES = "abcdefgh"


def objects(*columns):
    masks = np.zeros((len(columns), 4, 20), bool)
    for mask, column in zip(masks, columns, strict=True):
        mask[:, column : column + 3] = True
    return Instances.from_masks(masks, (4, 20))


def tallies(*predicted):
    """Of images with two objects each."""
    return [tally_objects(objects(*columns), objects(0, 5), 2) for columns in predicted]


def test_the_model_that_detects_more_is_better_by_all_swaps():
    # A finds both everywhere, B one of two: AP 1 and 1/2, PQ 1 and 8 / (8 + 8/2).
    found = paired_objects(tallies(*[(0, 5)] * 8), tallies(*[(0,)] * 8), CASES)
    assert (found.a["ap"], found.b["ap"]) == (1, 0.5)
    assert found.gain["pq"] == pytest.approx(1 - 8 / 12)
    assert found.gain["class_pq"][1] == found.gain["pq"]
    # Only all cases as they are or all swapped differ as much, two of 2**8.
    assert found.p["ap"] == found.p["aji"] == 2 / 256
    assert np.isnan(found.ends["ap"]).all()  # all cases are alike


def test_intervals_hold_the_difference_and_images_of_a_case_count_together():
    a = tallies((0, 5), (0, 5), (0,), (0, 5), (0,), (0, 5), (0, 5), (5,))
    b = tallies((0,), (0, 5), (0,), (5,), (0, 5), (0,), (0,), (5,))
    found = paired_objects(a, b, CASES)
    low, high = found.ends["ap50"]
    # One of two in four images by which A is ahead, in one by which B is.
    assert low < found.gain["ap50"] < high
    assert found.gain["ap50"] == pytest.approx((4 - 1) / 2 / 8)
    # Of the five signs, all alike or one apart: 2 * (1 + 5) of 32 differ by 3/16 or more.
    assert found.p["ap50"] == pytest.approx(12 / 32)
    few = paired_objects(a, b, "aabbccdd")
    assert np.isnan(few.p["ap50"])
    assert np.isnan(few.ends["class_pq"]).all()


def test_false_objects_in_an_empty_image_are_held_against_a_model():
    empty = [tally_objects(objects(*columns), objects(), 2) for columns in ((), (0,))]
    found = paired_objects([*tallies((0, 5)), empty[0]], [*tallies((0, 5)), empty[1]], "ab")
    assert (found.a["ap"], found.b["ap"]) == (1, 0.5)
    with pytest.raises(DataError, match="received 1 and 2 for 2 cases"):
        paired_objects(empty[:1], empty, "ab")
