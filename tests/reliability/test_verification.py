"""Verdicts on promises, from shares worked out by hand."""

import numpy as np
import pytest

from maskwright.errors import DataError
from maskwright.inference.predictor import Prediction
from maskwright.reliability.nested_masks import THRESHOLDS, CaseCurves, case_curves, mean_area
from maskwright.reliability.observations import Observations, ObservedPrediction, cases_of
from maskwright.reliability.promises import Promise, PromiseRequest
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
