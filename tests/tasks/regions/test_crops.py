import numpy as np
import pytest

from maskwright.errors import ConfigError, DataError
from maskwright.tasks.regions.extraction.crops import align, cut, treat, window


def test_masks_are_aligned_where_the_aspect_agrees_to_the_pixel():
    mask = np.array([[1, 2], [3, 4]], np.int32)
    np.testing.assert_array_equal(
        align(np.zeros((4, 4, 3)), mask),
        [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]],
    )
    assert align(np.zeros((2, 2)), mask) is mask
    # A third of 500 x 667 is 167 x 222; and 222.3 columns would be exact.
    assert align(np.zeros((500, 667)), np.zeros((167, 222), bool)).shape == (500, 667)
    for wrong in ((64, 128), (96, 128), (128, 129), (0, 128)):
        with pytest.raises(DataError, match="size or aspect"):
            align(np.zeros((128, 128)), np.zeros(wrong, bool))
    with pytest.raises(DataError, match=r"a mask \(h, w\)"):
        align(np.zeros((8, 8, 3)), np.zeros((8, 8, 3)))


def test_window_is_a_square_around_the_box_with_its_margin():
    # 10 rows with 2 above and below are 14; 20 columns with 4 left and right are 28.
    assert window((40, 40, 50, 60), (100, 100), 0.2) == (31, 36, 28)
    assert window((40, 40, 50, 60), (100, 100), 0) == (35, 40, 20)
    assert window((7, 7, 8, 8), (100, 100), 0.2) == (6, 6, 3)  # a margin of at least 1 px
    assert window((0, 0, 10, 10), (100, 100), 0.5) == (-5, -5, 20)
    assert window((40, 40, 50, 60), (30, 40), None) == (-5, 0, 40)


def test_crop_shows_the_surroundings_and_zeros_beyond_the_image():
    image = np.arange(1, 21, dtype=np.uint8).reshape(4, 5)
    # One row by two columns at the left: 2 px high as the box is 2 px wide, 1 more on each side.
    crop, inside = cut(image, np.ones((1, 2), bool), (1, 0, 2, 2), 4, context=0.5)
    assert crop[..., 0].tolist() == [[0, 1, 2, 3], [0, 6, 7, 8], [0, 11, 12, 13], [0, 16, 17, 18]]
    assert inside.tolist() == [[0] * 4, [0, 1, 1, 0], [0] * 4, [0] * 4]
    whole = np.zeros((4, 5), bool)
    whole[1, :2] = whole[3, 4] = True  # what lies outside the box is another region's
    again = cut(image, whole, (1, 0, 2, 2), 4, context=0.5)
    np.testing.assert_array_equal(again[1], inside)


def test_image_and_mask_keep_sharing_their_window_at_any_size():
    rng = np.random.default_rng(0)
    mask = np.zeros((90, 120), bool)
    mask[20:55, 70:110] = True
    mask[30:40, 80:90] = False
    image = np.where(mask, 200, 0).astype(np.uint8)
    for size in (7, 32, 96, 200):
        for context in (0.0, 0.3, None):
            crop, inside = cut(image, mask, (20, 70, 55, 110), size, context)
            bright = crop[..., 0] > 100
            # They may differ along the outline only, where a pixel is averaged.
            assert (bright != inside).sum() <= 0.25 * inside.sum() + 4
            assert crop[inside].mean() > 100 > crop[~inside].mean() or inside.all()
    for dtype in (np.uint16, np.float32, np.float64, np.int32, bool):
        pixels = rng.integers(0, 2, (90, 120, 6)).astype(dtype)
        crop, _ = cut(pixels, mask, (20, 70, 55, 110), 24)
        assert (crop.shape, crop.dtype) == ((24, 24, 6), dtype)


def test_a_region_never_vanishes_from_its_crop():
    mask = np.zeros((1000, 1000), bool)
    for row, column in ((0, 0), (999, 999), (513, 77)):
        mask[:] = False
        mask[row, column] = True
        box = (row, column, row + 1, column + 1)
        _, inside = cut(np.zeros((1000, 1000)), mask, box, 10, context=None)
        assert np.argwhere(inside).tolist() == [[row // 100, column // 100]]


def test_crops_are_copies():
    image = np.ones((4, 4, 1), np.uint8)
    crop, _ = cut(image, np.ones((4, 4), bool), (0, 0, 4, 4), 4, 0.0)
    crop[:] = 0
    assert image.all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_what_lies_outside_is_kept_darkened_removed_or_marked(dtype):
    crops = np.full((2, 1, 2, 3), 50, dtype)
    inside = np.array([[[1, 0]], [[0, 0]]])
    assert treat(crops, inside, "kept") is crops
    darkened = treat(crops, inside, "darkened")
    np.testing.assert_allclose(darkened[:, 0, :, 0], [[50, 15], [15, 15]])
    assert darkened.dtype == dtype
    assert treat(crops, inside, "removed")[:, 0, :, 0].tolist() == [[50, 0], [0, 0]]
    marked = treat(crops, inside, "channel")
    top = {np.uint8: 255, np.uint16: 65535, np.float32: 255}[dtype]
    assert (marked.shape, marked.dtype) == ((2, 1, 2, 4), dtype)
    assert marked[0, 0].tolist() == [[50, 50, 50, top], [50, 50, 50, 0]]
    assert treat(crops, inside, "channel", high=9.0)[0, 0, 0, 3] == 9


def test_wrong_arguments_are_said():
    image, mask = np.zeros((4, 4)), np.ones((2, 2), bool)
    with pytest.raises(ConfigError, match="size of crops"):
        cut(image, mask, (0, 0, 2, 2), 0)
    with pytest.raises(ConfigError, match="context"):
        cut(image, mask, (0, 0, 2, 2), 8, -0.1)
    with pytest.raises(DataError, match="box within the image"):
        cut(image, mask, (3, 3, 5, 5), 8)
    with pytest.raises(ConfigError, match="'blurred'"):
        treat(image[..., None], image, "blurred")
