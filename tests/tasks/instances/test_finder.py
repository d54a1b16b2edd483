from dataclasses import replace

import numpy as np
import pytest

from maskwright.errors import ConfigError, DataError
from maskwright.inference.folder_plan import FolderResult
from maskwright.instances import Instances
from maskwright.labels import Labels
from maskwright.model_card import InstanceCard
from maskwright.tasks.instances import InstancePredictor
from maskwright.tasks.instances.detections import (
    paste_detections,
    suppress_objects,
    to_image,
)
from maskwright.tasks.instances.learning.targets import distances
from maskwright.tasks.instances.merging import merge_tiles
from maskwright.tasks.instances.predictor import tile_side, tile_warning
from maskwright.tasks.instances.tables import write_tables
from maskwright.tasks.instances.thresholds import tune_thresholds

LABELS = Labels.create(("background", "cell"))


def card(method, **more):
    usual = {"size": None, "tile": None, "channels": 1, "dtype": "uint8"}
    named = {"model_sha256": "", "version": "", "data": ""}
    return InstanceCard(labels=LABELS, method=method, **{**usual, **named, **more})


def cells(size=(96, 128)):
    """Numbers of a grid of discs that touch left and right."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    numbers = np.zeros(size, int)
    for number, (y, x) in enumerate(
        [(y, x) for y in range(16, size[0], 32) for x in range(10, size[1], 20)], 1
    ):
        numbers[((rows - y) ** 2 + (columns - x) ** 2 <= 100) & (numbers == 0)] = number
    return numbers


def head(images):
    """A perfect head of centers, of an image whose pixels are the numbers of its objects."""
    said = []
    for image in images[..., 0]:
        inside = (image > 0) * 20.0 - 10
        said.append(np.dstack([-inside, inside, *distances(image.astype(int))]))
    return {"logits": np.stack(said).astype(np.float32)}


def detector(images):
    """A perfect Mask R-CNN of such an image, that knows nothing of objects outside of it."""
    true = Instances.from_ids(images[0, ..., 0].astype(int))
    grid = np.linspace(0, 1, 28, endpoint=False) + 0.5 / 28
    masks = [
        mask[(grid[:, None] * mask.shape[0]).astype(int), (grid * mask.shape[1]).astype(int)]
        for mask in true.masks
    ]
    scores = np.append(np.full(len(true), 0.9), 0)[None]  # one that only pads
    return {
        "boxes": np.vstack([true.boxes, [[0, 0, 5, 5]]])[None].astype(np.float32),
        "scores": scores.astype(np.float32),
        "labels": np.ones(scores.shape, np.int32),
        "masks": np.stack([*masks, np.ones((28, 28))])[None].astype(np.float32),
    }


def conditional(images):
    """A perfect CondInst of such an image, which gives each object twice, and once by half."""
    true = Instances.from_ids(images[0, ..., 0].astype(int))
    height, width = true.size
    whole = np.stack([true.mask(place) for place in range(len(true))])
    whole = whole.reshape(-1, height // 4, 4, width // 4, 4).mean(axis=(2, 4))
    upper = whole * (np.cumsum(whole, axis=1) <= 2)
    masks = np.concatenate([whole, whole, upper]).astype(np.float32)
    scores = np.repeat([0.9, 0.8, 0.3], len(true)).astype(np.float32)
    labels = np.ones(len(scores), np.int32)
    pixels = (images[..., :1] > 0).astype(np.float32)
    masks = masks[None] * 0.98 + 0.01
    return {"scores": scores[None], "labels": labels[None], "masks": masks, "pixels": pixels}


@pytest.mark.parametrize(
    ("method", "say"), [("centers", head), ("condinst", conditional), ("mask_rcnn", detector)]
)
@pytest.mark.parametrize("tile", [None, 64])
def test_objects_are_found_whole_or_in_tiles(method, say, tile):
    numbers = cells()
    predictor = InstancePredictor(say, card(method, tile=tile))
    found = predictor(numbers[..., None].astype(np.uint8)).objects
    true = Instances.from_ids(numbers)
    assert len(found) == len(true)
    own = [int(np.bincount(numbers[found.mask(place)]).argmax()) for place in range(len(found))]
    assert sorted(own) == list(range(1, len(true) + 1))
    for place, number in enumerate(own):
        inside, wanted = found.mask(place), numbers == number
        assert (inside & wanted).sum() / (inside | wanted).sum() > 0.85


def test_a_card_with_a_size_stretches_there_and_back():
    numbers = np.kron(cells((64, 64)), np.ones((2, 2), int))
    say = InstancePredictor(head, card("centers", size=(64, 64)))
    # Numbers as pixels do not survive averaging; those of single squares of four do.
    found = say(numbers[..., None].astype(np.uint8)).objects
    assert found.size == (128, 128)
    assert len(found) == numbers.max()


def test_small_masks_are_pasted_into_their_boxes():
    said = {
        "boxes": np.array([[[2, 4, 6, 12]]], np.float32),
        "scores": np.array([[0.5]], np.float32),
        "labels": np.array([[1]]),
        "masks": np.concatenate([np.ones((14, 28)), np.zeros((14, 28))])[None, None],
    }
    said["masks"] = said["masks"].astype(np.float32)
    found = paste_detections(said, (20, 40), (10, 20))
    # Twice as large as what the model saw: rows 4 to 12, of which the upper half is inside.
    assert found.boxes.tolist() == [[4, 8, 8, 24]]
    assert found.masks[0].all()


def test_an_outline_yields_to_each_mask_that_is_more_probable():
    """An object among many is what remains of it beside each of the others alone."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:24, :32]
    centers, radii = rng.uniform(4, 20, (12, 2)), rng.uniform(3, 6, 12)
    distances = [np.hypot(rows - y, columns - x) for y, x in centers]
    masks = np.stack([1 / (1 + np.exp(2 * (d - r))) for d, r in zip(distances, radii, strict=True)])
    outputs = {
        "scores": np.full((1, 12), 0.9, np.float32),
        "labels": np.ones((1, 12), np.int32),
        "masks": masks[None].astype(np.float32),
        "pixels": np.full((1, 48, 64, 1), 0.7, np.float32),
    }

    def pasted(*places):
        some = {n: v if n == "pixels" else v[:, list(places)] for n, v in outputs.items()}
        found = paste_detections(some, (96, 128), (96, 128))
        return [found.mask(place) for place in range(len(places))]

    changed = 0
    for place, mask in enumerate(pasted(*range(12))):
        others = [other for other in range(12) if other != place]
        expected = np.all([pasted(place, other)[0] for other in others], axis=0)
        np.testing.assert_array_equal(mask, expected)
        changed += (pasted(place)[0] != mask).sum()
    assert changed > 0


