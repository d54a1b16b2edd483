import numpy as np
import pytest

from maskwright.errors import ConfigError, DataError
from maskwright.instances import Instances
from maskwright.labels import Labels
from maskwright.model_card import InstanceCard
from maskwright.tasks.instances import InstancePredictor
from maskwright.tasks.instances.detections import join_tiles, paste_detections, to_image
from maskwright.tasks.instances.learning.targets import distances
from maskwright.tasks.instances.training import tune_thresholds

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


@pytest.mark.parametrize(("method", "say"), [("centers", head), ("mask_rcnn", detector)])
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


def test_what_lies_beyond_the_image_is_cut_off():
    square = Instances.from_masks([np.ones((4, 4))], (4, 4), scores=[1])
    assert to_image(square, 3, 2, (5, 9)).boxes.tolist() == [[3, 2, 5, 6]]
    assert len(to_image(square, 5, 2, (5, 9))) == 0


def test_an_object_in_two_tiles_stays_once_and_touching_ones_both():
    whole = Instances.from_masks([np.pad(np.ones((4, 6)), ((0, 0), (0, 6)))], (4, 12), scores=[0.6])
    part = Instances.from_masks([np.pad(np.ones((4, 2)), ((0, 0), (4, 6)))], (4, 12), scores=[0.9])
    beside = Instances.from_masks([np.pad(np.ones((4, 4)), ((0, 0), (5, 3)))], (4, 12), scores=[1])
    assert join_tiles([whole, part], (4, 12)).boxes.tolist() == [[0, 0, 4, 6]]
    assert len(join_tiles([whole, beside], (4, 12))) == 2


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
    nothing = [(image * 0, Instances.from_ids(numbers * 0))]
    assert tune_thresholds(finder, nothing)[0] == finder.card


def test_what_does_not_fit_is_refused():
    finder = InstancePredictor(head, card("centers", size=(64, 64)))
    with pytest.raises(ConfigError, match="resizes them to 64x64"):
        finder.adjusted(tile=32)
    with pytest.raises(ConfigError, match="`score` must be less than 1; received 2"):
        finder.adjusted(score=2)
    with pytest.raises(ConfigError, match="`fill_holes_px` is not a setting of instances"):
        finder.adjusted(fill_holes_px=3)
    with pytest.raises(ConfigError, match="without flips"):
        finder(np.zeros((4, 4, 1), np.uint8), flips=True)
    with pytest.raises(DataError, match=r"shape \(height, width, channels\)"):
        finder(np.zeros((4, 4), np.uint8))
