import numpy as np
import pytest

from maskwright.errors import DataError
from maskwright.reliability.familiarity import (
    FLAGGED,
    familiarity_p_values,
    fit_familiarity,
    shift_p_value,
)


def drawn(rng, n, d=40, factors=6):
    """Positive features of which a few factors decide, with noise."""
    mixing = np.random.default_rng(7).normal(size=(factors, d))
    return np.exp(0.3 * rng.normal(size=(n, factors)) @ mixing + 0.1 * rng.normal(size=(n, d)))


def names(n):
    return [str(i) for i in range(n)]


def auroc(near, far):
    return (far[:, None] > near).mean()


def test_distances_of_training_images_are_about_two():
    features = drawn(np.random.default_rng(0), 400)
    distances = fit_familiarity(features).distances(features)
    # One along the components, and one from their plane.
    assert distances.mean() == pytest.approx(2, rel=0.01)


def test_far_along_the_components_and_off_their_plane_are_both_unfamiliar():
    rng = np.random.default_rng(0)
    model, new = fit_familiarity(drawn(rng, 200)), drawn(rng, 200)
    near = model.distances(new)
    brighter, one_channel = 5 * new, new.copy()
    one_channel[:, ::4] = new[::-1, ::4]  # channels that no longer go together
    damped = new.copy()
    damped[:, 0] /= 20
    for changed in (brighter, one_channel, damped):
        assert auroc(near, model.distances(changed)) > 0.9


def test_as_many_components_as_images_allow():
    rng = np.random.default_rng(0)
    for n, number in ((4, 0), (30, 6), (500, 16)):
        assert len(fit_familiarity(drawn(rng, n)).deviations) == number
    flat = fit_familiarity(np.ones((30, 5)))  # nothing varies
    assert np.isfinite(flat.distances(np.ones((1, 5)))).all()


def test_p_values_by_hand():
    calibration = np.arange(19.0)
    p = familiarity_p_values(np.array([-1.0, 9.0, 18.0, 19.0]), calibration, names(19))
    # One more than the number of calibration images that are as far, of 20.
    np.testing.assert_allclose(p, [1, 11 / 20, 2 / 20, 1 / 20])
    assert (p <= FLAGGED).tolist() == [False, False, False, True]
    # Two images for each case count half each.
    twice = np.repeat(calibration, 2)
    cases = [str(i // 2) for i in range(38)]
    np.testing.assert_allclose(familiarity_p_values(np.array([9.0]), twice, cases), 11 / 20)


def test_one_in_twenty_like_images_is_flagged():
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(40):
        model = fit_familiarity(drawn(rng, 60))
        calibration = model.distances(drawn(rng, 59))
        p = familiarity_p_values(model.distances(drawn(rng, 200)), calibration, names(59))
        shares.append((p <= FLAGGED).mean())
    assert np.mean(shares) == pytest.approx(0.05, abs=0.015)


def test_more_flags_than_like_images_have_are_a_shift():
    # One image, 19 cases: it is flagged in one of twenty draws.
    assert shift_p_value(1, 1, 19) == pytest.approx(0.05)
    assert shift_p_value(0, 10, 19) == 1
    assert shift_p_value(8, 20, 59) < 0.01 < shift_p_value(3, 20, 59)
    # Of calibration cases that are drawn anew each time, 40 new images are rarely a shift.
    rng = np.random.default_rng(0)
    shifts = []
    for _ in range(1000):
        p = familiarity_p_values(rng.random(40), rng.random(39), names(39))
        shifts.append(shift_p_value(int((p <= FLAGGED).sum()), 40, 39) <= 0.05)
    assert 0.01 < np.mean(shifts) <= 0.05 + 2 * np.sqrt(0.05 / 1000)


def test_too_little_is_told():
    with pytest.raises(DataError, match=r"at least 19 cases .* received 18"):
        familiarity_p_values(np.zeros(1), np.zeros(36), names(18) * 2)
    with pytest.raises(DataError, match="at least 2 training images; received features of 1"):
        fit_familiarity(np.zeros((1, 3)))
    with pytest.raises(DataError, match="nan"):
        fit_familiarity(np.full((3, 3), np.nan))


def test_rounding_in_a_dead_channel_makes_nothing_unlike():
    rng = np.random.default_rng(0)
    train, new = np.abs(rng.normal(1, 0.2, (2, 60, 8)))
    train[:, 0] = new[:, 0] = 0
    model = fit_familiarity(train)
    noisy = new + rng.uniform(-4e-7, 4e-7, new.shape)
    np.testing.assert_allclose(model.distances(noisy), model.distances(new), rtol=0.01)
    new[:, 0] = 0.5  # a channel that never fires for training images
    assert (model.distances(new) > 100).all()
