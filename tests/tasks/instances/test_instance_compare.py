import json
from dataclasses import replace

import numpy as np
import pytest

from maskwright.errors import ModelError
from maskwright.evaluation import EvaluateOptions
from maskwright.evaluation.reports.write import terminal_tables, to_dict, write_report
from maskwright.instances import Instances
from maskwright.labels import Labels
from maskwright.tasks.error_colors import CORRECT, FALSE_NEGATIVE, FALSE_POSITIVE, OTHER_ERROR
from maskwright.tasks.instances.evaluation.compare_report import comparison_report
from maskwright.tasks.instances.evaluation.comparison import compare_instances
from maskwright.tasks.instances.evaluation.outcomes import draw_outcomes, object_outcomes
from memory_objects import CARD, MemoryObjects, MostFound

OPTIONS = EvaluateOptions(examples=1)
COUNTS = [2, 4, 1, 2, 3, 2, 2, 2]


class AllFound(MostFound):
    """Detects all objects, by another method."""

    def __init__(self):
        super().__init__(replace(CARD, method="condinst"))

    def predict_all(self, image):
        return replace(true := Instances.from_ids(image[..., 0]), scores=np.ones(len(true)))


def test_the_better_model_of_objects_is_named_whatever_its_method(tmp_path):
    data, names = MemoryObjects(tmp_path, COUNTS), ("runs/x", "runs/y")
    found = compare_instances((AllFound(), MostFound()), data, OPTIONS, names)
    report = comparison_report(found)
    told = to_dict(report)
    first = told[told["primary"]]
    # B misses one object of each image.
    mean = np.mean([(count - 1) / count for count in COUNTS])
    assert (told["primary"], first["a"], first["b"]) == ("ap", 1, pytest.approx(mean))
    assert (first["verdict"], first["p"]) == ("A is better", 2 / 256)
    low, high = first["interval"]
    assert low < first["difference"] < high
    # Four others are as unlikely: the least chance is multiplied by four.
    assert told["aji"]["p"] == pytest.approx(4 * 2 / 256)
    assert told["objects"]["missed"] == {"a": 0, "b": 8}
    assert told["per_class"] == {}  # a single one
    assert [each.title for each in found.examples] == ["c"]  # the largest difference
    page = write_report(report, tmp_path / "out").read_text()
    assert "CondInst" in page
    assert "missed" in page
    assert json.loads((tmp_path / "out" / "comparison.json").read_text()) == told
    lines = (tmp_path / "out" / "images.csv").read_text().splitlines()
    assert lines[1].endswith(",1.000000,0.500000,2,1,0,0,0,1,0.500000")
    assert [table.row_count for table in terminal_tables(report)] == [5, 5]


def test_a_model_of_objects_is_not_better_than_itself_and_needs_the_same_classes(tmp_path):
    data = MemoryObjects(tmp_path, COUNTS)
    found = compare_instances((MostFound(), MostFound()), data, OPTIONS)
    assert {found.verdict(key) for key in ("ap", "pq")} == {"no difference shown"}
    assert found.examples == ()
    other = MostFound(replace(CARD, labels=Labels.create(("background", "dog"))))
    with pytest.raises(ModelError, match="A has background, cell, B background, dog"):
        compare_instances((MostFound(), other), data, OPTIONS)


def squares(*columns):
    masks = np.zeros((len(columns), 6, 40), bool)
    for mask, (first, last) in zip(masks, columns, strict=True):
        mask[:, first:last] = True
    return Instances.from_masks(masks, (6, 40))


def test_each_outcome_has_its_color():
    # The first is matched and has a piece too many, the second missed, the last prediction false.
    true = squares((0, 10), (20, 26))
    outcomes = object_outcomes(squares((0, 3), (1, 10), (32, 38)), true)
    assert outcomes.matched.boxes[:, 1].tolist() == [1]
    assert outcomes.duplicates.boxes[:, 1].tolist() == [0]
    assert outcomes.missed.boxes[:, 1].tolist() == [20]
    assert outcomes.false.boxes[:, 1].tolist() == [32]
    drawn = draw_outcomes(np.full((6, 40, 3), 90, np.uint8), outcomes)
    places = {OTHER_ERROR: 0, CORRECT: 9, FALSE_NEGATIVE: 20, FALSE_POSITIVE: 32}
    for color, column in places.items():
        assert tuple(drawn[0, column].tolist()) == color
