import contextlib
import io

import cv2
import numpy as np
import pytest

from maskwright.data import open_dataset
from maskwright.instances import Instances
from maskwright.metrics.coco import coco_scores, pair_boxes, pair_masks
from maskwright.metrics.instances import object_scores, tally_objects
from maskwright.rle import encode_rle


def strip(*spans, labels=None, scores=None, crowd=None, width=20):
    """Objects of one row, each from a first to a last column."""
    masks = []
    for first, last in spans:
        mask = np.zeros((1, width), bool)
        mask[0, first : last + 1] = True
        masks.append(mask)
    return Instances.from_masks(masks, (1, width), labels, scores=scores, crowd=crowd)


def test_found_false_and_missed_objects_are_counted_at_each_overlap():
    true = strip((0, 9), (12, 15))
    found = strip((0, 7), (18, 19))
    tally = tally_objects(found, true, 2)
    # 8 of 10 pixels: an IoU of 0.8, which is above 0.75 but not above 0.8.
    assert tally.counts[:, 1].tolist() == [[1, 1, 1]] * 6 + [[0, 2, 2]] * 4
    scores = object_scores([tally])
    assert scores.ap.tolist() == pytest.approx([1 / 3] * 6 + [0] * 4)
    # Found one of two, with one false: 1 / (1 + 0.5 + 0.5), times an IoU of 0.8.
    assert (scores.rq[1], scores.sq[1], scores.pq[1]) == pytest.approx((0.5, 0.8, 0.4))
    # 8 pixels shared; united 10, the 4 that were missed, and the 2 that are false.
    assert scores.aji == pytest.approx(8 / 16)
    assert np.isnan(scores.pq[0])


def test_another_class_is_no_match():
    tally = tally_objects(strip((0, 9), labels=[2]), strip((0, 9), labels=[1]), 3)
    assert tally.counts[0, 1:].tolist() == [[0, 0, 1], [0, 1, 0]]


def test_what_lies_in_a_crowd_does_not_count():
    true = strip((0, 3), (6, 19), crowd=[False, True])
    tally = tally_objects(strip((0, 3), (7, 9)), true, 2)
    assert tally.counts[0, 1].tolist() == [1, 0, 0]
    # Another member of the crowd, which only touches the true object beside it.
    true = strip((0, 6), (6, 19), crowd=[False, True])
    assert tally_objects(strip((0, 6), (6, 12)), true, 2).counts[0, 1].tolist() == [1, 0, 0]


def test_a_pixel_of_several_crowds_is_one_pixel():
    # 3 of 8 pixels lie where nothing is known, which is a crowd of each of four classes.
    hidden = strip((13, 19), width=20).mask(0)
    true = strip((0, 3)).with_crowds(hidden, 4)
    tally = tally_objects(strip((0, 3), (8, 15)), true, 4)
    assert tally.counts[0, 1].tolist() == [1, 1, 0]


def test_as_many_as_possible_are_matched():
    # The first overlaps both, the second only one of them: 6/11 and 6/9 with it, 5/9 without.
    true = strip((0, 8), (3, 11))
    found = strip((1, 9), (0, 5))
    assert tally_objects(found, true, 2).counts[0, 1].tolist() == [2, 0, 0]


def test_an_image_with_nothing_has_no_score():
    nothing = strip()
    empty = tally_objects(nothing, nothing, 2)
    assert np.isnan(object_scores([empty]).ap).all()
    full = tally_objects(strip((0, 3)), strip((0, 3)), 2)
    assert object_scores([empty, full]).ap.tolist() == [1] * 9 + [1]


def test_average_precision_of_a_ranking_worked_out():
    true = strip((0, 4), (10, 14))
    found = strip((0, 4), (6, 8), (10, 14), scores=[0.9, 0.8, 0.7])
    scores = coco_scores([pair_masks(found, true)], 2)
    # Right, wrong, right: precision 1 up to a recall of a half (51 of 101), 2/3 beyond.
    assert scores.ap50 == pytest.approx((51 + 50 * 2 / 3) / 101)
    assert scores.by_class[1] == pytest.approx(scores.ap)
    assert np.isnan(scores.by_size["large"])


def test_boxes_of_another_class_find_nothing():
    pairs = pair_boxes(strip((0, 4), labels=[2]), strip((0, 4), labels=[1]))
    assert coco_scores([pairs], 3).ap == 0


def drawn_scene(rng, size, number, classes):
    """Ellipses of all sizes, some of them crowds, and a guess at each with errors."""
    true, found, labels, guesses, crowd, scores = [], [], [], [], [], []
    for _ in range(number):
        center, axes = rng.uniform(10, size - 10, 2), rng.uniform(3, 70, 2)
        for masks, shift, factor in (
            (true, 0, 1),
            (found, rng.normal(0, 3, 2), rng.uniform(0.8, 1.2)),
        ):
            mask = np.zeros((size, size), np.uint8)
            middle = tuple(int(v) for v in center + shift)
            cv2.ellipse(mask, middle, tuple(int(a * factor) + 1 for a in axes), 30, 0, 360, 1, -1)
            masks.append(mask > 0)
        labels.append(int(rng.integers(classes)))
        guesses.append(labels[-1] if rng.random() < 0.8 else int(rng.integers(classes)))
        crowd.append(rng.random() < 0.1)
        scores.append(round(float(rng.random()), 1))  # with ties
    shape = (size, size)
    return (
        Instances.from_masks(
            found[::2] + found[:4],
            shape,
            guesses[::2] + guesses[:4],
            scores=scores[::2] + scores[-4:],
        ),
        Instances.from_masks(true, shape, labels, crowd=crowd),
    )


