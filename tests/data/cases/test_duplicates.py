import time

import cv2
import numpy as np
import pytest

from maskwright.data.cases.duplicates import near_duplicates, thumbnail
from maskwright.data.cases.grouping import groups
from maskwright.data.synthetic.datasets import draw_scene
from maskwright.errors import DataError


def scene(seed, size=160):
    return draw_scene(np.random.default_rng(seed), size).image


def found(images):
    thumbs = np.stack([thumbnail(image) for image in images])
    return near_duplicates(thumbs, lambda index: images[index])


def test_changed_copies_are_found_and_other_scenes_are_not():
    images = [scene(seed) for seed in range(8)]
    brighter = np.clip(images[0] * 1.15 + 10, 0, 255).astype(np.uint8)
    _, coded = cv2.imencode(".jpg", images[1], [cv2.IMWRITE_JPEG_QUALITY, 40])
    smaller = cv2.resize(images[2], (101, 101), interpolation=cv2.INTER_AREA)
    deep = images[3].astype(np.uint16) * 200
    mirrored, quarter = images[4][:, ::-1], np.rot90(images[5])
    cropped = images[6][5:, :-5]
    images += [brighter, cv2.imdecode(coded, cv2.IMREAD_COLOR), smaller, deep]
    images += [mirrored, quarter, cropped]
    assert found(images) == [(place, 8 + place) for place in range(7)]


def disc_with_vessels(seed, size=256):
    """One retina's disc for all, with vessels of its own."""
    rng = np.random.default_rng(seed)
    image = np.zeros((size, size, 3), np.uint8)
    cv2.circle(image, (size // 2, size // 2), size * 15 // 32, (40, 90, 180), -1, cv2.LINE_AA)
    for _ in range(12):
        line = np.cumsum(rng.normal(0, size / 16, (20, 2)), axis=0) + size / 2
        line = np.clip(line, size / 6, size * 5 / 6).astype(np.int32)
        cv2.polylines(image, [line], False, (20, 40, 110), 2, cv2.LINE_AA)
    return image


def lesion_on_skin(seed, size=256):
    """A round lesion in the middle of skin, with texture of its own."""
    rng = np.random.default_rng(seed)
    image = np.full((size, size, 3), (140, 160, 200), np.float32)
    cv2.circle(image, (size // 2, size // 2), size // 4, (60, 80, 100), -1, cv2.LINE_AA)
    texture = cv2.GaussianBlur(rng.normal(0, 1, (size, size, 1)).astype(np.float32), (0, 0), 2)
    return (image + 60 * texture[..., None]).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("draw", [disc_with_vessels, lesion_on_skin])
def test_patients_who_look_alike_are_no_copies_and_copies_among_them_are(draw):
    images = [draw(seed) for seed in range(12)]
    copy = cv2.resize(images[3][6:, 6:], (200, 210), interpolation=cv2.INTER_AREA)
    assert found([*images, copy]) == [(3, 12)]


def test_dark_images_with_the_same_falling_light_are_not_duplicates():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    light = np.exp(-(x**2 + y**2))[..., None]
    images = []
    for _ in range(20):
        image = light * 30 + rng.normal(0, 1, (64, 64, 1))
        for row, column in rng.integers(6, 58, (5, 2)):
            image[row - 3 : row + 3, column - 3 : column + 3] += 12
        images.append(image.clip(0, 255).astype(np.uint8))
    images += [np.zeros((64, 64, 1), np.uint8)] * 2
    assert found(images) == []


def test_an_image_that_can_no_longer_be_read_is_like_no_other():
    def gone(index):
        raise DataError("gone")

    thumbs = np.stack([thumbnail(scene(0))] * 2)
    assert near_duplicates(thumbs, gone) == []


def test_thousands_take_seconds():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (3000, 8, 8, 1), np.uint8)
    images = np.stack(
        [cv2.resize(image, (64, 64), interpolation=cv2.INTER_CUBIC) for image in images]
    )
    images[2321] = images[17]
    started = time.process_time()
    assert near_duplicates(images, lambda index: images[index][..., None]) == [(17, 2321)]
    assert time.process_time() - started < 20  # about two


def test_groups_join_what_is_linked():
    assert groups([(5, 6), (1, 2), (2, 9), (6, 5)]) == [[1, 2, 9], [5, 6]]