def test_what_lies_beyond_the_image_is_cut_off():
    square = Instances.from_masks([np.ones((4, 4))], (4, 4), scores=[1])
    assert to_image(square, 3, 2, (5, 9)).boxes.tolist() == [[3, 2, 5, 6]]
    assert len(to_image(square, 5, 2, (5, 9))) == 0


def square(size, rows, columns, score=0.9):
    """One object that fills some rows and columns."""
    mask = np.zeros(size, bool)
    mask[slice(*rows), slice(*columns)] = True
    return Instances.from_masks([mask], size, scores=[score])


def test_an_object_larger_than_every_tile_is_merged_from_its_pieces():
    tiles = [(0, left, 8, left + 12) for left in (0, 6, 12)]
    # It reaches from column 4 to 22 of 24, and each tile sees what lies in it.
    seen = [square((8, 12), (2, 6), (max(4 - t[1], 0), min(22 - t[1], 12))) for t in tiles]
    merged = merge_tiles(seen, tiles, (8, 24), 0.5)
    assert merged.boxes.tolist() == [[2, 4, 6, 22]]
    assert merged.masks[0].all()


def test_an_object_in_two_tiles_is_one_and_neighbors_are_two():
    tiles = [(0, 0, 8, 12), (0, 6, 8, 18)]
    whole, part = square((8, 12), (2, 6), (3, 10), 0.6), square((8, 12), (2, 6), (0, 4), 0.9)
    assert merge_tiles([whole, part], tiles, (8, 18), 0.5).boxes.tolist() == [[2, 3, 6, 10]]
    beside = square((8, 12), (2, 6), (4, 9))
    assert len(merge_tiles([whole, beside], tiles, (8, 18), 0.5)) == 2
    assert len(merge_tiles([whole.take([]), part], tiles, (8, 18), 0.5)) == 1


