import numpy as np
import pytest

from maskwright.errors import DataError
from maskwright.instances import Instances, mask_overlaps

# Two objects that share the pixel in the middle.
FIRST = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 0]])
SECOND = np.array([[0, 0, 0], [0, 1, 1], [0, 1, 1]])


def overlapping(**more):
    return Instances.from_masks([FIRST, SECOND], (3, 3), [1, 2], **more)


def test_boxes_and_small_masks_give_the_whole_masks_back():
    objects = overlapping()
    assert objects.boxes.tolist() == [[0, 0, 2, 2], [1, 1, 3, 3]]
    assert objects.areas.tolist() == [4, 4]
    np.testing.assert_array_equal(objects.mask(1), SECOND == 1)


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(DataError, match="3x3; received 2x3"):
        Instances.from_masks([FIRST[:2]], (3, 3))


def test_the_surer_object_lies_on_top():
    assert overlapping().ids()[1, 1] == 2
    assert overlapping(scores=[0.9, 0.5]).ids()[1, 1] == 1
    assert overlapping(scores=[0.9, 0.5]).classes().tolist() == [[1, 1, 0], [1, 1, 2], [0, 2, 2]]


def test_layers_hide_nothing():
    layers = overlapping().layers()
    assert layers.shape == (3, 3, 2)
    np.testing.assert_array_equal(layers[..., 0], FIRST)
    np.testing.assert_array_equal(layers[..., 1], 2 * SECOND)
    assert Instances.from_masks([], (2, 3)).layers().shape == (2, 3, 1)


def test_numbers_may_have_gaps_and_parts():
    ids = np.array([[7, 0, 7], [0, 4, 4]])
    objects = Instances.from_ids(ids, classes=np.array([[1, 0, 1], [0, 2, 1]]))
    # Object 4 is of both classes by one pixel each; the lower is taken.
    assert objects.labels.tolist() == [1, 1]
    assert objects.boxes.tolist() == [[1, 1, 2, 3], [0, 0, 1, 3]]
    assert objects.masks[1].tolist() == [[True, False, True]]
    assert objects.ids().tolist() == [[2, 0, 2], [0, 1, 1]]


def test_an_image_without_objects_has_none():
    assert len(Instances.from_ids(np.zeros((2, 2), int), np.zeros((2, 2), int))) == 0


def test_overlaps_are_counted_where_boxes_meet():
    one, other = overlapping(), Instances.from_masks([np.eye(3), FIRST * 0], (3, 3))
    # The diagonal has two pixels in each square; nothing overlaps an empty mask.
    assert mask_overlaps(one, other).tolist() == [[2, 0], [2, 0]]


def test_some_are_taken_with_their_scores():
    some = overlapping(scores=[0.2, 0.8]).take(np.array([False, True]))
    assert (some.labels.tolist(), some.scores.tolist()) == ([2], pytest.approx([0.8]))
