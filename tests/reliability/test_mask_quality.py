import numpy as np
import pytest

from maskwright.errors import DataError
from maskwright.reliability.accept_rule import fit_accept_rule
from maskwright.reliability.mask_quality import (
    FEWEST_TO_FIT,
    fit_quality,
    lower_bound,
    margin,
    mask_features,
)


def simulated(rng, num_cases, images=1):
    """Features of masks and their Dice, with a difficulty that images of a case share."""
    hard = np.repeat(rng.gamma(1.5, 0.06, num_cases), images)
    error = np.clip(hard * rng.gamma(8, 1 / 8, hard.size), 0.005, 0.9)
    soft = 1 - 0.6 * error * rng.gamma(12, 1 / 12, hard.size)
    agreement = 1 - 0.3 * error * rng.gamma(4, 1 / 4, hard.size)
    features = np.stack([soft, np.sqrt(error), agreement], axis=1)
    return features, 1 - error, [str(case) for case in np.repeat(np.arange(num_cases), images)]


def test_features_of_four_pixels():
    p = np.array([[0.8, 0.5], [0.25, 0.0]], np.float32)
    mirrored = np.array([[0.7, 0.5], [0.25, 0.0]], np.float32)
    mask = np.array([[True, True], [False, False]])
    mirrored_mask = np.array([[True, False], [False, False]])
    # Of 0.75, 0.5, 0.25 and 0: 2 * 1.25 / (2 + 1.5); the bits of 0.75 and 0.5; 2 * 1 / (2 + 1)
    bits = -(0.75 * np.log2(0.75) + 0.25 * np.log2(0.25))
    found = mask_features(p, mirrored, mask, mirrored_mask)
    np.testing.assert_allclose(found, [2.5 / 3.5, (bits + 1) / 2, 2 / 3], rtol=1e-6)
    empty = np.zeros((2, 2), bool)
    np.testing.assert_array_equal(mask_features(p, mirrored, empty, empty), [0, 0, 1])


def test_soft_dice_as_it_is_where_cases_are_few():
    features, dice, cases = simulated(np.random.default_rng(0), FEWEST_TO_FIT - 1)
    model, expected = fit_quality(features, dice, cases)
    np.testing.assert_array_equal(expected, features[:, 0])
    np.testing.assert_array_equal(model.expected_dice(features), features[:, 0])


def test_a_regression_corrects_probabilities_that_are_too_sure():
    rng = np.random.default_rng(0)
    features, dice, cases = simulated(rng, 200)
    new_features, new_dice, _ = simulated(rng, 500)
    model, expected = fit_quality(features, dice, cases)
    errors = [np.abs(e - d).mean() for e, d in ((expected, dice), (features[:, 0], dice))]
    assert errors[0] < 0.75 * errors[1]
    new_error = np.abs(model.expected_dice(new_features) - new_dice).mean()
    assert new_error == pytest.approx(errors[0], rel=0.25)


def test_no_case_is_expected_from_itself():
    features, dice, cases = simulated(np.random.default_rng(0), 80, images=2)
    _, expected = fit_quality(features, dice, cases)
    dice[:2] = 0.1  # of the first case
    _, changed = fit_quality(features, dice, cases)
    np.testing.assert_array_equal(changed[:2], expected[:2])
    assert (changed[2:] != expected[2:]).mean() > 0.7


def test_margin_of_nineteen_cases_by_hand():
    # With spreads of 1 at an expected Dice of 0.1, the excess is 0.1 - dice; of 19 cases the
    # ceil(20 * 0.9) = 18th smallest excess is that of the second lowest Dice.
    dice = np.arange(19) / 100
    found = margin(np.full(19, 0.1), dice, [str(i) for i in range(19)])
    assert found == pytest.approx(0.1 - 0.01)
    np.testing.assert_allclose(lower_bound(np.full(1, 0.1), found), 0.01)
    with pytest.raises(DataError, match=r"at least 9 cases .* received 8"):
        margin(dice[:8], dice[:8], [str(i) for i in range(8)])


def test_margin_weighs_cases_alike():
    # Two images of every case, equally good: as if there were one.
    features, dice, cases = simulated(np.random.default_rng(0), 30)
    once = margin(features[:, 0], dice, cases)
    assert margin(np.repeat(features[:, 0], 2), np.repeat(dice, 2), np.repeat(cases, 2)) == once


@pytest.mark.parametrize(("num_cases", "images"), [(30, 1), (80, 1), (30, 6)])
def test_lower_bounds_hold_in_nine_of_ten_new_cases(num_cases, images):
    rng = np.random.default_rng(num_cases + images)
    held = []
    for _ in range(200):
        model, expected = fit_quality(*(drawn := simulated(rng, num_cases, images)))
        bound = margin(expected, *drawn[1:])
        features, dice, _ = simulated(rng, 50, images)
        held.append((dice >= lower_bound(model.expected_dice(features), bound)).mean())
    # A little more where images of a case differ, for the worst case is thought to be all bad.
    assert 0.89 <= np.mean(held) <= (0.92 if images == 1 else 0.94)


def test_accept_rules_hold_for_masks_of_a_regression_fitted_to_the_same_cases():
    rng = np.random.default_rng(0)
    new_features, new_dice, _ = simulated(rng, 10_000)  # 17 % are below 0.85
    broken, coverage = 0, 0.0
    for _ in range(150):
        features, dice, cases = simulated(rng, 80)
        model, expected = fit_quality(features, dice, cases)
        rule = fit_accept_rule(expected, dice, cases, need=0.85)
        if rule is not None:
            accepted = model.expected_dice(new_features) >= rule.threshold
            broken += (new_dice[accepted] < 0.85).mean() > 0.1
            coverage += accepted.mean() / 150
    assert broken / 150 <= 0.05
    assert coverage > 0.6


def test_numbers_that_differ_are_told():
    with pytest.raises(DataError, match="received 2, 1 and 1"):
        fit_quality(np.zeros((2, 3)), np.zeros(1), ["a"])
