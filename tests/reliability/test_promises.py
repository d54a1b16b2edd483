import numpy as np
import pytest

from maskwright.errors import ConfigError, DataError
from maskwright.reliability.class_trust import ClassTrust
from maskwright.reliability.nested_masks import THRESHOLDS, case_curves, count_by_threshold
from maskwright.reliability.promises import (
    REACH,
    Promise,
    PromiseRequest,
    make_promise,
    percent,
    realized_loss,
)


def curves_of(probabilities, truth):
    """Curves of images of one row, each a case of its own."""
    values = np.asarray(probabilities, np.float32)
    counts = [count_by_threshold(p[None], t[None]) for p, t in zip(values, truth, strict=True)]
    return case_curves(np.stack(counts), [str(i) for i in range(len(counts))])


def last_up_to(probability):
    return THRESHOLDS[np.searchsorted(THRESHOLDS, np.float32(probability), side="right") - 1]


def noisy(rng, n):
    """Images of 50 pixels of a class and 50 others, whose probabilities overlap."""
    truth = np.tile(np.arange(100) < 50, (n, 1))
    logits = rng.normal(np.where(truth, 2, -2), 1.5) + rng.normal(0, 1, (n, 1))
    return curves_of(1 / (1 + np.exp(-logits)), truth)


def test_a_mask_that_just_keeps_what_is_asked():
    # Nine cases of ten pixels at 0.1, 0.2 … 1: the outer mask from 0.2 on misses one of each.
    row = np.arange(1, 11, dtype=np.float32) / 10
    curves = curves_of([row] * 9, np.ones((9, 10), bool))
    # (9 * 0.1 + 1) / 10 = 0.19
    promise = make_promise(PromiseRequest(class_name="pet", side="missed", level=0.19), curves)
    assert promise.threshold == last_up_to(0.2)
    np.testing.assert_allclose(realized_loss(promise, curves), 0.1)
    each = PromiseRequest(class_name="pet", side="missed", level=0.1, tau=0.3)
    promise = make_promise(each, curves)
    assert promise.threshold == last_up_to(0.4)
    np.testing.assert_array_equal(realized_loss(promise, curves), 0)


def test_masks_of_a_promise_and_of_another_engine():
    probabilities = np.array([[0.2, 0.29, 0.31, 0.9]], np.float32)
    for side, safer in (("missed", [False, True, True, True]), ("false", [False] * 3 + [True])):
        request = PromiseRequest(class_name="pet", side=side, level=0.1)
        promise = Promise(request=request, n=50, threshold=0.3)
        assert promise.mask(probabilities).tolist() == [[False, False, True, True]]
        # Probabilities that are off by 0.02 at most.
        assert promise.safer(0.02).mask(probabilities).tolist() == [safer]
        # In float32, as probabilities are: 0.3 there is a little more than 0.3.
        assert promise.mask(np.full((1, 1), 0.3, np.float32)).all()


@pytest.mark.parametrize("side", ["missed", "false"])
@pytest.mark.parametrize("tau", [None, 0.15])
@pytest.mark.parametrize("delta", [None, 0.05])
def test_promises_hold_for_new_cases(side, tau, delta):
    rng = np.random.default_rng(0)
    request = PromiseRequest(class_name="pet", side=side, level=0.1, tau=tau, delta=delta)
    new = noisy(rng, 1000)
    losses = [realized_loss(make_promise(request, noisy(rng, 60)), new).mean() for _ in range(40)]
    if delta is None:
        assert 0.05 < np.mean(losses) <= 0.1 + 2 * np.std(losses) / np.sqrt(40) + 0.01
    else:
        assert np.mean(np.array(losses) <= 0.1) >= 0.95 - 2 * np.sqrt(0.05 / 40)


def test_promises_that_only_trivial_masks_keep_say_so():
    # The most probable pixel is not of the class, which has no probability at all.
    curves = curves_of([[0.0, 1.0]] * 30, np.array([[True, False]] * 30))
    requests = (
        PromiseRequest(class_name="pet", side=side, level=0.1) for side in ("missed", "false")
    )
    outer, inner = (make_promise(request, curves) for request in requests)
    assert (outer.threshold, inner.threshold) == (0, THRESHOLDS[-1])
    assert "no other threshold keeps this: the outer mask is the whole image" in outer.sentence
    assert "no other threshold keeps this: the inner mask is empty" in inner.sentence


def test_too_few_cases_are_told_with_what_is_offered():
    request = PromiseRequest(class_name="pet", side="missed", level=0.01)
    message = "20 cases hold pet; a promise at 1 % needs 99. Offered: 5 %."
    assert request.shortage(20) == message
    assert request.offered(20).level == 0.05
    assert request.shortage(99) is None
    assert request.offered(99) is request
    assert request.shortage(0).endswith("Offered: nothing.")
    assert request.shortage(1).startswith("1 case holds pet; ")
    sure = PromiseRequest(class_name="pet", side="missed", level=0.01, delta=0.05)
    # 0.05 ** (1 / 20) = 0.861
    assert sure.shortage(20) == "20 cases hold pet; a promise at 1 % needs 299. Offered: 14 %."
    with pytest.raises(DataError, match="20 cases hold pet"):
        make_promise(request, curves_of([[0.5, 0.5]] * 20, np.ones((20, 2), bool)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "On average at most 10 % of pet is missed by the outer mask; from 50 cases"),
        (
            {"side": "false", "level": 0.025},
            "On average at most 2.5 % of the inner mask of pet is something else",
        ),
        (
            {"tau": 0.1},
            "In at least 9 of 10 new cases that hold pet, at least 90 % of it lies in the outer",
        ),
        (
            {"side": "false", "level": 0.07, "tau": 0.2, "delta": 0.05},
            "With 95 % confidence, in at least 93 % of new cases that hold pet, at least 80 % of "
            "its inner mask is right",
        ),
    ],
)
def test_sentences(changes, words):
    request = PromiseRequest(**{"class_name": "pet", "side": "missed", "level": 0.1} | changes)
    promise = Promise(request=request, n=50, threshold=0.3)
    assert promise.sentence.startswith(words)
    assert promise.sentence.endswith(f"{REACH}.")
    approximate = Promise(request=request, n=50, threshold=0.3, is_approximate=True)
    assert "approximate" in approximate.sentence
    assert percent(0.07) == "7 %"


@pytest.mark.parametrize(
    "wrong", [{"side": "both"}, {"level": 0}, {"level": 0.6}, {"tau": 1}, {"delta": 0}]
)
def test_numbers_out_of_range_are_told(wrong):
    with pytest.raises(ConfigError, match="Expected"):
        PromiseRequest(**{"class_name": "pet", "side": "missed", "level": 0.1} | wrong)


def test_masks_that_are_far_too_large_or_too_small_are_of_little_use():
    promises = tuple(
        Promise(request=PromiseRequest(class_name="box", side=side, level=0.1), n=40, threshold=at)
        for side, at in (("missed", 0.1), ("missed", 0.001), ("false", 0.9), ("missed", 0.0))
    )
    known = ClassTrust(
        n=40,
        promises=promises,
        areas=(2.9, 36.2, 0.02, 90.0),
        masks=40,
        margin=None,
        bound_level=0.1,
    )
    assert known.are_useful == (True, False, False, False)
    outer, inner = known.remarks("box", False)
    assert "1 promise of box is kept by an outer mask with an area of up to 36.2 times" in outer
    assert "an inner mask with an area of down to 0.02 times" in inner
