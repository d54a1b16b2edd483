import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from html_tags import Tags
from maskwright.errors import ConfigError
from maskwright.evaluation import EvaluateOptions
from maskwright.evaluation.reports.write import terminal_tables, to_dict, write_report
from maskwright.inference import Prediction
from maskwright.labels import IGNORE_LABEL, Labels
from maskwright.tasks.semantic.evaluation.details.measures import pool_details
from maskwright.tasks.semantic.evaluation.report import semantic_report
from maskwright.tasks.semantic.evaluation.scorer import evaluate_masks
from memory_masks import AllCell, MemoryMasks, make_card

CARD = make_card()
# Squares of 4 x 4 px; of b, a pixel of another cell is ignored.
CELL = np.pad(np.ones((4, 4), int), 3)
TWO = np.pad(np.ones((1, 1), int), ((1, 8), (1, 8))) + CELL
IGNORED = np.where(TWO > CELL, IGNORE_LABEL, CELL)
MASKS = {"a-1": CELL.tolist(), "a-2": TWO.tolist(), "b-1": IGNORED.tolist()}


class Facts(MemoryMasks):
    """Images with a pixel of 0.5 x 0.5 mm and a scanner; one case has two."""

    spacing = (0.5, 0.5)

    def of(self, split):
        return [
            replace(s, spacing_mm=self.spacing, columns={"scanner": f"of {s.case}"})
            for s in super().of(split)
        ]


class Square:
    """Predicts the square alone, two columns to the right, with a probability of 0.75."""

    card = CARD

    def __call__(self, image, *, flips=False):
        labels = np.roll(CELL, 2, axis=1).astype(np.int32)
        foreground = np.where(labels == 1, 0.75, 0.25).astype(np.float32)
        return Prediction(labels, np.stack([1 - foreground, foreground], axis=-1))


def evaluation(**options):
    given = EvaluateOptions(examples=0, **options)
    return evaluate_masks(Square(), Facts(MASKS), given)


def test_outlines_are_scored_in_pixels_and_mm():
    details = evaluation().details
    # Moved by 2 px, which is within the tolerance; in a-2, the other cell of one pixel is missed,
    # with four cut corners of 2 ** 0.5 / 2 among 12 + 4 of them and as many of the prediction.
    cut = 2**0.5 / 2
    total = 2 * (12 + 4 * cut)
    surface = details.outlines["surface_dice"]
    np.testing.assert_allclose(surface[:, 1], [1, total / (total + 4 * cut), 1])
    assert np.isnan(surface[:, 0]).all()  # the background
    np.testing.assert_array_equal(details.outlines["hd95_px"][[0, 2], 1], [2, 2])
    np.testing.assert_array_equal(
        details.outlines["hd95_mm"][:, 1], details.outlines["hd95_px"][:, 1] / 2
    )
    # At 0.6 mm, what lies 1 mm away does not agree.
    assert evaluation(tolerance_mm=0.6).details.outlines["surface_dice"][0, 1] < 0.7
    assert evaluation(tolerance_mm=1.0).details.outlines["surface_dice"][0, 1] == 1


def test_a_missed_class_is_as_far_away_as_the_image_is_large():
    three = Labels.create(["background", "cell", "other"])
    masks = {"a-1": [[2] * 4] * 3, "b-1": [[1] * 4] * 3}
    model = AllCell(make_card(labels=three))
    far = evaluate_masks(model, MemoryMasks(masks, three)).details.outlines
    # What is predicted where the truth holds nothing of it, the cell of a-1, is a false alarm.
    np.testing.assert_array_equal(far["hd95_px"][:, 1:], [[np.nan, 5], [0, np.nan]])
    np.testing.assert_array_equal(far["surface_dice"][:, 1:], [[np.nan, 0], [1, np.nan]])


