"""Promises that are made again through another engine: what they rest on then."""

from types import SimpleNamespace

from maskwright.tasks.promises_again import promises_again


def record(hashes, notes=()):
    return SimpleNamespace(
        split="calibration", cases=len(hashes), asked={}, image_hashes=tuple(hashes), notes=notes
    )


def test_other_calibration_images_and_what_they_cost_are_told():
    lost = "No masks of disc can be accepted unseen"
    again, notes = promises_again(
        record("abcd", ("kept",)), "other", lambda *_: record("axy", ("kept", lost)), "of it"
    )
    assert again.cases == 3
    first, others, made = notes
    assert made == "The promises were made again, from 3 cases, because of it."
    assert others.startswith("2 of 3 calibration images are not among those of the run")
    assert first == lost
    _, same = promises_again(record("abc"), "data", lambda *_: record("abc"), "of it")
    assert len(same) == 1
