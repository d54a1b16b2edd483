from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from maskwright.evaluation.reports import charts
from maskwright.evaluation.reports.svg import standalone
from maskwright.metrics import calibration_curve


def texts(svg: str) -> list[str]:
    """All texts of a chart."""
    return [part.text for part in ElementTree.fromstring(svg).iter() if part.tag.endswith("}text")]


def test_a_histogram_marks_the_median_and_leaves_out_nan():
    svg = charts.histogram(np.array([0.52, 0.54, 1.0, np.nan]), "<Dice> of $x$")
    assert {"median 0.540", "<Dice> of $x$", "images"} <= set(texts(svg))
    assert charts.histogram(np.array([np.nan]), "Dice").startswith("<svg")


def test_the_same_chart_is_the_same_text():
    values = np.linspace(0, 1, 9)
    assert charts.histogram(values, "Dice") == charts.histogram(values, "Dice")


def test_colors_are_those_of_the_page_and_fixed_in_a_file():
    svg = charts.histogram(np.array([0.5]), "Dice")
    assert "var(--accent, #2459c9)" in svg
    assert "var(" not in standalone(svg)
    ElementTree.fromstring(standalone(svg))


def test_training_curves_need_a_finite_point():
    series = {"training": [(1.0, 0.5), (2.0, np.nan)], "validation": []}
    assert texts(charts.training_curves(series, "Loss")).count("training") == 1
    assert charts.training_curves({"training": [(1.0, np.inf)]}, "Loss") == ""


def test_curves_of_the_unit_square_name_what_is_drawn():
    series = {"first": [(0, 0), (0, 1), (np.nan, 1), (1, 1)], "none": [(np.nan, np.nan)]}
    marks = [(0.0, 1.0), (np.nan, np.nan)]
    svg = charts.unit_curves(series, ("recall", "precision"), "PR", marks=marks, chance=0.5)
    assert {"first", "none", "recall", "precision"} <= set(texts(svg))
    assert 'aria-label="PR"' in svg


def test_a_calibration_curve_shows_how_many_samples_each_point_stands_for():
    points = calibration_curve(np.array([0, 1, 1]), np.array([0.11, 0.19, 0.9]))
    shown = texts(charts.calibration({"true masks": points}, ("probability", "share")))
    # Two samples in the second tenth, one in the last.
    assert (shown.count("2"), shown.count("1")) == (1, 1)


def test_histograms_of_two_classes_name_both():
    values = {"benign": np.array([0.02, 0.04, 0.52]), "<bad>": np.array([0.51])}
    assert {"benign", "<bad>"} <= set(texts(charts.class_histograms(values, "p", "cases", 0.5)))


@pytest.mark.parametrize(("num_classes", "numbers"), [(2, True), (70, False)])
def test_a_confusion_matrix_is_drawn_for_few_and_many_classes(num_classes, numbers, tmp_path):
    names = [f"class {label}" for label in range(num_classes)]
    svg = charts.confusion(np.eye(num_classes, dtype=int), names, tmp_path / "confusion.png")
    assert ("100%" in texts(svg)) == numbers
    with Image.open(tmp_path / "confusion.png") as picture:
        assert min(picture.size) > 300