def test_coco_scores_are_those_of_pycocotools():
    mask_tools = pytest.importorskip("pycocotools.coco")
    evaluation = pytest.importorskip("pycocotools.cocoeval")
    rng = np.random.default_rng(0)
    scenes = [drawn_scene(rng, 200, 12, 3) for _ in range(8)]
    content = {
        "images": [{"id": i, "height": 200, "width": 200} for i in range(8)],
        "categories": [{"id": label} for label in range(3)],
        "annotations": [],
    }
    results = {"segm": [], "bbox": []}
    for image, (found, true) in enumerate(scenes):
        for place in range(len(true)):
            top, left, bottom, right = true.boxes[place].tolist()
            content["annotations"].append(
                {
                    "id": len(content["annotations"]) + 1,
                    "image_id": image,
                    "category_id": int(true.labels[place]),
                    "iscrowd": int(true.crowd[place]),
                    "area": int(true.areas[place]),
                    "bbox": [left, top, right - left, bottom - top],
                    "segmentation": encode_rle(true.mask(place)),
                }
            )
        for place in range(len(found)):
            top, left, bottom, right = found.boxes[place].tolist()
            said = {"image_id": image, "category_id": int(found.labels[place])}
            said["score"] = float(found.scores[place])
            results["segm"].append({**said, "segmentation": encode_rle(found.mask(place))})
            results["bbox"].append({**said, "bbox": [left, top, right - left, bottom - top]})
    pairs = {
        "segm": [pair_masks(found, true) for found, true in scenes],
        "bbox": [pair_boxes(found, true) for found, true in scenes],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        coco = mask_tools.COCO()
        coco.dataset = content
        coco.createIndex()
    for kind, own in pairs.items():
        with contextlib.redirect_stdout(io.StringIO()):
            theirs = evaluation.COCOeval(coco, coco.loadRes(results[kind]), kind)
            theirs.evaluate()
            theirs.accumulate()
            theirs.summarize()
        ours = coco_scores(own, 3)
        values = (ours.ap, ours.ap50, ours.ap75, *ours.by_size.values())
        assert values == pytest.approx(theirs.stats[:6].tolist(), abs=1e-4)


@pytest.mark.real
def test_a_part_of_coco_scores_as_pycocotools_says(real_data):
    mask_tools = pytest.importorskip("pycocotools.coco")
    evaluation = pytest.importorskip("pycocotools.cocoeval")
    path = real_data / "coco_sample" / "annotations" / "instances.json"
    with contextlib.redirect_stdout(io.StringIO()):
        coco = mask_tools.COCO(str(path))
    dataset = open_dataset(real_data / "coco_sample")
    rng = np.random.default_rng(0)
    kept, boxes = {"segm": [], "bbox": []}, {"segm": [], "bbox": []}
    category = {name["name"]: name["id"] for name in coco.dataset["categories"]}
    for sample in dataset.samples:
        entry = next(i for i in coco.dataset["images"] if i["file_name"] == sample.image.name)
        annotations = coco.imgToAnns[entry["id"]]
        ordered = sorted(annotations, key=lambda a: a["iscrowd"])  # as ours are read
        true = dataset.read_objects(sample)
        assert len(true) == len(ordered)
        for place, annotation in enumerate(ordered):
            wanted = coco.annToMask(annotation).astype(bool)
            np.testing.assert_array_equal(true.mask(place), wanted)
        # Each is moved a little, one in seven is called something else, some come twice.
        masks, labels, scores = [], [], []
        for place in rng.integers(0, len(true), 2 * len(true)) if len(true) else []:
            moved = np.roll(true.mask(place), rng.integers(-6, 7, 2), axis=(0, 1))
            masks.append(moved)
            other = rng.random() < 1 / 7
            labels.append(int(rng.integers(1, 81)) if other else int(true.labels[place]))
            scores.append(round(float(rng.random()), 2))
        found = Instances.from_masks(masks, true.size, labels, scores=scores)
        areas = np.array([a["area"] for a in ordered])
        sides = np.array([a["bbox"] for a in ordered]).reshape(-1, 4)
        corners = np.stack(
            [sides[:, 1], sides[:, 0], sides[:, 1] + sides[:, 3], sides[:, 0] + sides[:, 2]], axis=1
        )
        kept["segm"].append(pair_masks(found, true, areas))
        kept["bbox"].append(pair_boxes(found, true, areas, corners))
        for place in range(len(found)):
            top, left, bottom, right = found.boxes[place].tolist()
            said = {
                "image_id": entry["id"],
                "category_id": category[dataset.labels.names[found.labels[place]]],
                "score": float(found.scores[place]),
            }
            boxes["segm"].append({**said, "segmentation": encode_rle(found.mask(place))})
            boxes["bbox"].append({**said, "bbox": [left, top, right - left, bottom - top]})
    for kind, pairs in kept.items():
        with contextlib.redirect_stdout(io.StringIO()):
            theirs = evaluation.COCOeval(coco, coco.loadRes(boxes[kind]), kind)
            theirs.evaluate()
            theirs.accumulate()
            theirs.summarize()
        ours = coco_scores(pairs, dataset.labels.num_classes)
        values = (ours.ap, ours.ap50, ours.ap75, *ours.by_size.values())
        assert values == pytest.approx(theirs.stats[:6].tolist(), abs=1e-4)
        assert 0.2 < ours.ap50 < 0.95
