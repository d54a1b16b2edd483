import numpy as np
import pytest

from maskwright.instances import Instances
from maskwright.tasks.instances import WatershedParams, watershed_instances
from maskwright.tasks.instances.learning.targets import distances
from maskwright.tasks.instances.watershed import flood


def maps_of(numbers):
    """Maps of a perfect head for numbered objects, all of class 1."""
    inside = (numbers > 0).astype(np.float32)
    return np.dstack([1 - inside, inside]), *distances(numbers)


def discs(size=60):
    """Two discs that touch, one that is cut off by the border, and one that stands alone."""
    rows, columns = np.mgrid[:size, :size]
    numbers = np.zeros((size, size), int)
    for number, (y, x, r) in enumerate([(20, 15, 9), (20, 32, 9), (0, 50, 8), (48, 40, 7)], 1):
        numbers[((rows - y) ** 2 + (columns - x) ** 2 < r**2) & (numbers == 0)] = number
    return numbers


def test_touching_objects_are_separated():
    numbers = discs()
    found = watershed_instances(*maps_of(numbers), WatershedParams(0.5, 0.5))
    true = Instances.from_ids(numbers)
    assert len(found) == 4
    order = [int(numbers[found.mask(place)].max()) - 1 for place in range(4)]
    for place, own in enumerate(order):
        shared = (found.mask(place) & true.mask(own)).sum()
        assert shared / true.areas[own] > 0.98
    assert found.scores == pytest.approx([1] * 4)


def test_a_component_without_a_seed_is_one_object():
    probabilities, depth, center = maps_of(discs())
    found = watershed_instances(probabilities, depth * 0, center * 0, WatershedParams(0.5, 0.5))
    assert len(found) == 3  # those that touch are one


def test_small_objects_are_removed_and_the_others_renumbered():
    found = watershed_instances(*maps_of(discs()), WatershedParams(0.5, 0.5, min_area_px=200))
    assert len(found) == 2
    assert (found.areas >= 200).all()


def test_an_object_has_the_class_of_most_of_its_probability():
    numbers = np.zeros((10, 10), int)
    numbers[2:8, 2:8] = 1
    probabilities = np.zeros((10, 10, 3), np.float32)
    probabilities[..., 0] = numbers == 0
    probabilities[2:8, 2:8, 1] = 0.4
    probabilities[2:8, 2:8, 2] = 0.5
    probabilities[2:8, 2:8, 0] = 0.1
    found = watershed_instances(probabilities, *distances(numbers), WatershedParams(0.5, 0.5))
    assert (found.labels.tolist(), found.scores.tolist()) == ([2], pytest.approx([0.9]))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_nothing_and_everything(share):
    probabilities = np.full((16, 24, 2), share, np.float32)
    probabilities[..., 0] = 1 - share
    found = watershed_instances(
        probabilities, *np.zeros((2, 16, 24), np.float32), WatershedParams()
    )
    assert len(found) == share


def test_objects_grow_downhill_until_they_meet():
    mask = np.ones((3, 7), bool)
    seeds = np.zeros((3, 7), bool)
    seeds[1, [1, 5]] = True
    depth = np.tile([1, 3, 2, 1, 0, 3, 1], (3, 1)).astype(np.float32)
    ids = flood(mask, seeds, depth)
    # The valley is in column 4: it goes to one side or the other.
    assert ids[1, :4].tolist() == [1] * 4
    assert ids[1, 5:].tolist() == [2] * 2
