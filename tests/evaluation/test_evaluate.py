import numpy as np
import pytest
from drawn import MASKS, AllCell, Drawn, make_card

from maskwright.errors import ConfigError, DataError
from maskwright.evaluation import evaluate
from maskwright.evaluation.evaluate import ranked
from maskwright.labels import Labels


def test_pixels_are_counted_before_they_are_divided():
    result = evaluate(AllCell(), Drawn(MASKS))
    np.testing.assert_array_equal(result.counts, [[0, 4], [0, 7]])
    # Of 11 counted pixels 7 are cell, and all 11 are taken for it.
    assert result.total.iou.tolist() == pytest.approx([0, 7 / 11])
    assert result.total.pixel_accuracy == pytest.approx(7 / 11)


def test_images_have_scores_of_their_own():
    result = evaluate(AllCell(), Drawn(MASKS))
    # a-1 has no background; c-1 has nothing at all.
    expected = [1, (0 + 1 / 4) / 2, (0 + 2 / 3) / 2, np.nan]
    np.testing.assert_allclose(result.images.mean_iou, expected)
    assert result.image_wise["mean_iou"] == pytest.approx(np.mean(expected[:3]))
    assert result.cases == ["a", "a", "b", "c"]


def test_intervals_hold_the_score_and_repeat():
    rng = np.random.default_rng(0)
    masks = {f"{i}-0": rng.integers(2, size=(4, 4)).tolist() for i in range(20)}
    results = [evaluate(AllCell(), Drawn(masks), bootstrap=200, seed=3) for _ in range(2)]
    low, high = results[0].intervals.mean_iou
    assert low < results[0].total.mean_iou < high
    np.testing.assert_array_equal(results[0].intervals.iou, results[1].intervals.iou)
    low, high = results[0].image_wise_intervals["mean_dice"]
    assert low < results[0].image_wise["mean_dice"] < high
    assert results[0].warnings == ()


def test_one_case_or_no_draws_give_no_interval():
    one = evaluate(AllCell(), Drawn({"a-1": [[1]], "a-2": [[1]]}))
    none = evaluate(AllCell(), Drawn(MASKS), bootstrap=0)
    assert np.isnan(one.intervals.mean_iou).all()
    assert np.isnan(none.intervals.iou).all()
    assert np.isnan(none.image_wise_intervals["mean_iou"]).all()


def test_working_size_stretches_image_and_truth():
    predictor = AllCell(make_card(size=(4, 6)))
    result = evaluate(predictor, Drawn({"a-1": [[1, 0], [1, 0]]}), size="working")
    assert predictor.seen[0] == (4, 6, 1)
    np.testing.assert_array_equal(result.counts, [[0, 12], [0, 12]])


def test_a_sample_that_cannot_be_read_is_told_and_passed_over():
    result = evaluate(AllCell(), Drawn({"a-1": [[1]], "b-1": None}))
    assert [skip.reason for skip in result.skipped] == ["b-1.png is empty."]
    assert len(result.samples) == 1
    with pytest.raises(DataError, match=r"none of its 1 could be scored. The first: b-1.png"):
        evaluate(AllCell(), Drawn({"b-1": None}))


def test_other_classes_are_refused_or_told():
    three = Labels.create(["background", "cell", "other"])
    with pytest.raises(DataError, match="with the 2 classes of the model"):
        evaluate(AllCell(), Drawn(MASKS, three))
    renamed = evaluate(AllCell(), Drawn(MASKS, Labels.create(["background", "nucleus"])))
    assert "matched in this order" in renamed.warnings[0]


def test_splits_of_the_training_and_few_cases_are_told():
    assert "trained on this split" in evaluate(AllCell(), Drawn(MASKS), "train").warnings[0]
    assert "3 cases only" in evaluate(AllCell(), Drawn(MASKS)).warnings[0]
    with pytest.raises(ConfigError, match="'original' or 'working'"):
        evaluate(AllCell(), Drawn(MASKS), size="large")


def test_examples_are_best_median_and_worst():
    result = evaluate(AllCell(), Drawn(MASKS), examples=2)
    assert [(one.rank, one.index) for one in result.examples] == [
        ("best", 0),
        ("median", 2),
        ("worst", 1),
    ]
    shown = result.examples[0]
    assert shown.picture.shape == (512, 512, 3)
    assert shown.truth.shape == shown.guess.shape == (512, 512)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], []),
        ([0.5], [("best", 0)]),
        ([0.1, 0.9], [("best", 1), ("worst", 0)]),
        (
            [0.1, 0.2, np.nan, 0.3, 0.4, 0.5, 0.6],
            [("best", 6), ("best", 5), ("median", 4), ("median", 3), ("worst", 0), ("worst", 1)],
        ),
    ],
)
def test_ranks_share_no_image(values, expected):
    assert ranked(np.array(values, float), 2) == expected
