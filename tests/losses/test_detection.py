import numpy as np
import pytest

from maskwright.losses.detection import (
    box_loss,
    class_loss,
    depth_loss,
    mask_loss,
    object_loss,
    smooth_l1,
)


def numbers(values):
    return np.asarray(values).tolist()


def test_smooth_l1_is_quadratic_up_to_beta():
    # 0.5 * 0.5**2 / 1 below 1, the error less a half above.
    assert numbers(smooth_l1(np.float32([-0.5, 2.0]), 1.0)) == [0.125, 1.5]


def test_boxes_count_where_there_is_an_object_by_all_that_was_drawn():
    codes = np.zeros((2, 3, 4), np.float32)
    wanted = np.full((2, 3, 4), 2.0, np.float32)
    wanted[:, 1:] = np.inf  # of no object
    positive = np.array([[True, False, False]] * 2)
    counted = np.array([[True, True, False], [True, False, False]])
    # Four codes that are 1.5 wrong, by two that were drawn, and by one.
    assert numbers(box_loss(codes, wanted, positive, counted, 1.0)) == [3.0, 6.0]


def test_anchors_and_classes_have_cross_entropies():
    logits = np.float32([[0.0, 2.0, 9.0]])
    positive, counted = np.array([[True, False, True]]), np.array([[True, True, False]])
    expected = (np.log(2) + np.log(1 + np.exp(2))) / 2
    assert numbers(object_loss(logits, positive, counted)) == pytest.approx([expected])
    scores = np.float32([[[0, 0, 0], [0, np.log(2), 0]]])
    labels = np.array([[2, 1]])
    # One of three, and two of four.
    expected = (np.log(3) + np.log(2)) / 2
    both = np.array([[True, True]])
    assert numbers(class_loss(scores, labels, both)) == pytest.approx([expected])


def test_masks_learn_in_their_own_class_alone():
    logits = np.zeros((1, 2, 2, 2, 2), np.float32)
    logits[..., 0] = 50.0  # of the other class: no matter how wrong
    wanted = np.ones((1, 2, 2, 2), np.float32)
    labels, positive = np.array([[2, 0]]), np.array([[True, False]])
    assert numbers(mask_loss(logits, labels, wanted, positive)) == pytest.approx([np.log(2)])
    nothing = mask_loss(logits, labels * 0, wanted, positive & False)
    assert numbers(nothing) == [0.0]


def test_depths_weigh_objects_and_background_alike():
    wanted = np.zeros((1, 1, 4, 2), np.float32)
    wanted[0, 0, 0, 0] = 1.0
    values = np.zeros((1, 1, 4, 2), np.float32)
    values[0, 0, 3, 1] = 1.0
    weights = np.float32([[[1, 1, 0, 1]]])
    # An error of 1 is 0.95 with a beta of 0.1. One pixel inside; two outside, one of them wrong.
    assert numbers(depth_loss(values, wanted, weights)) == pytest.approx([(0.95 + 0.95 / 2) / 2])
