import numpy as np
import pytest

from maskwright.data.pipeline.arrays import Arrays
from maskwright.data.pipeline.augmentation import Augmentation
from maskwright.data.pipeline.epochs import EpochSchedule
from maskwright.errors import ConfigError
from maskwright.tasks.instances.learning.batches import BOXES, DEPTHS, eval_batches, train_batches
from maskwright.tasks.instances.learning.targets import ObjectArrays

STILL = Augmentation.named("none")


def three(sizes=((20, 24), (20, 24), (20, 24))):
    """Images of which the first holds two squares, the second one, the third none."""
    images, classes, numbers, labels = [], [], [], []
    squares = [[(2, 2), (10, 14)], [(5, 6)], []]
    for size, places in zip(sizes, squares, strict=True):
        drawn = np.zeros((*size, 1), np.uint16)
        for number, (top, left) in enumerate(places, 1):
            drawn[top : top + 6, left : left + 8] = number
        numbers.append(drawn)
        classes.append((drawn[..., 0] > 0).astype(np.uint8))
        images.append((drawn > 0) * np.uint8(200))
        labels.append(np.ones(len(places), np.int32))
    arrays = Arrays.from_numpy(images, classes)
    return ObjectArrays(arrays, tuple(numbers), tuple(labels))


def test_boxes_are_padded_and_numbers_go_with_them():
    images, true, weights = next(iter(eval_batches(three(), BOXES, 3)))
    assert images.shape == (3, 20, 24, 1)
    assert true["labels"].numpy().tolist() == [[1, 1], [1, 0], [0, 0]]
    assert true["boxes"].numpy()[0].tolist() == [[2, 2, 8, 10], [10, 14, 16, 22]]
    assert true["ids"].numpy()[0].max() == 2
    assert weights.numpy().tolist() == [1, 1, 1]


def test_depths_come_with_the_classes():
    arrays = three()
    arrays.arrays.labels[:24] = 255  # the first row of the first image
    _, true, weights = next(iter(eval_batches(arrays, DEPTHS, 3)))
    assert true.shape == (3, 20, 24, 3)
    assert weights.numpy()[0, 0].max() == 0
    assert weights.numpy()[0, 1:].min() == 1
    assert true.numpy()[..., 1].max() == 1


def test_an_epoch_is_the_same_again_and_another_is_not():
    arrays = three(((20, 24), (30, 25), (22, 28)))
    strong = Augmentation.named("strong")

    def first(epoch):
        made = train_batches(arrays, BOXES, EpochSchedule(3, 0, epoch), strong, crop=(16, 16))
        images, true, _ = next(iter(made))
        return images.numpy(), true["ids"].numpy()

    for one, other in zip(first(0), first(0), strict=True):
        np.testing.assert_array_equal(one, other)
    assert (first(0)[0] != first(1)[0]).any()


def test_tiles_cover_images_of_any_size_once():
    arrays = three(((20, 24), (30, 25), (22, 28)))
    batches = list(eval_batches(arrays, DEPTHS, 4, tile=(16, 16)))
    inside = sum(int((true.numpy()[..., 0] == 1).sum()) for _, true, _ in batches)
    assert inside == 3 * 48
    with pytest.raises(ConfigError, match="no crop is set"):
        train_batches(arrays, DEPTHS, EpochSchedule(2), STILL)
