import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from maskwright.errors import ConfigError
from maskwright.imageio import read_image, write_image
from maskwright.inference.predictor import Prediction
from maskwright.instances import Instances
from maskwright.labels import Labels
from maskwright.metrics.instances import object_scores, tally_objects
from maskwright.tasks.instances.folder import find_in_folder
from maskwright.tasks.instances.panoptic import Merger, as_colors, merge, to_coco


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


def test_numbers_become_colors_and_entries():
    assert as_colors(np.array([[1, 256, 65536 + 2]])).tolist() == [
        [[1, 0, 0], [0, 1, 0], [2, 0, 1]]
    ]
    found = merge(strip((0, 3), scores=[0.75]), np.ones((1, 12), int), {1}, stuff_area_px=1)
    entry = to_coco("a.png", 7, found)
    assert entry["segments_info"] == [
        {"id": 1, "category_id": 3, "area": 4, "iscrowd": 0, "score": 0.75},
        {"id": 2, "category_id": 1, "area": 8, "iscrowd": 0},
    ]


CLASSES = Labels.create(["background", "sky", "car", "road"])


def merger(classes=CLASSES):
    """Draws sky in the left half and road in the right one."""

    def draw(image):
        width = image.shape[1]
        return Prediction(np.tile(np.repeat([1, 3], width // 2), (len(image), 1)))

    return Merger(Labels.create(["background", "car"]), draw, classes, background=0)


def test_classes_without_objects_follow_those_of_the_objects():
    one = merger()
    assert [(c["id"], c["name"], c["isthing"]) for c in one.categories()] == [
        (1, "car", 1),
        (2, "sky", 0),
        (3, "road", 0),
    ]
    found = one(np.zeros((1, 12, 3), np.uint8), strip((4, 7), scores=[0.1]))
    assert found.ids.tolist() == [[2] * 4 + [1] * 4 + [3] * 4]
    assert [segment.label for segment in found.segments] == [3, 2, 3]
    with pytest.raises(ConfigError, match="classes beside those of the objects, car; it has"):
        merger(Labels.create(["background", "car"]))


def test_a_folder_gets_panoptic_files(tmp_path):
    write_image(tmp_path / "in" / "a" / "x.png", np.zeros((1, 12, 3), np.uint8))

    class Finder:
        card = SimpleNamespace(labels=Labels.create(["background", "car"]))

        def __call__(self, image):
            return replace(strip((4, 7), scores=[0.6]), labels=np.array([1]))

    find_in_folder(Finder(), tmp_path / "in", tmp_path / "out", merger=merger())
    assert read_image(tmp_path / "out" / "panoptic" / "a" / "x.png")[..., 0].max() == 3
    written = json.loads((tmp_path / "out" / "panoptic.json").read_text())
    (entry,) = written["annotations"]
    assert entry["file_name"] == "a/x.png"
    assert entry["image_id"] == written["images"][0]["id"]
    assert [one["category_id"] for one in entry["segments_info"]] == [1, 2, 3]
    assert len(written["categories"]) == 3
