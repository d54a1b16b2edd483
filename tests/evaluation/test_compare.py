import json

import numpy as np
import pytest
from drawn import AllCell, Drawn, make_card

from maskwright.errors import ConfigError, DataError, ModelError
from maskwright.evaluation import compare, comparison_table, comparison_to_dict, write_comparison
from maskwright.evaluation.compare import most_differing
from maskwright.inference import Prediction
from maskwright.labels import Labels

# Eight cases of one image; half of each is cell.
MASKS = {f"{case}-1": [[1, 0], [1, 0]] for case in "abcdefgh"}


class Reads(AllCell):
    """Finds every cell, because the image is the mask."""

    def __call__(self, image, *, flips=False):
        return Prediction((image[..., 0] > 0).astype(np.int32))


def test_the_better_model_is_named_and_written_down(tmp_path):
    found = compare(Reads(), AllCell(), Drawn(MASKS), names=("runs/x", "runs/y"), bootstrap=100)
    # All cell: IoU 0 and 1/2; every image is alike, so that every draw gives the same.
    assert float(found.paired.gain.mean_iou) == pytest.approx(1 - (0 + 1 / 2) / 2)
    told = comparison_to_dict(found)
    assert told["mean_iou"]["verdict"] == "A is better"
    assert told["mean_iou"]["interval"] == pytest.approx([0.75, 0.75])
    assert told["per_class"]["cell"]["iou"]["difference"] == pytest.approx(0.5)
    assert [one.index for one in found.differing] == [0, 1, 2]
    page = write_comparison(found, tmp_path)
    assert "A is ahead" in page.read_text(encoding="utf-8")
    assert json.loads((tmp_path / "comparison.json").read_text()) == told
    lines = (tmp_path / "images.csv").read_text().splitlines()
    # Dice of all cell: 0 of the background and 2 * 2 / (2 + 4) of the cells, so 1/3.
    assert lines[1].endswith(",0.666667")
    assert comparison_table(found).row_count == 5


def test_a_model_against_itself_shows_no_difference():
    found = compare(Reads(), Reads(), Drawn(MASKS), bootstrap=100)
    assert np.all(found.paired.ends.iou == 0)
    assert {comparison_to_dict(found)[n]["verdict"] for n in ("mean_iou", "pixel_accuracy")} == {
        "no difference shown"
    }
    assert found.differing == ()


def test_few_cases_are_told():
    few = {name: MASKS[name] for name in ("a-1", "b-1", "c-1")}
    found = compare(Reads(), AllCell(), Drawn(few))
    assert found.warnings == ("There are 3 cases; it takes 6 or more to show a difference.",)
    assert comparison_to_dict(found)["mean_iou"]["verdict"] == "no difference shown"


def test_what_one_of_them_learned_from_is_told_under_its_name():
    found = compare(Reads(), AllCell(), Drawn(MASKS), learned=((), {"a-1", "b-1"}))
    assert found.warnings[0].startswith("B: The model was trained on 2 of these images")


def test_models_that_cannot_meet_are_refused():
    other = make_card(labels=Labels.create(["background", "dog"]))
    with pytest.raises(ModelError, match="B background, dog"):
        compare(Reads(), AllCell(other), Drawn(MASKS))
    sized = make_card(size=(32, 48))
    with pytest.raises(ConfigError, match="that of the image and 32x48 px"):
        compare(Reads(), AllCell(sized), Drawn(MASKS), size="working")
    assert compare(Reads(), AllCell(sized), Drawn(MASKS), bootstrap=0).scored_at == "original"
    with pytest.raises(DataError, match="none of its 1 could be scored"):
        compare(Reads(), AllCell(), Drawn({"a-1": None}))


def test_pictures_are_of_the_largest_differences_on_both_sides():
    assert most_differing(np.array([0.1, -0.5, np.nan, 0.0, 0.4, -0.2]), 1) == [4, 1]
