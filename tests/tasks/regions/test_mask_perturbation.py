import numpy as np

from maskwright.tasks.regions.learning.mask_perturbation import perturb, strength_for


def disc(side, radius, row=None, column=None):
    rows, columns = np.mgrid[:side, :side]
    middle = (side - 1) / 2
    away = np.hypot(rows - (row or middle), columns - (column or middle))
    return away < radius


def perturbed(mask, strength, count=200):
    return [perturb(mask, strength, np.random.default_rng(seed)) for seed in range(count)]


def test_the_outline_lies_off_by_a_share_of_the_diameter():
    mask = disc(128, 24)
    means = []
    for strength in (0.04, 0.08):
        reach = strength * 48
        # Pixels that differ, to each pixel of the outline.
        off = [(mask ^ other).sum() / (2 * np.pi * 24) for other in perturbed(mask, strength)]
        # Along the normal: a shift, a bend and a growth of half the reach each (normal deviates),
        # together sqrt(3) / 2 of it, whose mean magnitude is 0.8 of that.
        assert 0.5 * reach < np.mean(off) < 0.9 * reach
        means.append(np.mean(off))
    assert 1.7 < means[1] / means[0] < 2.3


def test_it_grows_shrinks_and_moves_alike():
    mask = disc(128, 24)
    masks = perturbed(mask, 0.1)
    areas = np.array([other.sum() for other in masks]) / mask.sum()
    assert areas.min() < 0.8
    assert areas.max() > 1.2
    assert abs(areas.mean() - 1) < 0.1
    middles = np.array([np.argwhere(other).mean(0) for other in masks])
    np.testing.assert_allclose(middles.mean(0), 63.5, atol=1)


def test_the_state_of_the_generator_decides():
    mask = disc(64, 10)
    first, again = perturbed(mask, 0.1, 5), perturbed(mask, 0.1, 5)
    np.testing.assert_array_equal(first, again)
    assert any((first[0] != other).any() for other in first[1:])


def test_nothing_to_do():
    mask, empty = disc(32, 5), np.zeros((4, 4), bool)
    rng = np.random.default_rng(0)
    assert perturb(mask, 0.0, rng) is mask
    assert perturb(empty, 0.3, rng) is empty


def test_a_region_of_one_pixel_and_one_that_fills_the_image_stay_masks():
    dot = np.zeros((9, 9), bool)
    dot[0, 8] = True  # in a corner
    full = np.ones((20, 30), bool)
    for mask in (dot, full, disc(40, 12, row=2, column=38)):
        for other in perturbed(mask, 0.5, 100):
            assert (other.shape, other.dtype) == (mask.shape, bool)
            assert other.any()
    assert any(not other.all() for other in perturbed(full, 0.1, 20))


def test_the_strength_is_found_that_errs_as_much_as_a_segmenter():
    masks = [disc(64, radius) for radius in (6, 10, 16)] * 10
    rng = np.random.default_rng(1)
    changed = [perturb(mask, 0.1, rng) for mask in masks]
    pairs = zip(masks, changed, strict=True)
    iou = np.mean([(mask & other).sum() / (mask | other).sum() for mask, other in pairs])
    assert abs(strength_for(masks, iou, np.random.default_rng(2)) - 0.1) < 0.03
    assert strength_for(masks, 1.0, rng) < 0.01
    assert strength_for(masks, 0.0, rng) > 0.39
