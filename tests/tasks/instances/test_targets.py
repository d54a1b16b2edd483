import numpy as np
import pytest

from maskwright.data.pipeline.augment import augment
from maskwright.data.pipeline.augmentation import Augmentation
from maskwright.tasks.instances.learning.targets import depth_target, distances, visible


def maps_of(numbers, classes=None):
    numbers = np.asarray(numbers)
    classes = (numbers.max(axis=-1) > 0) if classes is None else np.asarray(classes)
    return np.dstack([classes, numbers]).astype(np.uint16)


def test_depth_falls_to_the_border_of_each_object_and_not_to_that_of_the_image():
    numbers = np.zeros((5, 8), int)
    numbers[:, 0:3] = 1  # cut off by three borders of the image
    numbers[:, 3:8] = 2  # touches the first
    depth, center = distances(numbers)
    # Of the first, only the right side is a border: 3, 2, 1 pixels away.
    assert depth[2, :3] == pytest.approx([1, 2 / 3, 1 / 3], abs=0.02)
    assert depth[2, 3:] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1], abs=0.02)
    assert center[2].argmax() in (0, 7)
    assert (center <= 1).all()


def test_the_center_of_a_square_is_in_its_middle():
    numbers = np.zeros((9, 9), int)
    numbers[2:7, 2:7] = 3
    depth, center = distances(numbers)
    assert (depth[4, 4], center[4, 4]) == (1, 1)
    # The bell has a standard deviation of 0.35 times 3 pixels.
    assert center[4, 5] == pytest.approx(np.exp(-1 / (2 * 1.05**2)), abs=1e-3)
    assert depth[numbers == 0].max() == center[numbers == 0].max() == 0


def test_what_a_crop_cuts_away_vanishes_and_the_rest_is_numbered_anew():
    numbers = np.zeros((6, 6, 2), int)
    numbers[0:2, 0:2, 0] = 1
    numbers[3:6, 3:6, 0] = 2
    numbers[2:5, 2:5, 1] = 3  # over the second
    labels = np.array([5, 6, 7])
    cut = maps_of(numbers)[2:, 2:]
    left, boxes, kept = visible(cut, labels)
    assert kept.tolist() == [6, 7]
    assert boxes.tolist() == [[1, 1, 4, 4], [0, 0, 3, 3]]
    assert left[3, 3].tolist() == [1, 0]
    assert left[0, 0].tolist() == [0, 2]
    assert visible(cut, labels, min_area_px=10)[2].tolist() == []


def test_objects_move_with_their_image():
    rng = np.random.default_rng(0)
    numbers = np.zeros((40, 40, 6), int)
    for layer in range(6):
        numbers[5 * layer : 5 * layer + 8, 10:30, layer] = 300 + layer
    image = (numbers.sum(axis=-1, keepdims=True) > 0) * np.uint8(200)
    strong = Augmentation.named("strong", flip_vertical=0.5, noise=0.0, blur=0.0)
    for _ in range(5):
        to_image, maps = augment(image, maps_of(numbers), strong, rng)
        assert maps.shape == (40, 40, 7)
        # Beyond the border, classes are ignored and there is no object.
        assert not maps[..., 1:][maps[..., 0] == 255].any()
        known = maps[..., 0] != 255
        np.testing.assert_array_equal((maps[..., 1:] > 0).any(axis=-1)[known], maps[..., 0][known])
        inside = (maps[..., 1:] > 0).any(axis=-1)
        assert to_image[..., 0][inside].mean() > to_image[..., 0][known & ~inside].mean()


def test_of_overlapping_objects_the_first_layers_are_learned():
    numbers = np.zeros((4, 4, 2), int)
    numbers[:2, :, 0] = 1
    numbers[1:, :, 1] = 2
    target = depth_target(maps_of(numbers))
    alone = distances(np.array([[1] * 4] * 2 + [[2] * 4] * 2))
    np.testing.assert_array_equal(target[..., 1], alone[0])
    assert target.dtype == np.float32
