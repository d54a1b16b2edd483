"""Fingerprints of copies that were saved again, and of images that were not."""

import io

import numpy as np
import pytest
from PIL import Image

from drawing_doubts import doubtful
from maskwright.data.cases.fingerprints import fingerprint, shows_known


def saved_again(image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=90)
    return np.asarray(Image.open(file))


def test_copies_are_known_though_their_pixels_differ():
    images = [doubtful(seed)[0] for seed in range(60)]
    known = [fingerprint(image) for image in images[:30]]
    assert {len(each) for each in known} == {512}
    for change in (saved_again, lambda image: image // 2 + 20, lambda image: image[:, ::-1]):
        looks = shows_known([fingerprint(change(image)) for image in images], known)
        assert looks.tolist() == [True] * 30 + [False] * 30


def test_what_shows_nothing_is_like_nothing():
    blank = fingerprint(np.full((32, 32, 3), 7, np.uint8))
    assert not shows_known([blank], [blank]).any()
    assert shows_known([blank], []).tolist() == [False]
    with pytest.raises(ValueError, match="of 256 bytes"):
        shows_known([], ["00"])
