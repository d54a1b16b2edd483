"""Verdicts on promises, from shares worked out by hand."""

import numpy as np
import pytest

from maskwright.errors import DataError
from maskwright.inference.prediction import Prediction
from maskwright.reliability.nested_masks import THRESHOLDS, CaseCurves, case_curves, mean_area
from maskwright.reliability.observations import Observations, ObservedPrediction, cases_of
from maskwright.reliability.promises import Promise, PromiseRequest
from maskwright.reliability.risk_control import failures_p_value, widened
from maskwright.reliability.verification import check_promise

PLACE = int(np.searchsorted(THRESHOLDS, 0.5))
HALF = float(THRESHOLDS[PLACE])


def curves(missed):
    """Cases that miss these shares at every threshold, and hold nothing false."""
    shares = np.repeat(np.array(missed)[:, None], THRESHOLDS.size, axis=1)
    return CaseCurves(tuple(map(str, range(len(missed)))), shares, np.zeros_like(shares))


def promise(level, tau=None, side="missed"):
    request = PromiseRequest(class_name="cell", side=side, level=level, tau=tau)
    return Promise(request=request, n=50, threshold=HALF)


@pytest.mark.parametrize(
    ("missed", "tau", "realized", "verdict"),
    [
        ([0.05, 0.1, 0.09] * 3, None, 0.08, "kept"),
        # The mean is 0.13, and lies between 0.05 and 0.3 in 95 %.
        ([0.0, 0.01, 0.0, 0.25, 0.3, 0.22], None, 0.13, "by chance"),
        ([0.25, 0.2, 0.3] * 3, None, 0.25, "not kept"),
        # Two of ten exceed a tenth, which one of ten may: up to 0.56 are left open.
        ([0.2, 0.2, *[0.0] * 8], 0.1, 0.2, "by chance"),
        ([*[0.2] * 8, 0.0, 0.0], 0.1, 0.8, "not kept"),
        # Of 50 calibration cases, the fifth worst gives the threshold: its true share has a mean of
        # 0.098 and is above 0.18 in 4 %; the interval of 17 of 100 ends above 0.1.
        ([*[0.2] * 18, *[0.0] * 82], 0.1, 0.18, "by chance"),
        ([*[0.2] * 24, *[0.0] * 76], 0.1, 0.24, "not kept"),
        ([0.9] * 5, None, 0.9, "too few cases"),
        ([], None, np.nan, "no case"),
    ],
)
def test_a_verdict_needs_more_than_bad_luck(missed, tau, realized, verdict):
    check = check_promise(promise(0.1, tau), curves(missed))
    assert check.realized == pytest.approx(realized, nan_ok=True)
    assert (check.n, check.verdict) == (len(missed), verdict)


def observed(values, labels, means=None):
    layers = np.array([[[1 - value, value] for value in values]], np.float32)
    plain = Prediction(np.array([labels], np.int32), layers)
    return ObservedPrediction(plain.labels, layers, mirrored=plain, channel_means=means)


def test_observations_hold_what_an_image_tells_of_a_class():
    seen = Observations({"cell": 1})
    means = np.array([1.0, 2.0], np.float32)
    # Of four pixels, the last is ignored: two are of the class, one of them is found.
    seen.add(np.array([[1, 1, 0, 255]]), observed([0.9, 0.2, 0.3, 0.9], [1, 0, 0, 1], means))
    seen.add(np.array([[0, 0, 0, 0]]), observed([0.1] * 4, [0] * 4, means))  # nothing there
    seen.add(np.array([[0, 0, 0, 0]]), observed([0.8, 0.1, 0.1, 0.1], [1, 0, 0, 0], means))
    seen.skip()
    cell = seen.of("cell")
    assert cell.held_by.tolist() == [0]
    assert cell.counts.sum(axis=-1).tolist() == [[2, 1]]
    assert cases_of(cell.seen_in, "abcd") == ["a", "c"]
    assert cell.dice.tolist() == pytest.approx([2 / 3, 0])
    assert seen.channel_means[:, 1].tolist() == pytest.approx([2, 2, 2, np.nan], nan_ok=True)
    # At one half, one of two pixels is in the mask, at a quarter that one and a wrong one.
    at_quarter = float(THRESHOLDS[np.searchsorted(THRESHOLDS, 0.25)])
    areas = [mean_area(cell.counts, ["a"], at) for at in (HALF, at_quarter)]
    assert areas == [0.5, 1.0]
    assert case_curves(cell.counts, ["a"]).missed[0, PLACE] == 0.5
    nothing = Prediction(np.zeros((1, 4)))
    alone = ObservedPrediction(nothing.labels, mirrored=nothing)
    with pytest.raises(DataError, match="received masks alone"):
        seen.add(nothing.labels, alone)


def test_a_mean_over_few_calibration_cases_widens_the_interval():
    # With as many cases on both sides, the variance doubles.
    low, middle = widened(0.2, 0.12, 50, 50), np.log(0.2 / 0.8)
    reach = np.sqrt(2) * (middle - np.log(0.12 / 0.88))
    assert np.log(low / (1 - low)) == pytest.approx(middle - reach)
    assert widened(0.2, 0.12, 50, 10**9) == pytest.approx(0.12)


def test_right_promises_on_each_case_are_rarely_called_broken():
    rng = np.random.default_rng(0)
    # The share of new cases beyond the second worst of 20 calibration cases, and 400 of them.
    shares = rng.beta(2, 19, 2000)
    bad = rng.binomial(400, shares)
    told = np.mean([failures_p_value(count, 400, 0.1, 20) < 0.025 for count in bad])
    assert told < 0.035


def test_an_object_without_a_mask_says_nothing_of_bounds():
    seen = Observations({"cell": 1})
    seen.add(np.array([[1, 1, 0, 0]]), observed([0.2, 0.2, 0.1, 0.1], [0] * 4))
    assert seen.of("cell").held_by.tolist() == [0]
    assert len(seen.of("cell").dice) == 0
