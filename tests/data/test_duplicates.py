import time

import cv2
import numpy as np

from maskwright.data.duplicates import groups, near_duplicates, thumbnail
from maskwright.data.synthetic.datasets import draw_scene


def scene(seed, size=96):
    return draw_scene(np.random.default_rng(seed), size).image


def test_changed_copies_are_found_and_other_scenes_are_not():
    images = [scene(seed) for seed in range(8)]
    brighter = np.clip(images[0] * 1.15 + 10, 0, 255).astype(np.uint8)
    _, coded = cv2.imencode(".jpg", images[1], [cv2.IMWRITE_JPEG_QUALITY, 40])
    smaller = cv2.resize(images[2], (61, 61), interpolation=cv2.INTER_AREA)
    deep = images[3].astype(np.uint16) * 200
    images += [brighter, cv2.imdecode(coded, cv2.IMREAD_COLOR), smaller, deep]
    thumbs = np.stack([thumbnail(image) for image in images])
    assert near_duplicates(thumbs) == [(0, 8), (1, 9), (2, 10), (3, 11)]


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
    assert near_duplicates(np.stack([thumbnail(image) for image in images])) == []


def test_thousands_take_a_second():
    thumbs = np.random.default_rng(0).normal(100, 20, (5000, 32, 32)).astype(np.float32)
    thumbs[4321] = thumbs[17] * 1.1
    started = time.perf_counter()
    assert near_duplicates(thumbs) == [(17, 4321)]
    assert time.perf_counter() - started < 10  # about one on an idle machine


def test_groups_join_what_is_linked():
    assert groups([(5, 6), (1, 2), (2, 9), (6, 5)]) == [[1, 2, 9], [5, 6]]
