import numpy as np
import pytest

from maskwright.instances import Instances
from maskwright.metrics.instances import object_scores, tally_objects
from maskwright.objects.panoptic import as_colours, merge, to_coco


def strip(*spans, scores):
    masks = []
    for first, last in spans:
        mask = np.zeros((1, 12), bool)
        mask[0, first : last + 1] = True
        masks.append(mask)
    return Instances.from_masks(masks, (1, 12), [3] * len(masks), scores=scores)


def test_surer_objects_come_first_and_stuff_fills_what_is_free():
    objects = strip((0, 5), (4, 7), (3, 6), (9, 9), scores=[0.9, 0.8, 0.7, 0.4])
    classes = np.array([[1] * 9 + [2] * 3])
    found = merge(objects, classes, {1, 2}, stuff_area_px=2)
    # The second keeps half of its 4 pixels; of the third, 3 of 4 are taken; the last is unsure.
    # Of class 1, one pixel is left, which is too few.
    assert found.ids.tolist() == [[1] * 6 + [2] * 2 + [0] + [3] * 3]
    assert [(s.label, s.is_thing, s.area_px) for s in found.segments] == [
        (3, True, 6),
        (3, True, 2),
        (2, False, 3),
    ]


def test_panoptic_quality_counts_objects_and_stuff_alike():
    classes = np.array([[1] * 6 + [2] * 6])
    true = merge(strip((0, 3), scores=[1]), classes, {1, 2}, stuff_area_px=1).instances()
    found = merge(strip((0, 2), scores=[1]), classes, {1, 2}, stuff_area_px=1).instances()
    scores = object_scores([tally_objects(found, true, 4)])
    # Objects 3/4; class 1 has 2 pixels that are right, of 3 predicted; class 2 is right.
    assert scores.pq[1:] == pytest.approx([2 / 3, 1, 3 / 4])


def test_numbers_become_colours_and_entries():
    assert as_colours(np.array([[1, 256, 65536 + 2]])).tolist() == [
        [[1, 0, 0], [0, 1, 0], [2, 0, 1]]
    ]
    found = merge(strip((0, 3), scores=[0.75]), np.ones((1, 12), int), {1}, stuff_area_px=1)
    entry = to_coco("a.png", 7, found)
    assert entry["segments_info"] == [
        {"id": 1, "category_id": 3, "area": 4, "iscrowd": 0, "score": 0.75},
        {"id": 2, "category_id": 1, "area": 8, "iscrowd": 0},
    ]