def test_options_that_do_not_fit_are_refused():
    with pytest.raises(ConfigError, match=r"of 3 images, 3 have none, such as a-1.png"):
        evaluate_masks(AllCell(), MemoryMasks(MASKS), EvaluateOptions(tolerance_mm=1.0))
    sized, working = (
        AllCell(make_card(size=(4, 4))),
        EvaluateOptions(tolerance_mm=1, size="working"),
    )
    with pytest.raises(ConfigError, match="in the size of the files"):
        evaluate_masks(sized, Facts(MASKS), working)
    with pytest.raises(ConfigError, match="Their columns: scanner"):
        evaluation(by="age")
    with pytest.raises(ConfigError, match="'cases' or 'images'"):
        evaluation(weigh="pixels")


def test_scores_by_size_and_column_count_cases():
    scores = to_dict(semantic_report(evaluation(by="scanner", size_limits=(4, 100))))
    # One pixel is missed; half of each square is covered, just enough.
    assert scores["sizes"]["small"]["detected"] == 0
    medium = scores["sizes"]["medium"]
    assert (medium["objects"], medium["cases"], medium["detected"]) == (3, 2, 1)
    assert medium["pixel_recall"] == 0.5
    groups = scores["by"]["groups"]
    assert [(name, g["images"], g["cases"]) for name, g in groups.items()] == [
        ("of a", 2, 1),
        ("of b", 1, 1),
    ]
    assert groups["of b"]["foreground_dice"] == 1 / 2


def test_probabilities_are_scored_over_all_pixels_and_along_the_predicted_outline():
    scores = to_dict(semantic_report(evaluation()))
    # Of a-1 and a-2, 100 pixels each, and of b-1 99; 8 + 8 pixels of a square moved are wrong.
    right, pixels = (100 - 16) + (100 - 17) + (99 - 16), 299
    whole = scores["calibration"]["all_pixels"]
    assert whole["pixels"] == pixels
    assert whole["expected_calibration_error"] == pytest.approx(right / pixels - 0.75)
    assert whole["brier"] == pytest.approx(
        2 * (right * 0.25**2 + (pixels - right) * 0.75**2) / pixels
    )
    # Within 3 px of the square: all 10 rows of columns 2 to 9, of b-1 too.
    assert scores["calibration"]["predicted_outline"]["pixels"] == 3 * 80
    curve = scores["thresholds"]["cell"]
    assert curve["dice_at_half"] == curve["best_dice"] == pytest.approx(2 * 24 / (48 + 49))
    assert curve["best_threshold"] == 0.5


def test_files_and_page_hold_them(tmp_path):
    report = semantic_report(evaluation(by="scanner"))
    page = write_report(report, tmp_path)
    assert report.scores["per_class"]["cell"]["missed_images"] == 0
    text = page.read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    for part in ("Surface Dice at 2 px", "HD95, mm", "By scanner", "Objects by size", "Means over"):
        assert part in text, part
    rows = list(csv.DictReader((tmp_path / "cases.csv").read_text().splitlines()))
    assert float(rows[0]["surface_dice cell"]) == float(rows[0]["mean_surface_dice"]) == 1
    assert (rows[0]["hd95_mm cell"], rows[0]["hd95_mm background"]) == ("1.000000", "")
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["image_wise"]["per_class"]["cell"]["hd95_px"] >= 2
    assert scores["outlines"]["tolerance_px"] == 2
    curves = list(csv.DictReader((tmp_path / "thresholds.csv").read_text().splitlines()))
    assert len(curves) == 100
    assert [table.title for table in terminal_tables(report)][1:] == ["By scanner"]


def test_cases_or_images_count_once():
    cases, images = (evaluation(weigh=weigh) for weigh in ("cases", "images"))
    values = cases.of_images["surface_dice"][:, 1]
    assert cases.image_wise["surface_dice"][1] == pytest.approx((values[:2].mean() + values[2]) / 2)
    assert images.image_wise["surface_dice"][1] == pytest.approx(values.mean())


def test_folds_are_pooled_as_if_scored_at_once():
    whole = evaluation().details
    parts = [
        evaluate_masks(Square(), Facts(dict(list(MASKS.items())[cut])), EvaluateOptions()).details
        for cut in (slice(2), slice(2, None))
    ]
    pooled = pool_details(parts)
    np.testing.assert_array_equal(pooled.objects.true, whole.objects.true)
    np.testing.assert_array_equal(pooled.outlines["assd_mm"], whole.outlines["assd_mm"])