def test_tiles_that_show_no_object_whole_are_told(tmp_path):
    assert tile_side(card("centers", tile=256), (200, 300)) == 256
    assert tile_side(card("centers", tile=256), (200, 256)) is None
    # Detectors see images of up to 1.8 megapixels whole.
    assert tile_side(card("condinst"), (1000, 1700)) is None
    assert tile_side(card("condinst"), (1100, 1700)) == 1024
    assert tile_side(card("condinst", longer_side=512), (1100, 1700)) is None
    assert tile_warning(card("condinst", object_px=1000)) is None
    assert "tiles of 256 px, smaller than" in tile_warning(card("centers", tile=256, object_px=300))
    image = {"file_name": "a.png", "height": 300, "width": 400}
    found = [{"bbox": [0, 0, 256, 9]}, {"bbox": [0, 9, 255, 9]}]
    record = {"image": image, "annotations": found, "rows": [], "panoptic": None}
    tiled, nothing = card("centers", tile=256), FolderResult((), (), ())
    result = write_tables(tmp_path, tiled, None, nothing, [record])
    assert "1 object as long as a tile or longer, of which no tile" in result.summary()


def test_people_who_stand_close_stay_two_though_their_boxes_overlap():
    # Two diagonal bars share their box; the third is the first again, with a lower score.
    rows, columns = np.mgrid[:20, :20]
    first, second = np.abs(rows - columns) < 4, np.abs(rows - columns) > 9
    objects = Instances.from_masks([first, second, first], (20, 20), scores=[0.9, 0.5, 0.8])
    assert suppress_objects(objects, 0.5).scores.tolist() == pytest.approx([0.9, 0.5])
    assert len(suppress_objects(objects.take([]), 0.5)) == 0


def test_thresholds_are_chosen_where_objects_are_found_best():
    numbers = cells()

    def unsure(images):
        said = head(images)
        said["logits"][..., :2] /= 25  # 0.69 inside, 0.31 outside
        said["logits"][..., 2:] *= 0.5
        return said

    image = numbers[..., None].astype(np.uint8)
    finder = InstancePredictor(unsure, card("centers", foreground=0.3, marker=0.9))
    chosen, worth = tune_thresholds(finder, [(image, Instances.from_ids(numbers))])
    assert worth > 0.9
    assert (chosen.foreground, chosen.score) == (0.4, 0.0)
    assert chosen.marker < 0.5
    stated = replace(finder.card, min_area_px=7)
    same, _ = tune_thresholds(
        InstancePredictor(unsure, stated), [(image, Instances.from_ids(numbers))]
    )
    assert (same.foreground, same.min_area_px) == (0.4, 7)
    nothing = [(image * 0, Instances.from_ids(numbers * 0))]
    assert tune_thresholds(finder, nothing)[0] == finder.card


def test_what_does_not_fit_is_refused():
    finder = InstancePredictor(head, card("centers", size=(64, 64)))
    with pytest.raises(ConfigError, match="resizes them to 64x64"):
        finder.adjusted(tile=32)
    with pytest.raises(ConfigError, match="resizes them to a longer side of 320 px"):
        InstancePredictor(head, card("centers", longer_side=320)).adjusted(tile=32)
    with pytest.raises(ConfigError, match="`score` must be less than 1; received 2"):
        finder.adjusted(score=2)
    with pytest.raises(ConfigError, match="`fill_holes_px` is not a setting of instances"):
        finder.adjusted(fill_holes_px=3)
    with pytest.raises(ConfigError, match="without flips"):
        finder(np.zeros((4, 4, 1), np.uint8), flips=True)
    with pytest.raises(DataError, match=r"shape \(height, width, channels\)"):
        finder(np.zeros((4, 4), np.uint8))
