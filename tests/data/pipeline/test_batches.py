import numpy as np
import pytest

from maskwright.data.pipeline.arrays import Arrays, rare_class_weights
from maskwright.data.pipeline.augmentation import STRENGTHS
from maskwright.data.pipeline.batches import eval_batches, train_batches
from maskwright.data.pipeline.epochs import EpochSchedule
from maskwright.errors import ConfigError
from maskwright.labels import IGNORE_LABEL


def numbered(count, size=(6, 8)):
    """Images that hold their own number everywhere."""
    images = np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((1, *size, 3), "u1")
    return Arrays.from_numpy(images, np.zeros((count, *size), np.uint8))


def drawn(batches):
    return [tuple(part.numpy() for part in batch) for batch in batches]


def numbers(batches):
    return [images[:, 0, 0, 0].astype(int).tolist() for images, _, _ in drawn(batches)]


def test_every_sample_comes_once_and_the_last_batch_is_filled():
    seen = numbers(train_batches(numbered(5), EpochSchedule(2), STRENGTHS["none"]))
    order = [number for batch in seen for number in batch]
    assert sorted(order[:5]) == [0, 1, 2, 3, 4]
    assert [len(batch) for batch in seen] == [2, 2, 2]
    assert order[5] == order[0]


def test_fewer_samples_than_a_batch_repeat_with_other_augmentations():
    images = np.random.default_rng(0).integers(0, 255, (2, 8, 8, 1), dtype=np.uint8)
    arrays = Arrays.from_numpy(images, np.zeros((2, 8, 8)))
    ((drawn_images, _, _),) = drawn(train_batches(arrays, EpochSchedule(6), STRENGTHS["light"]))
    assert len({image.tobytes() for image in drawn_images}) == 6


def test_same_seed_same_batches_and_every_epoch_is_different():
    images = np.random.default_rng(0).integers(0, 255, (9, 16, 16, 3), dtype=np.uint8)
    arrays = Arrays.from_numpy(images, images[..., 0] // 128)

    def epoch(number, **options):
        schedule = EpochSchedule(4, seed=7, epoch=number, **options)
        return drawn(train_batches(arrays, schedule, STRENGTHS["strong"]))

    first, again, other = epoch(0), epoch(0), epoch(1)
    for batch, same, different in zip(first, again, other, strict=True):
        for part, same_part in zip(batch, same, strict=True):
            np.testing.assert_array_equal(part, same_part)
        assert (batch[0] != different[0]).any()
    # Resumed in the middle, shared by two workers, or two epochs on end: the same images.
    np.testing.assert_array_equal(epoch(0, skip=2)[0][0], first[2][0])
    halves = [epoch(0, shard=(worker, 2))[1][0] for worker in (0, 1)]
    np.testing.assert_array_equal(np.concatenate(halves), first[1][0])
    np.testing.assert_array_equal(epoch(0, epochs=2)[3][0], other[0][0])


def test_without_augmentation_nothing_changes_and_ignored_pixels_weigh_nothing():
    images = np.random.default_rng(0).integers(0, 65536, (3, 4, 5, 2)).astype(np.uint16)
    masks = np.array([0, 1, IGNORE_LABEL])[:, None, None] * np.ones((1, 4, 5), int)
    arrays = Arrays.from_numpy(images, masks)
    weights = np.array([0.5, 3.0])
    batches = train_batches(arrays, EpochSchedule(1), STRENGTHS["none"], class_weights=weights)
    assert batches.element_spec[0].shape == (1, 4, 5, 2)
    expected = {0: 0.5, 1: 3.0, IGNORE_LABEL: 0.0}
    for image, labels, weight in drawn(batches):
        label = labels[0, 0, 0]
        position = masks[:, 0, 0].tolist().index(label)
        np.testing.assert_array_equal(image[0], images[position])
        assert image.dtype == np.float32
        assert labels.dtype == np.int32
        assert np.unique(weight).tolist() == [expected[label]]


def test_crops_favor_a_rare_class():
    mask = np.zeros((100, 100), np.uint8)
    mask[70, 20] = 1
    arrays = Arrays.from_numpy([np.zeros((100, 100, 1), np.uint8)] * 40, [mask] * 40)
    share = []
    for favor in (None, rare_class_weights(arrays, 2)):
        batches = train_batches(arrays, EpochSchedule(40), STRENGTHS["none"], (16, 16), favor)
        share.append(np.mean([labels.any(axis=(1, 2)).mean() for _, labels, _ in drawn(batches)]))
    # By chance one crop in about 85*85/(16*16) = 28 holds the pixel; favored, nearly all do.
    assert share[0] < 0.2
    assert share[1] > 0.9


def test_evaluation_keeps_order_and_tiles_cover_every_pixel_once():
    assert numbers(eval_batches(numbered(5), 2)) == [[0, 1], [2, 3], [4]]
    shapes = [(10, 7), (4, 4)]
    arrays = Arrays.from_numpy(
        [np.zeros((*shape, 1), np.uint8) for shape in shapes], [np.ones(shape) for shape in shapes]
    )
    assert [images.shape for images, _, _ in drawn(eval_batches(arrays, 8))] == [
        (1, 10, 7, 1),
        (1, 4, 4, 1),
    ]
    tiles = drawn(eval_batches(arrays, 8, tile=(4, 4)))
    assert sum(weights.sum() for _, _, weights in tiles) == 10 * 7 + 4 * 4
    assert all(images.shape[1:] == (4, 4, 1) for images, _, _ in tiles)


def test_impossible_batches_are_refused():
    mixed = Arrays.from_numpy(
        [np.zeros((4, 4, 1)), np.zeros((5, 4, 1))], [np.zeros((4, 4)), np.zeros((5, 4))]
    )
    with pytest.raises(ConfigError, match="differ in size"):
        train_batches(mixed, EpochSchedule(2), STRENGTHS["none"])
    with pytest.raises(ConfigError, match="3 workers"):
        train_batches(numbered(4), EpochSchedule(4, shard=(0, 3)), STRENGTHS["none"])


def test_nothing_waits_for_an_autotuner_at_the_end_of_an_epoch():
    arrays = Arrays.from_numpy(np.zeros((2, 4, 4, 1), np.uint8), np.zeros((2, 4, 4), np.uint8))
    assert eval_batches(arrays, 2).options().autotune.enabled is False
