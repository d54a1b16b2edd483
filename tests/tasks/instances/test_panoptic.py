import json
from dataclasses import replace

import numpy as np
import pytest

from maskwright.errors import ConfigError
from maskwright.imageio import read_image, write_image
from maskwright.inference.folder import run_plan
from maskwright.inference.folder_plan import FolderOptions
from maskwright.inference.prediction import Prediction
from maskwright.inference.predictor import Predictor
from maskwright.instances import Instances
from maskwright.labels import Labels
from maskwright.metrics.instances import object_scores, tally_objects
from maskwright.model_card import InstanceCard, SemanticCard
from maskwright.tasks.instances import InstancePredictor
from maskwright.tasks.instances.folder import plan_models
from maskwright.tasks.instances.panoptic import Merger, as_colors, merge, segments_info


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
    assert segments_info(found) == [
        {"id": 1, "category_id": 3, "area": 4, "iscrowd": 0, "score": 0.75},
        {"id": 2, "category_id": 1, "area": 8, "iscrowd": 0},
    ]


CLASSES = Labels.create(["background", "sky", "car", "road"])


CLASSES_OF_PIXELS = np.tile(np.repeat([1, 3], 6), (1, 1))
"""Sky in the left half and road in the right one."""


def merger(classes=CLASSES):
    return Merger(Labels.create(["background", "car"]), classes, background=0)


def test_classes_without_objects_follow_those_of_the_objects():
    merge_with = merger()
    assert [(c["id"], c["name"], c["isthing"]) for c in merge_with.categories()] == [
        (1, "car", 1),
        (2, "sky", 0),
        (3, "road", 0),
    ]
    merged = merge_with(strip((4, 7), scores=[0.1]), CLASSES_OF_PIXELS)
    assert merged.ids.tolist() == [[2] * 4 + [1] * 4 + [3] * 4]
    assert [segment.label for segment in merged.segments] == [3, 2, 3]
    with pytest.raises(ConfigError, match="classes beside those of the objects, car; it has"):
        merger(Labels.create(["background", "car"]))


def test_a_folder_gets_panoptic_files(tmp_path):
    for name in ("x", "y"):
        write_image(tmp_path / "in" / "a" / f"{name}.png", np.zeros((1, 12, 3), np.uint8))
    facts = {"size": None, "tile": None, "channels": 3, "dtype": "uint8"}
    named = {"model_sha256": "", "version": "", "data": ""}
    things = Labels.create(["background", "car"])
    predictor = OneCar(
        lambda _: {}, InstanceCard(labels=things, method="centers", **facts, **named)
    )
    semantic = SkyAndRoad(
        lambda _: None, SemanticCard(labels=CLASSES, threshold=None, **facts, **named)
    )
    out, options = tmp_path / "out", FolderOptions()
    plan = plan_models(predictor, semantic, tmp_path / "in", out, options)
    assert run_plan(plan, out, options).objects == 2
    assert read_image(out / "panoptic" / "a" / "x.png")[..., 0].max() == 3
    text = (out / "panoptic.json").read_text()
    written = json.loads(text)
    entry = written["annotations"][1]
    assert entry["file_name"] == "a/y.png"
    assert entry["image_id"] == written["images"][1]["id"] == 2
    assert [segment["category_id"] for segment in entry["segments_info"]] == [1, 2, 3]
    assert len(written["categories"]) == 3
    # What is skipped keeps its place in the tables.
    (out / "a" / "x.png").unlink()
    again = run_plan(plan, out, options)
    assert (len(again.written), len(again.skipped), again.objects) == (1, 1, 2)
    assert (out / "panoptic.json").read_text() == text


class OneCar(InstancePredictor):
    """Finds the same car in every image."""

    def output(self, image):
        return replace(strip((4, 7), scores=[0.6]), labels=np.array([1]))


class SkyAndRoad(Predictor):
    """Sees the same classes in every image."""

    def __call__(self, image, **_):
        return Prediction(CLASSES_OF_PIXELS)
