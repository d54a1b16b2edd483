import json

import numpy as np
import pytest

from maskwright.errors import ConfigError, DataError, ModelError
from maskwright.evaluation import Caution, EvaluateOptions
from maskwright.evaluation.reports.write import terminal_table, to_dict, write_report
from maskwright.inference import Prediction
from maskwright.labels import Labels
from maskwright.tasks.paired_runs import merge_cautions, most_differing
from maskwright.tasks.semantic.evaluation.compare import compare_masks
from maskwright.tasks.semantic.evaluation.compare_report import comparison_report
from memory_masks import AllCell, MemoryMasks, make_card

# Eight cases of one image; half of each is cell.
OPTIONS = EvaluateOptions(examples=3)
MASKS = {f"{case}-1": [[1, 0], [1, 0]] for case in "abcdefgh"}


class Reads(AllCell):
    """Finds every cell, because the image is the mask."""

    def __call__(self, image, *, flips=False):
        return Prediction((image[..., 0] > 0).astype(np.int32))


def test_the_better_model_is_named_and_written_down(tmp_path):
    found = compare_masks((Reads(), AllCell()), MemoryMasks(MASKS), OPTIONS, ("runs/x", "runs/y"))
    report = comparison_report(found)
    # All cell: IoU 0 and 1/2. Every image is alike, so that there is no interval.
    assert float(found.paired.gain.mean_iou) == pytest.approx(1 - (0 + 1 / 2) / 2)
    told = to_dict(report)
    first = told[told["primary"]]
    assert (told["primary"], first["verdict"]) == ("foreground_dice", "A is better")
    assert (first["p"], first["interval"]) == (2 / 256, None)
    # Six others are as unlikely: the least chance is multiplied by six.
    assert told["mean_iou"]["p"] == pytest.approx(6 * 2 / 256)
    assert told["failed_alone"] == {"a": [], "b": []}
    assert told["per_class"]["cell"]["iou"]["difference"] == pytest.approx(0.5)
    assert [one.title for one in found.examples] == ["a-1", "b-1", "c-1"]
    page = write_report(report, tmp_path)
    assert "A is ahead" in page.read_text(encoding="utf-8")
    assert json.loads((tmp_path / "comparison.json").read_text()) == told
    lines = (tmp_path / "images.csv").read_text().splitlines()
    # Dice of all cell: 2 * 2 / (2 + 4).
    assert lines[1].endswith(",0.333333")
    assert terminal_table(report).row_count == 7


def test_outlines_are_compared_where_a_tolerance_is_asked_for():
    masks = {f"{case}-1": [[1, 0], [1, 0]] for case in "abcdefghijkl"}
    options = EvaluateOptions(examples=0, outlines=True, tolerance_px=0.5)
    found = compare_masks((Reads(), AllCell()), MemoryMasks(masks), options)
    report = comparison_report(found)
    told = to_dict(report)["outlines"]
    assert list(told) == ["surface_dice", "boundary_iou", "hd95_px", "assd_px"]
    assert (told["surface_dice"]["a"], told["hd95_px"]["a"]) == (1, 0)
    assert told["hd95_px"]["b"] > 0  # a low distance is the better one
    assert {entry["verdict"] for entry in told.values()} == {"A is better"}
    # Six other scores of pixels, four of outlines; two of 2**12 swaps differ as much.
    assert told["assd_px"]["p"] == pytest.approx(10 * 2 / 4096)
    assert [row.title for row in report.table.rows][-2:] == ["HD95, px", "ASSD, px"]


def test_a_model_against_itself_shows_no_difference():
    found = compare_masks((Reads(), Reads()), MemoryMasks(MASKS), OPTIONS)
    scores = to_dict(comparison_report(found))
    assert float(found.paired.p.foreground_dice) == 1
    assert {scores[n]["verdict"] for n in ("mean_iou", "pixel_accuracy")} == {"no difference shown"}
    assert found.examples == ()


def test_images_that_only_one_model_fails_on_are_listed():
    # All cell: Dice 2 / (1 + 4) where a quarter is, 2/3 where half is; no cell is no failure.
    masks = {**MASKS, "i-1": [[1, 0], [0, 0]], "j-1": [[0, 0], [0, 0]]}
    report = comparison_report(compare_masks((Reads(), AllCell()), MemoryMasks(masks), OPTIONS))
    assert to_dict(report)["failed_alone"] == {"a": [], "b": ["i-1"]}
    assert "Only B fails (Dice below 0.5) in 1 image: i-1." in report.notes


def test_few_cases_are_told():
    few = {name: MASKS[name] for name in ("a-1", "b-1", "c-1")}
    found = compare_masks((Reads(), AllCell()), MemoryMasks(few), OPTIONS)
    assert [caution.code for caution in found.warnings] == ["few_cases", "two_models"]
    assert "There are 3 cases; it takes 6" in found.warnings[0].text
    assert to_dict(comparison_report(found))["mean_iou"]["verdict"] == "no difference shown"


def test_models_that_cannot_meet_are_refused():
    other = make_card(labels=Labels.create(["background", "dog"]))
    with pytest.raises(ModelError, match="B background, dog"):
        compare_masks((Reads(), AllCell(other)), MemoryMasks(MASKS), OPTIONS)
    sized = make_card(size=(32, 48))
    with pytest.raises(ConfigError, match="that of the image and 32x48 px"):
        compare_masks(
            (Reads(), AllCell(sized)), MemoryMasks(MASKS), EvaluateOptions(size="working")
        )
    assert len(compare_masks((Reads(), AllCell(sized)), MemoryMasks(MASKS), OPTIONS).samples) == 8
    with pytest.raises(DataError, match="none of its 1 could be scored"):
        compare_masks((Reads(), AllCell()), MemoryMasks({"a-1": None}), OPTIONS)


def test_pictures_are_of_the_largest_differences_on_both_sides():
    assert most_differing(np.array([0.1, -0.5, np.nan, 0.0, 0.4, -0.2]), 1) == [4, 1]


def test_cautions_of_one_of_several_models_stand_under_its_name():
    both, own = Caution("few_cases", "Few."), Caution("trained_on", "Seen.")
    assert merge_cautions("AB", [[both], [both, own]]) == (
        both,
        Caution("trained_on", "B: Seen."),
    )
