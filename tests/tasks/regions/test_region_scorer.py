"""Decisions and masks of a split in one pass, with a segmenter and a classifier of one line."""

from dataclasses import replace

import pytest

from drawing_regions import Brighter, by_brightness, draw_discs
from maskwright.data import open_dataset
from maskwright.errors import DataError
from maskwright.evaluation import EvaluateOptions
from maskwright.inference.prediction import Prediction
from maskwright.labels import Labels
from maskwright.tasks.regions.evaluation.scorer import RegionScorer, evaluate_regions
from maskwright.tasks.regions.learning.labeling import find_labeling
from maskwright.tasks.regions.pipeline import Pipeline

OPTIONS = EvaluateOptions(split="all")


class Counting(Brighter):
    """`Brighter` that counts, and overlooks the image of a number."""

    def __init__(self, overlooked=None):
        self.calls, self.overlooked = 0, overlooked

    def __call__(self, image, *, flips=False):
        self.calls += 1
        predicted = super().__call__(image)
        if self.calls - 1 == self.overlooked:
            return Prediction(0 * predicted.labels)
        return predicted


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Six images of two discs each, of three cases: 0 and 1, 2 and 3, 4 and 5."""
    dataset = open_dataset(draw_discs(tmp_path_factory.mktemp("discs"), 6, discs=2))
    samples = [
        replace(sample, split="all", case=f"case {int(sample.image.stem) // 2}")
        for sample in sorted(dataset.samples, key=lambda sample: int(sample.image.stem))
    ]
    # The images of a case do not lie side by side.
    return replace(dataset, samples=(*samples[::2], *samples[1::2]))


def score(dataset, unit, segmenter=None, options=OPTIONS):
    pipeline = Pipeline(by_brightness(unit), segmenter)
    labeling = find_labeling(dataset, positive="bright")
    return evaluate_regions(RegionScorer(pipeline, dataset, labeling, options))


def test_images_are_predicted_once_for_decisions_masks_and_pictures(dataset):
    segmenter = Counting()
    result = score(dataset, "image", segmenter)
    assert segmenter.calls == 6
    assert result.true.roc_auc == result.predicted.roc_auc == 1
    assert result.segmentation.total.mean_dice == pytest.approx(1)
    assert [example.rank for example in result.examples] == ["best"] * 2 + ["median"] * 2 + [
        "worst",
        "worst",
    ]
    assert [caption for caption, _ in result.examples[0].panels] == [
        *("Image", "Ground truth", "Predicted mask", "Region")
    ]


@pytest.mark.parametrize(("unit", "bags"), [("region", 12), ("image", 6), ("case", 3)])
def test_bags_are_what_decisions_are_made_on(dataset, unit, bags):
    result = score(dataset, unit)
    assert len(result.bags) == bags
    assert sum(len(bag.regions) for bag in result.bags) == 12
    assert result.predicted is None
    if unit == "case":
        # Images 0 and 1 of the first case, one dull, one bright, though read apart.
        assert [len(bag.images) for bag in result.bags] == [2, 2, 2]
        assert result.bags[0].label == 1


def test_what_the_segmenter_overlooks_is_counted(dataset):
    result = score(dataset, "image", Counting(overlooked=3))
    assert result.num_missed == 1
    assert result.bags[3].predicted_logit is None
    assert "no_predicted_region" in {caution.code for caution in result.warnings}


def test_a_segmenter_of_other_classes_has_no_scores_of_its_own(dataset):
    segmenter = Counting()
    segmenter.card = replace(segmenter.card, labels=Labels.create(["background", "a", "b"]))
    result = score(dataset, "image", segmenter)
    assert result.segmentation is None
    assert result.warnings[0].code == "segmenter_not_scored"
    assert result.has_predicted


def test_a_split_without_labeled_images_is_refused(dataset):
    with pytest.raises(DataError, match="has no split"):
        score(dataset, "image", options=replace(OPTIONS, split="none"))
