from pathlib import Path

import numpy as np
import pytest
from test_predictor import brightness, card

from maskwright.data.samples import Sample
from maskwright.errors import ConfigError
from maskwright.inference.cached_prediction import (
    THRESHOLDS,
    component_areas,
    predict_tunable,
    record,
)
from maskwright.inference.predictor import Predictor
from maskwright.inference.tune_postprocessing import tune_postprocessing
from maskwright.labels import IGNORE_LABEL, Labels

CASES = 10


def decided(folder, draw, own_card=None, cases=CASES):
    """Decisions on images of 32x32 with a square of 10x10, each of a case of its own."""
    predictor = Predictor(brightness, own_card or card())
    kept = []
    for case in range(cases):
        truth = np.zeros((32, 32), np.int32)
        truth[8:18, 8:18] = 1
        image = np.where(truth, 110.0, 90.0)[..., None]
        draw(image, truth, case)
        sample = Sample(f"{case}", Path(f"{case}.png"), (), f"{case}")
        kept.append(record(predict_tunable(predictor, image), truth, sample, folder))
    return kept


def specks(image, truth, case):
    image[2:4, 2:4] = 110  # 4 px, and 6 px elsewhere
    image[25:27, 20:23] = 110


def nothing(image, truth, case):
    """Leaves the image without specks."""


def test_small_areas_are_removed_where_there_are_specks(tmp_path):
    found = tune_postprocessing(card(), decided(tmp_path, specks))
    # Of areas of 100 px: 3 px leaves both specks, 10 px removes them, 30 px does no better.
    assert found.decisions == {
        **{"threshold": None, "min_area_px": 10, "keep_largest": False, "fill_holes_px": 0}
    }
    assert found.after == 1 > found.before
    step = next(step for step in found.steps if step.step == "min_area_px")
    assert [(one.value, one.real) for one in step.tried] == [(3, False), (10, True), (30, True)]
    before = 200 / 210  # Dice of the square
    assert found.before == pytest.approx(before)
    assert step.tried[1].gain == pytest.approx(1 - before)
    assert "min_area_px=10 is kept: its gain in foreground Dice is real" in step.reason


def test_nothing_is_kept_where_nothing_gains(tmp_path):
    found = tune_postprocessing(card(threshold=0.4, keep_largest=True), decided(tmp_path, nothing))
    assert found.decisions["threshold"] == 0.4
    assert found.decisions["keep_largest"]
    assert all(step.selected is None for step in found.steps)
    assert found.to_dict()["steps"][1]["tried"][0]["p"] == 1


def test_what_helps_in_half_of_the_cases_is_not_kept(tmp_path):
    def draw(image, truth, case):
        specks(image, truth, case)
        if case % 2:  # there the specks are true
            truth[2:4, 2:4] = truth[25:27, 20:23] = 1

    found = tune_postprocessing(card(), decided(tmp_path, draw))
    assert found.decisions["min_area_px"] == 0
    assert not found.decisions["keep_largest"]


def test_a_threshold_is_found_from_the_levels_that_were_kept(tmp_path):
    def faint(image, truth, case):
        image[8:18, 8:18] = 100 + np.log(0.33 / 0.67)  # probability 0.33
        image[0:5, 20:30] = 100 + np.log(0.27 / 0.73)  # 0.27, and not in the truth

    found = tune_postprocessing(card(), decided(tmp_path, faint))
    assert found.decisions["threshold"] == 0.3
    assert found.after == 1
    assert 0.3 in THRESHOLDS


def test_too_few_cases_choose_nothing(tmp_path):
    found = tune_postprocessing(card(), decided(tmp_path, specks, cases=4))
    assert found.decisions["min_area_px"] == 0
    assert "4 cases cannot show which of 3 values is better; it takes 10" in found.steps[1].reason
    with pytest.raises(ConfigError, match="mean_dice or mean_iou"):
        tune_postprocessing(card(), [], score="recall")


def test_more_classes_have_no_threshold_to_choose(tmp_path):
    labels = Labels.create(["background", "cell", "nucleus"])

    def three(images):
        return np.concatenate([100 - images, images - 100, images - 200], axis=-1)

    truth = np.array([[0, 1], [2, IGNORE_LABEL]], np.int32)
    image = np.array([[50, 120], [199, 0]], np.float32)[..., None]
    predictor = Predictor(three, card(labels=labels))
    sample = Sample("a", Path("a"), (), "a")
    kept = [record(predict_tunable(predictor, image), truth, sample, tmp_path)]
    found = tune_postprocessing(predictor.card, kept)
    assert found.steps[0].step == "min_area_px"
    # Of classes 0, 1 and 1 for 0, 1 and 2: Dice 2 / 3 and 0 of the foreground.
    assert found.before == pytest.approx((2 / 3 + 0) / 2)


def test_a_tunable_prediction_has_the_labels_of_the_predictor():
    image = np.full((32, 32, 1), 90.0)
    specks(image, None, 0)
    predictor = Predictor(brightness, card(min_area_px=5))
    prediction = predict_tunable(predictor, image)
    np.testing.assert_array_equal(prediction.labels, predictor(image).labels)
    # Of the specks of 4 and 6 px only the larger is left.
    assert (prediction.uncleaned.sum(), prediction.labels.sum()) == (10, 6)


def test_areas_of_true_components():
    truth = np.array([[1, 0, 2, 2], [0, 0, 2, IGNORE_LABEL], [1, 1, 0, 0]])
    assert component_areas(truth, 0).tolist() == [1, 2, 3]
