"""Promises about single objects: worked out by hand, by simulation, and of a record."""

import json
import re

import numpy as np
import pytest

from maskwright.errors import ModelError
from maskwright.metrics.coco import Pairs
from maskwright.reliability.promises import PromiseRequest
from maskwright.tasks.instances.trust.object_losses import SCORES, case_losses, count_objects
from maskwright.tasks.instances.trust.object_promises import ObjectTrust, make_object_promise
from maskwright.tasks.instances.trust.verify import check_object_promise


def pairs_of(scores, hits, true):
    """An image whose i-th predicted object matches the `hits[i]`-th true one; -1 for none."""
    ious = np.zeros((len(scores), true))
    for row, column in enumerate(hits):
        if column >= 0:
            ious[row, column] = 0.6
    return Pairs(
        ious, np.asarray(scores, np.float32), np.ones(len(scores), int), np.full(len(scores), 9),
        np.ones(true, int), np.full(true, 9), np.zeros(true, bool),
    )  # fmt: skip


def at(score):
    return int(np.searchsorted(SCORES, np.float32(score)))


def asked(level, side="missed", **kind):
    return PromiseRequest(class_name="cell", side=side, level=level, **kind)


def test_shares_missed_and_false_by_score():
    # Two of three are found, from 0.9 and 0.4 on; 0.6 is false; 0.3 is a second match of the first.
    first = count_objects(pairs_of([0.4, 0.9, 0.6, 0.3], [1, 0, -1, 0], 3), 1)
    empty = count_objects(pairs_of([0.6], [-1], 0), 1)
    losses = case_losses([first, empty], ["a", "a"])
    missed, false = losses["missed"].shares[0], losses["false"].shares[0]
    steps = [at(0.3), at(0.4), at(0.401), at(0.9), at(0.901)]
    np.testing.assert_allclose(missed[steps], [1 / 3, 1 / 3, 2 / 3, 2 / 3, 1])
    # Mean of both images of the case; without an object at the score, nothing is false.
    steps = [at(0.3), at(0.4), at(0.5), at(0.7), 1001]
    np.testing.assert_allclose(false[steps], [(2 / 4 + 1) / 2, (1 / 3 + 1) / 2, 0.75, 0, 0])
    # Nothing is missed of a case without objects.
    apart = case_losses([first, empty], ["a", "b"])
    assert (apart["missed"].cases, apart["false"].cases) == (("a",), ("a", "b"))
    # Smaller ones than the minimum area do not take part.
    assert count_objects(pairs_of([0.9], [0], 1), 1, min_area_px=10).matched[0] == 0


def test_scores_that_just_keep_what_is_asked():
    # Nine cases of ten objects each, found at scores of 0.1, 0.2 … 1, and one false at 0.55.
    scores = [*np.arange(1, 11) / 10, 0.55]
    counts = [count_objects(pairs_of(scores, [*range(10), -1], 10), 1)] * 9
    losses = case_losses(counts, list("abcdefghi"))
    # (9 * 0.1 + 1) / 10 = 0.19
    promise = make_object_promise(asked(0.19), losses)
    assert (promise.score, promise.n) == (0.2, 9)
    assert promise.realized == pytest.approx(0.1)
    assert promise.other == pytest.approx(1 / 10)  # of nine found and one false
    assert promise.sentence == (
        "On average at most 19 % of the true cell objects are missed by those with a score from "
        "0.2; from 9 cases, holds for new cases drawn like these."
    )
    # At most two of ten, in 9 of 10 cases.
    each = make_object_promise(asked(0.1, tau=0.2), losses)
    assert (each.score, each.realized) == (0.3, 0)
    # From 0.551 on nothing is false; with 0.55, one of six is: (9 / 6 + 1) / 10 = 0.25.
    assert make_object_promise(asked(0.24, "false"), losses).score == 0.551
    assert make_object_promise(asked(0.25, "false"), losses).score == 0.0
    checked = check_object_promise(promise, losses)
    assert (checked.n, checked.verdict) == (9, "kept")


