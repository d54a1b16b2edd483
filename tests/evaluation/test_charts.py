from xml.etree import ElementTree

import numpy as np

from maskwright.evaluation.reports.charts import (
    alone,
    calibration,
    class_histograms,
    histogram,
    lines,
    unit_curves,
)
from maskwright.metrics import calibration_curve


def test_a_histogram_has_a_bar_for_each_twentieth_that_is_not_empty():
    drawn = ElementTree.fromstring(histogram(np.array([0.52, 0.54, 1.0, np.nan]), "<Dice>"))
    bars = [rect for rect in drawn.iter("rect") if rect.get("class") == "bar"]
    assert [bar[0].text for bar in bars] == ["0.50 to 0.55: 2", "0.95 to 1.00: 1"]
    assert "median 0.540" in "".join(drawn.itertext())
    assert histogram(np.array([np.nan]), "Dice").startswith("<svg")


def test_curves_leave_out_what_is_not_there():
    series = {"training": [(1.0, 0.5), (2.0, np.nan)], "validation": []}
    drawn = ElementTree.fromstring(lines(series, "epoch", "Loss"))
    assert len(list(drawn.iter("polyline"))) == 1
    assert lines({"training": [(1.0, np.inf)]}, "epoch", "Loss") == ""


def drawn_as(text: str, kind: str) -> list[ElementTree.Element]:
    return [part for part in ElementTree.fromstring(text).iter() if part.get("class") == kind]


def test_bars_of_two_classes_stand_side_by_side():
    values = {"benign": np.array([0.02, 0.04, 0.52]), "<bad>": np.array([0.51])}
    text = class_histograms(values, "probability", "cases", 0.5)
    first, second = drawn_as(text, "bar c2"), drawn_as(text, "bar c3")
    assert [bar[0].text for bar in first] == ["benign, 0.00 to 0.05: 2", "benign, 0.50 to 0.55: 1"]
    assert second[0][0].text == "<bad>, 0.50 to 0.55: 1"
    start, width = (float(first[1].get(name)) for name in ("x", "width"))
    assert start + width < float(second[0].get("x")) < start + 2 * width


def test_curves_of_the_unit_square_reach_its_corners_and_skip_what_is_undefined():
    series = {"one": [(0, 0), (0, 1), (np.nan, 1), (1, 1)], "none": [(np.nan, np.nan)]}
    rings = [(0.0, 1.0, "here"), (np.nan, np.nan, "nowhere")]
    text = unit_curves(series, ("across", "up"), "ROC", rings=rings)
    assert drawn_as(text, "line c0")[0].get("points") == "56.0,324.0 56.0,24.0 508.0,24.0"
    assert drawn_as(text, "ring c0")[0][0].text == "here"
    assert drawn_as(text, "ring c1") == []
    level = drawn_as(unit_curves({}, ("across", "up"), "PR", chance=0.5), "diagonal")[0]
    assert level.get("y1") == level.get("y2") == "174.0"


def test_a_calibration_curve_says_how_many_samples_are_behind_each_point():
    points = calibration_curve(np.array([0, 1, 1]), np.array([0.11, 0.19, 0.9]))
    text = calibration({"true masks": points}, ("probability", "share"), "cases")
    dots = drawn_as(text, "dot c0")
    assert [dot[0].text for dot in dots] == [
        "2 cases: mean 0.15, positive 50%",
        "1 cases: mean 0.90, positive 100%",
    ]
    assert float(dots[0].get("r")) > float(dots[1].get("r"))
    assert [number.text for number in drawn_as(text, "count c0")] == ["2", "1"]


def test_a_chart_by_itself_brings_its_colors():
    drawn = ElementTree.fromstring(alone(histogram(np.array([0.5]), "Dice")))
    assert drawn.tag == "{http://www.w3.org/2000/svg}svg"
    assert "prefers-color-scheme: dark" in drawn[0].text
