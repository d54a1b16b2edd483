import numpy as np
import pytest

from maskwright.data.pipeline.arrays import Arrays
from maskwright.data.pipeline.pixel_range import robust_range, spread_positions
from maskwright.labels import IGNORE_LABEL

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(100, 1000, (200, 300, 1)).astype(np.uint16)
LABELS = np.zeros((200, 300), np.uint8)


def range_of(pixels, labels=LABELS):
    return Arrays.from_numpy([pixels, pixels], [labels, labels]).value_range


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_a_hot_pixel_does_not_set_the_range(dtype):
    hot = PIXELS.astype(dtype)
    hot[5, 5], hot[5, 6] = 65535, 0
    low, high = range_of(hot)
    assert 99 <= low <= 103
    assert 995 <= high <= 1000


def test_a_rare_bright_class_is_not_cut_off():
    spots, labels = np.tile(PIXELS, (2, 2, 1)), np.tile(LABELS, (2, 2))
    spots[::20, ::80], labels[::20, ::80] = 40_000, 1  # a pixel in 1,600, fewer than 0.1 %
    assert range_of(spots, labels)[1] == 40_000
    assert range_of(spots, np.zeros_like(labels))[1] < 1001


def test_ignored_pixels_do_not_count_unless_all_are():
    gap, labels = PIXELS.astype(np.float32), LABELS.copy()
    gap[:100], labels[:100] = -9999, IGNORE_LABEL
    assert range_of(gap, labels)[0] > 99
    assert range_of(gap, np.full_like(LABELS, IGNORE_LABEL))[0] == -9999


def test_other_ranges():
    assert range_of(PIXELS.astype(np.uint8)) == (0, 255)
    assert range_of(np.full_like(PIXELS, 7)) == (7, 8)
    rare = np.zeros((200, 300, 1), np.float32)
    rare[0, 0] = 0.5  # the only pixel that is not black
    assert range_of(rare) == (0, 0.5)


def test_some_pixels_of_all_images_are_looked_at():
    positions = spread_positions(10**7)
    assert len(positions) == 2**19
    assert 0 <= np.diff(positions).min() <= np.diff(positions).max() < 40
    assert positions[0] < 20 <= 10**7 - positions[-1] + 20
    assert set(positions % 3) == {0, 1, 2}  # no column alone
    np.testing.assert_array_equal(positions, spread_positions(10**7))
    sizes = [(3, 5), (4, 2), (6, 6)]
    images = [np.full((*size, 2), n + 1, np.uint16) for n, size in enumerate(sizes)]
    arrays = Arrays.from_numpy(images, [image[..., 0] for image in images])
    pixels, labels = arrays.sample
    np.testing.assert_array_equal(labels, np.repeat([1, 2, 3], [15, 8, 36]))
    np.testing.assert_array_equal(pixels, np.stack([labels, labels], axis=1))


def test_robust_range_counts_channels_together():
    pixels = np.stack([np.linspace(0, 10, 1001), np.linspace(5, 20, 1001)], axis=1)
    low, high = robust_range(pixels.astype(np.float32), np.zeros(1001, np.uint8))
    assert 0 <= low < 0.1
    assert 19.9 < high <= 20
