import numpy as np
import pytest

from maskwright.planning.stats.symmetry import GRID, brightness_asymmetry, class_asymmetry


def maps(rows):
    """Maps of one class that fills one row each, in the middle columns."""
    drawn = np.zeros((len(rows), 1, GRID, GRID), np.float32)
    for place, row in enumerate(rows):
        drawn[place, 0, row, 6:10] = 1
    return drawn


def test_a_class_that_is_always_above_would_move():
    sky = class_asymmetry(maps([0, 1, 2, 0, 1, 2, 0, 1]), axis=0)[0]
    # Rows 0, 1 and 2 of 16 would move by 15, 13 and 11; three, three and two images have them.
    assert sky.effect == pytest.approx((3 * 15 + 3 * 13 + 2 * 11) / 8 / 16)
    # Of 2**8 ways to turn eight images over, two leave all of them on one side.
    assert sky.p_value == pytest.approx(2 / 256)
    assert class_asymmetry(maps([0, 1, 2]), axis=1)[0].effect == pytest.approx(0, abs=1e-6)


def test_classes_that_lie_anywhere_differ_no_more_than_by_chance():
    drawn = [np.random.default_rng(seed).integers(0, GRID, 40) for seed in range(30)]
    p_values = [class_asymmetry(maps(rows), axis=0)[-1].p_value for rows in drawn]
    assert sum(p_value <= 0.1 for p_value in p_values) <= 7  # three are expected


def test_few_images_allow_no_test():
    assert class_asymmetry(maps([0, 0, 0]), axis=0)[0].p_value == 1


def test_light_from_above_is_seen_whatever_its_brightness():
    rng = np.random.default_rng(0)
    slope = np.linspace(1, -1, 32)[:, None]
    thumbs = np.stack([rng.normal(0, 1, (32, 32)) + slope for _ in range(20)])
    thumbs *= rng.uniform(5, 50, (20, 1, 1))
    assert brightness_asymmetry(thumbs, 0).significant(0.2, 0.01)
    assert not brightness_asymmetry(thumbs, 1).significant(0.1, 0.1)
