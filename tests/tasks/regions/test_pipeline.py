"""Segment, extract, classify: a classifier trained on discs, and a segmenter of one line."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from drawing_regions import QUICK, Brighter, disc_image, draw_discs
from maskwright.api import train_regions
from maskwright.errors import ConfigError, DataError
from maskwright.tasks.regions.classifier import Classifier
from maskwright.tasks.regions.pipeline import Pipeline, group_regions


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    folder = tmp_path_factory.mktemp("discs")
    run = train_regions(draw_discs(folder / "data", 24), folder / "run", **QUICK)
    return Classifier.load(run.folder)


def images():
    """Dull, bright, both, and none; with the masks of the first two."""
    dull, dull_mask = disc_image(bright=False)
    bright, bright_mask = disc_image(bright=True)
    both = np.hstack([dull, bright])
    return {"dull": dull, "bright": bright, "both": both, "none": np.full_like(dull, 60)}, {
        "dull": dull_mask,
        "bright": bright_mask,
    }


def of_unit(classifier, unit):
    return Classifier(classifier.decide, replace(classifier.card, unit=unit))


def test_brightness_is_told_apart_with_given_masks(classifier):
    shown, masks = images()
    given = {name: shown[name] for name in masks}
    dull, bright = Pipeline(classifier)(given, masks)
    assert (dull.id, dull.decision, bright.decision) == ("dull", "dull", "bright")
    assert dull.probability < 0.3
    assert bright.probability > 0.7
    assert bright.images == ("bright",)
    assert bright.deciding is bright.regions[0]
    assert bright.weights.tolist() == [1]
    # A bag of one region is decided as that region is.
    assert bright.region_probabilities[0] == pytest.approx(bright.probability, abs=1e-6)


def test_the_segmenter_finds_what_is_decided_on(classifier):
    shown, masks = images()
    pipeline = Pipeline(classifier, Brighter())
    dull, bright, both, none = pipeline(shown)
    assert [one.decision for one in (dull, bright)] == ["dull", "bright"]
    np.testing.assert_array_equal(dull.regions[0].mask.sum(), masks["dull"].sum())
    assert len(both.regions) == 2
    assert both.weights.sum() == pytest.approx(1, abs=1e-6)
    first, second = both.region_probabilities
    assert first < 0.3 < 0.7 < second
    assert (none.probability, none.decision, none.regions, none.deciding) == (None, None, (), None)


def test_a_case_is_decided_over_its_images(classifier):
    shown, _ = images()
    pipeline = Pipeline(of_unit(classifier, "case"), Brighter())
    (found,) = pipeline(shown, case="patient 7")
    assert (found.id, found.images) == ("patient 7", tuple(shown))
    assert [region.image_id for region in found.regions] == ["dull", "bright", "both", "both"]
    assert found.weights.sum() == pytest.approx(1, abs=1e-6)
    empty = pipeline({"none": shown["none"]}, case="patient 8")
    assert [(one.id, one.probability) for one in empty] == [("patient 8", None)]


def test_regions_are_decided_on_one_by_one(classifier):
    shown, _ = images()
    found = Pipeline(of_unit(classifier, "region"), Brighter())(shown)
    assert [one.id for one in found] == ["dull#1", "bright#1", "both#1", "both#2"]
    assert [one.decision for one in found] == ["dull", "bright"] * 2


def test_what_is_decided_does_not_depend_on_what_else_is(classifier):
    shown, masks = images()
    (dull,) = classifier.extract(shown["dull"], masks["dull"], "dull")
    (bright,) = classifier.extract(shown["bright"], masks["bright"], "bright")
    bags = [[dull, bright], [bright], [dull] * 150, [bright]]
    together = classifier(bags)
    for bag, found in zip(bags, together, strict=True):
        (alone,) = classifier([bag])
        assert found.logit == pytest.approx(alone.logit, abs=1e-4)
        np.testing.assert_allclose(found.weights, alone.weights, atol=1e-5)
        assert len(found.weights) == len(found.region_probabilities) == len(bag)
    assert classifier([]) == []


def test_gray_and_sixteen_bits_become_what_it_was_trained_on(classifier):
    shown, masks = images()
    gray = shown["bright"][..., :1]
    deep = shown["bright"].astype(np.uint16) * 257
    expected = classifier.extract(gray.repeat(3, axis=-1), masks["bright"])[0].crop
    np.testing.assert_array_equal(classifier.extract(gray, masks["bright"])[0].crop, expected)
    with_alpha = np.dstack([shown["bright"], shown["bright"][..., :1]])
    for given in (deep, with_alpha):
        np.testing.assert_array_equal(classifier.convert(given), shown["bright"])
    with pytest.raises(DataError, match="takes images of 3 channels; this one has 5"):
        classifier.convert(np.full((4, 4, 5), 120, np.uint8))


def test_without_a_segmenter_masks_must_be_given(classifier):
    shown, _ = images()
    pipeline = Pipeline(classifier)
    with pytest.raises(ConfigError, match="predicts none; give masks, or train"):
        pipeline(shown)
    with pytest.raises(ConfigError, match="no segmenter to adjust"):
        pipeline.adjusted(threshold=0.4)
    assert pipeline.adjusted(threshold=None).segmenter is None
    card = SimpleNamespace(symmetries=("horizontal_flip",))
    segmenter = SimpleNamespace(adjusted=lambda **given: SimpleNamespace(card=card, given=given))
    adjusted = Pipeline(classifier, segmenter).adjusted(True, threshold=0.4)
    assert (adjusted.flips, adjusted.segmenter.given) == (True, {"threshold": 0.4})
    with pytest.raises(ConfigError, match="without vertical flips"):
        Pipeline(classifier, segmenter).adjusted("all")


def test_group_regions_makes_bags_of_regions_images_or_cases():
    one, two, three = (SimpleNamespace(name=name) for name in ("x#1", "x#2", "z#1"))
    found = [("x", "a", [one, two]), ("y", "a", []), ("z", "b", [three])]
    assert group_regions(found, "region") == {
        "x#1": (("x",), [one]),
        "x#2": (("x",), [two]),
        "z#1": (("z",), [three]),
    }
    assert group_regions(found, "image") == {
        "x": (("x",), [one, two]),
        "y": (("y",), []),
        "z": (("z",), [three]),
    }
    assert group_regions(found, "case") == {"a": (("x", "y"), [one, two]), "b": (("z",), [three])}
