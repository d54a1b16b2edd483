"""What scored images tell of their cases: copies, videos, and cases that a model has seen."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from maskwright.data.cases.known import KnownImages
from maskwright.data.samples import Sample
from maskwright.data.synthetic.datasets import draw_scene
from maskwright.evaluation.cases import CaseFinder

SCENE = draw_scene(np.random.default_rng(0), 256).image


def frame(number):
    """A window that moves along the scene, 4 px a frame."""
    return SCENE[:96, 4 * number : 4 * number + 96]


def unite(images, rest=(), left_out=(), case_from="", **known):
    """Cases of images by name, and cautions by code; `rest` are names of the training split."""
    samples = [Sample(name, Path(name), (), name, "test") for name in (*images, *left_out)]
    training = [Sample(name, Path(name), (), name, "train") for name in rest]
    known = KnownImages(**known)
    source = SimpleNamespace(
        samples=(*samples, *training),
        case_from=case_from,
        known=known,
        content_hash=lambda sample: sample.id.split("=")[0],
        is_learned=lambda sample: sample.id in known.learned,
    )
    finder = CaseFinder(source, samples)
    for sample, image in zip(samples, images.values(), strict=False):
        finder.add(sample, image)
    united, cautions = finder.unite(samples[: len(images)], samples[len(images) :])
    return [sample.together for sample in united], {c.code: c.text for c in cautions}


def test_frames_of_a_video_count_as_one_case_and_a_video_that_was_learned_from_is_named():
    frames = {f"0001TP_{n:06}": frame(n) for n in range(12)}
    photos = {f"cat_{n}": draw_scene(np.random.default_rng(9 + n), 96).image for n in range(8)}
    trained = [f"0001TP_{n:06}" for n in range(12, 20)]
    cases, cautions = unite(frames | photos, trained, learned=frozenset(trained))
    assert cases == ["0001TP_000000"] * 12 + list(photos)
    assert cautions.keys() == {"videos", "learned_cases"}
    assert "12 of 20 images look like frames of 1 video (0001TP_…)" in cautions["videos"]
    assert "State `group_by: (.+)_` in data.yaml" in cautions["videos"]
    told = "other images of 1 of 9 cases, 12 of 20 images: 0001TP_…;"
    assert told in cautions["learned_cases"]
    # Another data set's training split says nothing, nor do names where cases are stated.
    assert unite(frames | photos, trained)[1].keys() == {"videos"}
    assert unite(frames, trained, case_from="(.+)", learned=frozenset(trained)) == ([*frames], {})


def test_copies_count_as_one_case_and_those_of_learned_images_are_told():
    image = np.zeros((8, 8, 3), np.uint8)
    cases, cautions = unite(dict.fromkeys(("a", "b", "b=2", "c"), image), left_out=["c=2"])
    assert cases == ["a", "b", "b", "c"]
    assert "1 group of images shows the same or nearly the same: b = b=2" in cautions["copies"]
    # c has a copy that is not scored, as a model has seen it.
    assert "1 of 3 cases, 1 of 4 images: c;" in cautions["learned_cases"]


@pytest.mark.parametrize(("stated", "cases"), [("", ["a", "a", "c"]), ("(.+)", ["a", "b", "c"])])
def test_what_the_audit_before_training_told_is_known(stated, cases):
    image, groups = np.zeros((8, 8, 3), np.uint8), (frozenset("abz"),)
    options = {"case_from": stated, "videos": groups, "learned": frozenset("z")}
    found, cautions = unite(dict.fromkeys("abc", image), **options)
    assert found == cases
    # Where cases are stated since, they are believed.
    assert cautions.keys() == (set() if stated else {"videos", "learned_cases"})
    copies = unite(dict.fromkeys("abc", image), case_from=stated, copies=groups)
    assert copies[0] == ["a", "a", "c"]
