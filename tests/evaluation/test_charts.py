from xml.etree import ElementTree

import numpy as np

from maskwright.evaluation.charts import histogram, lines


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
