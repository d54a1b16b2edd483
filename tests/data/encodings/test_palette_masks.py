import numpy as np
import pytest
from PIL import Image

from drawing_mask_sets import (
    BLACK_AND_WHITE,
    COLORS,
    doubts_of,
    palette_image,
    read_labels,
    scene,
    state,
    write_set,
)
from maskwright.errors import DataError

SCENES = [scene(seed) for seed in range(4)]
BINARY = [(labels > 0).astype(np.uint8) for labels in SCENES]


def quantized(mask, number):
    """As Pillow makes palettes: white first."""
    return Image.fromarray(BLACK_AND_WHITE[mask]).quantize(2)


def both_orders(mask, number):
    order = [0, 1] if number % 2 else [1, 0]
    return palette_image(np.argsort(order)[mask], BLACK_AND_WHITE[order])


def some_gray(mask, number):
    return quantized(mask, number) if number % 2 else Image.fromarray(mask * np.uint8(255))


@pytest.mark.parametrize(
    ("save", "suffix"),
    [(quantized, ".png"), (quantized, ".gif"), (both_orders, ".png"), (some_gray, ".png")],
)
def test_black_is_background_whatever_the_order_of_the_palette(tmp_path, save, suffix):
    dataset, labels = read_labels(write_set(tmp_path, BINARY, save, suffix))
    assert dataset.labels.names == ("background", "foreground")
    np.testing.assert_array_equal(labels, BINARY)
    assert not dataset.doubts


def test_palettes_in_random_order_are_read_by_color(tmp_path):
    def shuffled(mask, number):
        order = np.random.default_rng(number).permutation(4)
        return palette_image(np.argsort(order)[mask], COLORS[order])

    dataset, labels = read_labels(write_set(tmp_path, SCENES, shuffled))
    for mask, scene_labels in zip(labels, SCENES, strict=True):
        colors = np.array(dataset.labels.colors)[mask]
        np.testing.assert_array_equal(colors, COLORS[scene_labels])
    assert dataset.labels.colors[0] == (0, 0, 0)


def test_entries_that_no_pixel_uses_do_not_matter(tmp_path):
    def with_rubbish(mask, number):
        used = np.isin(np.arange(4), mask)[:, None]
        return palette_image(mask, np.where(used, COLORS, 17 * number))

    parts = [np.where(mask == number % 3 + 1, mask, 0) for number, mask in enumerate(SCENES)]
    dataset, labels = read_labels(write_set(tmp_path, parts, with_rubbish))
    assert dataset.encoding.kind == "palette"
    np.testing.assert_array_equal(labels, parts)


def test_void_of_255_is_black_and_no_background(tmp_path):
    colors = np.zeros((256, 3), np.uint8)
    colors[:4] = [(128, 64, 128), (244, 35, 232), (70, 70, 70), (102, 102, 156)]
    masks = [np.where(np.arange(64) < 3, 255, labels) for labels in SCENES]
    dataset, labels = read_labels(
        write_set(tmp_path, masks, lambda mask, _: palette_image(mask, colors))
    )
    assert dataset.labels.num_classes == 4
    np.testing.assert_array_equal(labels, masks)


def test_indices_of_one_color_are_asked_about_and_either_reading_can_be_stated(tmp_path):
    twice = COLORS[[0, 1, 1, 2]]
    root = write_set(tmp_path, SCENES, lambda mask, _: palette_image(mask, twice))
    assert doubts_of(root) == ["palette_order"]
    np.testing.assert_array_equal(read_labels(state(root, "encoding: palette"))[1], SCENES)
    dataset, labels = read_labels(state(root, "encoding: colors"))
    assert (dataset.labels.num_classes, dataset.doubts) == (3, ())
    np.testing.assert_array_equal(np.array(dataset.labels.colors)[labels], twice[SCENES])


def test_palettes_for_display_that_differ_are_asked_about(tmp_path):
    def displayed(mask, number):
        return palette_image(mask, COLORS if number % 2 else np.roll(COLORS, 1, 1) // 2 + 9)

    assert doubts_of(write_set(tmp_path, SCENES, displayed)) == ["palette_order"]


def test_gray_indices_among_colored_masks_are_refused(tmp_path):
    def mixed(mask, number):
        return Image.fromarray(COLORS[mask] if number % 2 else mask)

    with pytest.raises(DataError, match=r"2 masks of 4 are gray, with values such as 1"):
        read_labels(write_set(tmp_path, SCENES, mixed))
