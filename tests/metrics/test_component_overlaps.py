import numpy as np
import pytest

from maskwright.errors import ConfigError
from maskwright.metrics.components import component_overlaps, size_groups


def test_components_are_detected_from_half_of_their_pixels_on():
    truth = np.array([[1, 1, 0, 0, 1], [0, 0, 0, 1, 0], [0, 0, 0, 0, 0], [1, 1, 1, 0, 0]], bool)
    predicted = np.array([[1, 0, 0, 0, 0], [0] * 5, [0] * 5, [1, 0, 0, 0, 1]], bool)
    overlaps = component_overlaps(truth, predicted)
    # Two pixels, of which one is predicted; two that touch at a corner; three.
    assert overlaps.areas.tolist() == [2, 2, 3]
    assert overlaps.covered.tolist() == [1, 0, 1]
    assert overlaps.detected.tolist() == [True, False, False]
    assert overlaps.false_areas.tolist() == [1]
    nothing = component_overlaps(np.zeros((2, 2), bool), np.zeros((2, 2), bool))
    assert nothing.areas.tolist() == nothing.false_areas.tolist() == []


def test_sizes_are_thirds_or_stated():
    areas = np.array([50, 100, 10, 60, 12, 2000, 9, 9, 9, 9])
    # Thirds of six: 10 and 12, 50 and 60, 100 and 2000; 9 px are specks, and small.
    assert size_groups(areas).tolist() == [1, 2, 0, 1, 0, 2, 0, 0, 0, 0]
    assert size_groups(areas[:6], (60, 1000)).tolist() == [0, 1, 0, 1, 0, 2]
    with pytest.raises(ConfigError, match="two rising areas"):
        size_groups(areas, (9216, 1024))
