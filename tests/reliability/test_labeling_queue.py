import numpy as np
import pytest

from maskwright.errors import DataError
from maskwright.reliability.labeling_queue import labeling_order


def test_doubt_first_where_images_are_equally_far():
    expected_dice = np.array([0.9, 0.5, 0.7, 0.8])
    p_values = np.array([0.5, 0.04, 0.3, 0.4])
    order = labeling_order(expected_dice, p_values, np.eye(4), ["a", "b", "c", "d"])
    assert order.tolist() == [1, 2, 3, 0]


def test_copies_of_what_is_labeled_or_ahead_come_last():
    # 0 and 1 are the same picture, 3 is labeled already.
    features = np.array([[0.0, 0], [0, 0], [0, 1], [5, 5]])
    doubtful = np.array([0.3, 0.3, 0.9, 0.2])
    order = labeling_order(doubtful, doubtful, features, list("abcd"), features[3:])
    assert order.tolist() == [0, 2, 3, 1]  # the last two by their doubt


def test_every_case_has_its_turn():
    # Three images of case a are worse than all others.
    expected_dice = np.array([0.1, 0.2, 0.3, 0.8, 0.9])
    order = labeling_order(expected_dice, expected_dice, np.eye(5), ["a", "a", "a", "b", "c"])
    assert order.tolist() == [0, 3, 4, 1, 2]
    assert not len(labeling_order(np.ones(0), np.ones(0), np.ones((0, 3)), []))


def test_farthest_first_reaches_all_clusters():
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(8, 5)) * 10
    features = np.repeat(centers, 20, axis=0) + rng.normal(size=(160, 5))
    names = [str(i) for i in range(160)]
    order = labeling_order(rng.uniform(0.5, 0.9, 160), rng.random(160), features, names)
    assert len(set(order[:12] // 20)) == 8


def test_numbers_that_differ_are_told():
    with pytest.raises(DataError, match="received 1, 2, 2 and 2"):
        labeling_order(np.ones(1), np.ones(2), np.ones((2, 1)), ["a", "b"])
