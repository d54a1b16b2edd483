"""The loop of every evaluation, with numbers for images and for predictions."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from maskwright.data.cases.known import KnownImages
from maskwright.data.samples import Sample
from maskwright.errors import DataError
from maskwright.evaluation import EvaluateOptions, Evaluation, evaluate
from maskwright.evaluation.loop import pack, unpack
from maskwright.evaluation.result import rank_examples


@dataclass(frozen=True, eq=False, kw_only=True)
class Sum(Evaluation):
    errors: list


class Numbers:
    """Images are numbers, `None` for one that cannot be read; truth is twice the number."""

    card = SimpleNamespace(channels=1, percentiles=())
    options, workers, root = EvaluateOptions(), None, Path("numbers")
    samples, case_from, known = (), "name", KnownImages()

    def __init__(self, **numbers):
        self.numbers, self.errors, self.source = numbers, [], self

    def of(self, split):
        return [Sample(name, Path(f"{name}.png"), (), name, split) for name in self.numbers]

    def content_hash(self, sample):
        return sample.id

    def is_learned(self, sample):
        return sample.id == "learned"

    def read(self, sample):
        if self.numbers[sample.id] is None:
            raise DataError(f"{sample.image} is empty.")
        return np.array([self.numbers[sample.id]]), 2 * self.numbers[sample.id]

    def update(self, sample, image, truth, prediction):
        if prediction < 0:
            raise DataError(f"{sample.id} has no score.")
        self.errors.append(truth - prediction)

    def result(self, base):
        return Sum(**vars(base), errors=self.errors)


def test_every_image_is_predicted_once_and_the_prediction_handed_on():
    predicted, consumed = [], []

    def predict(image):
        predicted.append(image.item())
        return image.item() + 1

    consumer = lambda sample, image, truth, prediction: consumed.append((sample.id, prediction))  # noqa: E731
    result = evaluate(predict, Numbers(a=3, b=None, c=5, d=-2, learned=8), [consumer])
    assert predicted == [3, 5, -2]
    assert result.errors == [6 - 4, 10 - 6]
    assert consumed == [("a", 4), ("c", 6)]
    assert [skip.reason for skip in result.skipped] == ["b.png is empty.", "d has no score."]
    assert "Left out: 1 of 5 images of the split" in result.warnings[0].text
    assert (result.cases, result.num_cases, result.split) == (["a", "c"], 2, "test")


def test_nothing_to_score_names_the_first_reason():
    with pytest.raises(
        DataError, match=r"none of its 1 could be scored. The first: a.png is empty"
    ):
        evaluate(int, Numbers(a=None))


def test_predictions_are_packed_small():
    mask = np.zeros((512, 512), np.uint8)
    mask[100:200, 100:300] = 3
    packed = pack(mask)
    assert len(packed) < 4000
    np.testing.assert_array_equal(unpack(packed), mask)


def test_few_cases_are_told():
    def told(num_cases):
        scorer = Numbers(**{f"s{number}": number for number in range(num_cases)})
        return [caution.text for caution in evaluate(np.ndarray.item, scorer).case_cautions()]

    assert told(5) == ["There are 5 cases; it takes 6 for intervals of these scores."]
    assert told(25) == [
        "Up to 11% of new cases may fail in a way that none of these 25 did; evaluate on 30 or "
        "more."
    ]
    assert told(30) == []


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
    assert rank_examples(np.array(values, float), 2) == expected
