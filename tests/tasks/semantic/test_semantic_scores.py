import numpy as np
import pytest

from maskwright.errors import ConfigError, DataError
from maskwright.evaluation import EvaluateOptions
from maskwright.inference import Prediction
from maskwright.labels import Labels
from maskwright.tasks.semantic.evaluation.scorer import evaluate_masks
from memory_masks import MASKS, AllCell, MemoryMasks, make_card


def test_pixels_are_counted_before_they_are_divided():
    result = evaluate_masks(AllCell(), MemoryMasks(MASKS))
    np.testing.assert_array_equal(result.counts, [[0, 4], [0, 7]])
    # Of 11 counted pixels 7 are cell, and all 11 are taken for it.
    assert result.total.iou.tolist() == pytest.approx([0, 7 / 11])
    assert result.total.pixel_accuracy == pytest.approx(7 / 11)


def test_images_have_scores_of_their_own():
    result = evaluate_masks(AllCell(), MemoryMasks(MASKS))
    # a-1 has no background; c-1 has nothing at all.
    expected = [1, (0 + 1 / 4) / 2, (0 + 2 / 3) / 2, np.nan]
    np.testing.assert_allclose(result.images.mean_iou, expected)
    # Case a has two images, and counts once.
    assert result.image_wise["mean_iou"] == pytest.approx(((1 + 1 / 8) / 2 + 1 / 3) / 2)
    alike = evaluate_masks(AllCell(), MemoryMasks(MASKS), EvaluateOptions(weigh="images"))
    assert alike.image_wise["mean_iou"] == pytest.approx(np.mean(expected[:3]))
    assert result.cases == ["a", "a", "b", "c"]


def test_intervals_hold_the_score_and_repeat():
    rng = np.random.default_rng(0)
    masks = {f"{i}-0": rng.integers(2, size=(4, 4)).tolist() for i in range(30)}
    results = [evaluate_masks(AllCell(), MemoryMasks(masks), EvaluateOptions()) for _ in range(2)]
    low, high = results[0].intervals.mean_iou
    assert low < results[0].total.mean_iou < high
    np.testing.assert_array_equal(results[0].intervals.iou, results[1].intervals.iou)
    low, high = results[0].image_wise_intervals["mean_dice"]
    assert low < results[0].image_wise["mean_dice"] < high
    assert results[0].warnings == ()


def test_fewer_than_six_cases_give_no_interval():
    one = evaluate_masks(AllCell(), MemoryMasks({"a-1": [[1]], "a-2": [[1]]}))
    none = evaluate_masks(AllCell(), MemoryMasks(MASKS), EvaluateOptions())
    assert np.isnan(one.intervals.mean_iou).all()
    assert np.isnan(none.intervals.iou).all()
    assert np.isnan(none.image_wise_intervals["mean_iou"]).all()


def test_empty_images_neither_raise_nor_sink_the_headline():
    # Ten images of 4 px: in five, half of the cell is found; five are empty, one of which is taken
    # for cell.
    class Half(AllCell):
        def __call__(self, image, *, flips=False):
            labels = (image[..., 0] > 0).astype(np.int32)
            if labels.any():
                labels[1] = 0
            elif len(self.seen) == 9:
                labels[:] = 1
            self.seen.append(image.shape)
            return Prediction(labels)

    cell, empty = [[1, 0], [1, 0]], [[0, 0], [0, 0]]
    masks = {f"{n}-0": cell if n < 5 else empty for n in range(10)}
    result = evaluate_masks(Half(), MemoryMasks(masks), EvaluateOptions(examples=1))
    assert result.image_wise["foreground_dice"] == pytest.approx(2 / 3)
    assert result.images.foreground_dice[5:].tolist() == pytest.approx([np.nan] * 5, nan_ok=True)
    assert (result.empty.images, result.empty.rate, result.empty.area_px) == (5, 0.2, 0.8)
    low, high = result.empty.rate_ends
    assert (low, high) == pytest.approx((0.0051, 0.7164), abs=1e-4)  # Clopper-Pearson, 1 of 5
    assert result.absent[1].images == 5
    assert [(one.rank, one.title) for one in result.examples][-1] == ("false alarm", "9-0")
    assert "4 px where nothing is" in result.examples[-1].text


def test_working_size_stretches_image_and_truth():
    predictor = AllCell(make_card(size=(4, 6)))
    result = evaluate_masks(
        predictor, MemoryMasks({"a-1": [[1, 0], [1, 0]]}), EvaluateOptions(size="working")
    )
    assert predictor.seen[0] == (4, 6, 1)
    np.testing.assert_array_equal(result.counts, [[0, 12], [0, 12]])


def test_a_sample_that_cannot_be_read_is_told_and_passed_over():
    result = evaluate_masks(AllCell(), MemoryMasks({"a-1": [[1]], "b-1": None}))
    assert [skip.reason for skip in result.skipped] == ["b-1.png is empty."]
    assert len(result.samples) == 1
    with pytest.raises(DataError, match=r"none of its 1 could be scored. The first: b-1.png"):
        evaluate_masks(AllCell(), MemoryMasks({"b-1": None}))


def test_other_classes_are_refused_or_told():
    three = Labels.create(["background", "cell", "other"])
    with pytest.raises(DataError, match="with the 2 classes of the model"):
        evaluate_masks(AllCell(), MemoryMasks(MASKS, three))
    renamed = evaluate_masks(
        AllCell(), MemoryMasks(MASKS, Labels.create(["background", "nucleus"]))
    )
    assert renamed.warnings[0].code == "class_names"


def test_splits_of_the_training_and_few_cases_have_codes():
    on_train = evaluate_masks(AllCell(), MemoryMasks(MASKS), EvaluateOptions(split="train"))
    assert [caution.code for caution in on_train.warnings] == ["training_split", "few_cases"]
    with pytest.raises(ConfigError, match="'original' or 'working'"):
        evaluate_masks(AllCell(), MemoryMasks(MASKS), EvaluateOptions(size="large"))


def test_examples_are_best_median_and_worst_of_what_was_predicted_once():
    model = AllCell()
    result = evaluate_masks(model, MemoryMasks(MASKS), EvaluateOptions(examples=2))
    assert [(one.rank, one.title) for one in result.examples] == [
        ("best", "a-1"),
        ("median", "b-1"),
        ("worst", "a-2"),
    ]
    assert len(model.seen) == len(MASKS)
    panels = dict(result.examples[0].panels)
    assert list(panels) == ["Image", "Ground truth", "Prediction", "Errors"]
    # All is cell, in truth and prediction.
    np.testing.assert_array_equal(panels["Prediction"], panels["Ground truth"])
    assert panels["Image"].shape == (512, 512, 3)