def test_no_score_is_promised_where_all_objects_miss_more():
    counts = [count_objects(pairs_of([0.9], [0], 2), 1)] * 30  # one of two is never found
    losses = case_losses(counts, [str(i) for i in range(30)])
    for kind, text in (
        ({}, "No score promises that on average at most 10 % of the true cell objects are missed: "
             "all predicted objects together miss 50 %; from 30 cases."),
        ({"tau": 0.2, "delta": 0.05}, "all predicted objects together miss more in 100 % of the"),
    ):  # fmt: skip
        promise = make_object_promise(asked(0.1, **kind), losses)
        assert promise.score is None
        assert text in promise.sentence
        assert check_object_promise(promise, losses) is None
    nothing = case_losses([count_objects(pairs_of([], [], 2), 1)] * 30, list(map(str, range(30))))
    assert make_object_promise(asked(0.1), nothing).score is None
    assert make_object_promise(asked(0.1, "false"), nothing).score == 0.0


def simulated(rng, num_cases):
    """Cases of one or two images, some hard, with false objects of lower scores."""
    counts, cases = [], []
    for case in range(num_cases):
        easy = rng.beta(4, 2)
        for _ in range(rng.integers(1, 3)):
            true, false = rng.integers(1, 12), rng.poisson(3)
            found = np.flatnonzero(rng.random(true) < 0.97)
            good, bad = rng.beta(2 + 8 * easy, 2, len(found)), rng.beta(2, 4, false)
            hits = [*found.tolist(), *[-1] * false]
            counts.append(count_objects(pairs_of([*good, *bad], hits, true), 1))
            cases.append(str(case))
    return case_losses(counts, cases)


def test_promises_hold_for_new_cases():
    rng = np.random.default_rng(0)
    new = simulated(rng, 500)
    requests = [asked(0.1), asked(0.1, tau=0.3), asked(0.2, "false"), asked(0.2, delta=0.1)]
    realized = [[] for _ in requests]
    for _ in range(60):
        losses = simulated(rng, 40)
        for request, values in zip(requests, realized, strict=True):
            promise = make_object_promise(request, losses)
            check = check_object_promise(promise, new)
            values.append(0.0 if check is None else check.realized)
    for request, values in zip(requests[:3], realized, strict=False):
        error = 2 * np.std(values) / np.sqrt(len(values)) + 0.015  # that of the new cases, too
        assert np.mean(values) <= request.level + error
        assert np.mean(values) >= request.level / 3, "not kept by promising nothing"
    assert np.mean(np.array(realized[3]) > 0.2) <= 0.1 + 2 * np.sqrt(0.1 * 0.9 / 60)


def test_a_record_is_read_again_and_refused_where_it_does_not_fit(tmp_path):
    counts = [count_objects(pairs_of([0.9, 0.4], [0, -1], 1), 1)] * 20
    losses = case_losses(counts, list(map(str, range(20))))
    record = ObjectTrust(
        model_sha256="a", data="d", split="calibration", is_approximate=False, images=20, cases=20,
        calibrated_with={"size": [32, 32], "marker": 0.5},
        promises=(make_object_promise(asked(0.1), losses),),
    )  # fmt: skip
    record.write(tmp_path)
    read = ObjectTrust.read(tmp_path)
    assert read == record
    file = tmp_path / "trust.json"
    read.check(file, "a", {"size": [32, 32], "marker": 0.5})
    with pytest.raises(ModelError, match=r"made for marker 0\.5 and do not hold for 0\.6"):
        read.check(file, "a", {"size": [32, 32], "marker": 0.6})
    with pytest.raises(ModelError, match="those of another model"):
        read.check(file, "b", {})
    file.write_text(file.read_text().replace('"images": 20', '"images": 21'))
    with pytest.raises(ModelError, match="changed after it was written"):
        ObjectTrust.read(tmp_path)
    record.write(tmp_path)
    # Older records have no checksum.
    text = re.sub(r',\s*"content_sha256": "\w+"', "", file.read_text())
    file.write_text(text)
    assert ObjectTrust.read(tmp_path) == record
    for change, message in (
        (("instances", "semantic"), "promises of the task instances in .*received 'semantic'"),
        (('"promises"', '"promise"'), "no record of promises"),
        (('version": 1', 'version": 9'), "format version 9"),
    ):
        file.write_text(text.replace(*change))
        with pytest.raises(ModelError, match=message):
            ObjectTrust.read(tmp_path)
    assert json.loads(text)["sentences"] == record.sentences
