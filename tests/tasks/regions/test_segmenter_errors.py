import numpy as np
import pytest

from drawing_squares import SPEC, UPPER, squares, write_squares
from maskwright.tasks.regions.extraction.extract import extract
from maskwright.tasks.regions.learning import mask_perturbation
from maskwright.tasks.regions.learning.mask_perturbation import DEFAULT_STRENGTH, segmenter_strength


@pytest.fixture
def dataset(tmp_path):
    return write_squares(tmp_path)


def predict(image, image_id):
    """One row off the upper square, and disjoint from the lower one."""
    mask = squares((3, 2, 11, 10), (20, 0, 24, 4))[..., 0] > 0
    return extract(image, mask, SPEC, image_id=image_id)


def test_the_default_is_taken_without_a_segmenter_or_with_few_matches(dataset):
    assert segmenter_strength(dataset, dataset.samples, SPEC, None, 0) == DEFAULT_STRENGTH
    # Three upper squares are matched; five are needed.
    assert segmenter_strength(dataset, dataset.samples, SPEC, predict, 0) == DEFAULT_STRENGTH


def test_the_strength_is_fitted_to_the_mean_iou_of_matched_regions(dataset, monkeypatch):
    fitted = {}

    def strength_for(masks, iou, rng):
        fitted.update(masks=masks, iou=iou)

    monkeypatch.setattr(mask_perturbation, "strength_for", strength_for)
    dataset.samples[2].image.write_text("this is text")  # unreadable, so that it does not count
    segmenter_strength(dataset, dataset.samples * 3, SPEC, predict, 0)
    # 7 of 9 rows are common; the lower squares are missed and do not count.
    assert fitted["iou"] == pytest.approx(7 / 9)
    assert len(fitted["masks"]) == 2 * 6
    np.testing.assert_array_equal(fitted["masks"][0], squares(UPPER)[..., 0] > 0)


def test_each_sample_is_read_once(dataset, monkeypatch):
    read, original = [], type(dataset).read_image

    def counted(self, sample):
        read.append(sample.id)
        return original(self, sample)

    monkeypatch.setattr(type(dataset), "read_image", counted)
    segmenter_strength(dataset, dataset.samples, SPEC, lambda image, name: [], 0)
    assert sorted(read) == ["i0", "i1", "i2"]
