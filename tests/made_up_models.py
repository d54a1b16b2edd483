"""Models that are plain functions of brightness, and images on which each predicts something."""

import io

import cv2
import numpy as np
import tifffile
from PIL import Image

from maskwright.export.listing import write_listing, written_digest
from maskwright.inference.predictor import Predictor
from maskwright.instances import Instances
from maskwright.labels import Labels
from maskwright.model_card import (
    CARD_FILE,
    InstanceCard,
    MultilabelCard,
    RegionCard,
    SemanticCard,
)
from maskwright.serving import ModelRegistry
from maskwright.tasks.instances import InstancePredictor
from maskwright.tasks.instances import serving as instances
from maskwright.tasks.instances.learning.targets import distances
from maskwright.tasks.multilabel import serving as multilabel
from maskwright.tasks.regions import serving as regions
from maskwright.tasks.regions.classifier import Classifier
from maskwright.tasks.semantic import serving as semantic

CARD = {"channels": 3, "dtype": "uint8", "model_sha256": "", "version": "", "data": ""}
TWO = ("background", "cell")
THREE = ("background", "cell", "nucleus")


# Networks of masks: float32 images (b, h, w, c) to logits.


def brightness(images):
    """One logit: positive where the first channel is above 100."""
    return (images[..., :1] - 100) / 50


def smooth_logits(number):
    """A brightness for each class, at which it is most probable; two classes have one logit."""

    def logits(images):
        gray = [cv2.GaussianBlur(image.mean(axis=-1), (0, 0), 2) for image in images]
        smooth = np.stack(gray)[..., None]
        if number == 2:
            return (smooth - 128) / 20
        return (-(((smooth - np.linspace(0, 255, number)) / 50) ** 2)).astype(np.float32)

    return logits


def two_logits(images):
    """Logits of nothing and something: even odds at a gray value of 100."""
    odds = (images.mean(axis=-1, dtype=np.float32) - 100) / 40
    return np.stack([np.zeros_like(odds), odds], axis=-1)


def three_logits(images):
    """Logits of nothing, dull and bright."""
    gray = images.mean(axis=-1, dtype=np.float32)
    return np.stack([(100 - gray) / 20, -abs(gray - 150) / 20 + 2, (gray - 180) / 20], axis=-1)


# Networks of objects.


def boxes_of(found, scores):
    """Outputs of a Mask R-CNN for objects that it detects perfectly."""
    steps = (np.arange(28) + 0.5) / 28
    small = [
        mask[(steps[:, None] * mask.shape[0]).astype(int), (steps * mask.shape[1]).astype(int)]
        for mask in found.masks
    ]
    return {
        "boxes": found.boxes[None].astype(np.float32),
        "scores": np.array(scores, np.float32).reshape(1, -1),
        "labels": np.ones((1, len(found)), np.int32),
        "masks": np.array(small, np.float32).reshape(1, -1, 28, 28),
    }


def detect_squares(images):
    """A Mask R-CNN of squares: each as sure as it is bright; nothing is dark."""
    _, numbers = cv2.connectedComponents((images[0].max(axis=-1) > 50).astype(np.uint8))
    found = Instances.from_ids(numbers)
    scores = [images[0][top, left].max() / 255 for top, left, *_ in found.boxes]
    return boxes_of(found, scores)


def detect_discs(images):
    """A Mask R-CNN of `picture`, surer of what is brighter; two of its objects touch."""
    ids = np.zeros(SIZE, int)
    for number, name in enumerate(DISCS, 1):
        ids[disc(name)] = number
    ids[disc("dull") & (np.arange(SIZE[1]) > DISCS["dull"][1])] = 4
    return boxes_of(Instances.from_ids(ids), [0.9, 0.6, 0.8, 0.7])


def centers(images):
    """A perfect head of centers, of an image whose first channel holds the numbers of objects."""
    maps = []
    for image in images[..., 0]:
        inside = (image > 0) * 20.0 - 10
        maps.append(np.dstack([-inside, inside, *distances(image.astype(int))]))
    return {"logits": np.stack(maps).astype(np.float32)}


# Models: predictors, and the same as the server has them.


def predictor(names=TWO, logits=None, **card):
    card = {"size": None, "tile": 64, "threshold": None, **CARD, **card}
    card = SemanticCard(labels=Labels.create(names), **card)
    return Predictor(logits or smooth_logits(len(names)), card)


LAYERS = ("organ", "tumor", "vessel")


def layered(names=LAYERS, **card):
    """Classes that overlap: a channel shows each, in turn."""
    card = {"size": None, "tile": 64, "threshold": None, **CARD, **card}
    channels = [place % 3 for place in range(len(names))]
    thresholds = tuple((0.5, 0.4, 0.7)[channel] for channel in channels)
    card |= {"labels": Labels.create(names), "thresholds": thresholds}
    return Predictor(lambda images: (images[..., channels] - 100) / 40, MultilabelCard(**card))


def layers_image():
    """A square in each channel, that overlap, and specks, of various brightness."""
    image = np.full((60, 80, 3), 20, np.uint8)
    for channel, (top, left) in enumerate(((10, 10), (20, 22), (30, 16))):
        image[top : top + 20, left : left + 30, channel] = 200
        image[top + 4 : top + 8, left + 4 : left + 16, channel] = 118
        image[50:53, 60 + 4 * channel : 63 + 4 * channel, channel] = 160
    return image


def finder(detect=detect_squares, **card):
    card = {"method": "mask_rcnn", "size": None, "tile": None, **CARD, **card}
    return InstancePredictor(detect, InstanceCard(labels=Labels.create(TWO), **card))


def classifier(middle=150, scale=10, **card):
    """Regions are as likely bright as their mean is above `middle`; a bag is the mean of them."""

    def decide(inputs):
        inside = inputs["masks"]
        sums = (inputs["images"].mean(axis=-1) * inside).sum(axis=(1, 2))
        logits = ((sums / inside.sum(axis=(1, 2)) - middle) / scale).astype(np.float32)[:, None]
        weights = inputs["bags"] / inputs["bags"].sum(axis=1, keepdims=True)
        return {"region_logits": logits, "weights": weights, "logits": weights @ logits}

    usual = {"names": ("dull", "bright"), "unit": "region", "size": 16, "context": 0.1}
    usual |= {"regions": "components", "outside": "kept", "value_range": (0.0, 255.0)}
    return Classifier(decide, RegionCard(**{"measures": (), **usual, **CARD, **card}))


def masks(name, *args, **card):
    return semantic.as_served(name, predictor(*args, **card))


def overlapping(name, *args, **card):
    return multilabel.as_served(name, layered(*args, **card))


def objects(name, *args, **card):
    return instances.as_served(name, finder(*args, **card))


def decisions(name, inner=None, **card):
    return regions.as_served(name, classifier(**card), None if inner is None else inner.segmenter)


def registry(*models):
    opened = ModelRegistry({})
    for model in models:
        opened.add(model)
    return opened


def one_model():
    return registry(masks("cells", TWO, brightness))


def all_tasks():
    cells = masks("cells", TWO, brightness)
    discs = objects("discs", centers, method="centers", channels=1)
    return registry(
        cells, discs, decisions("verdicts", cells), decisions("cases", discs, unit="case")
    )


def page_models():
    names = {"names": ("good", "bad")}
    return registry(
        masks("cells"),
        masks("parts", THREE),
        objects("squares"),
        decisions("lesions", masks(""), **names),
        decisions("marked", objects(""), **names),
        decisions("given", **names),
    )


def write_artifact(folder):
    """An ONNX artifact whose logits are those of `brightness`, written by hand."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    shapes = {name: ["b", "h", "w", channels] for name, channels in (("images", 3), ("logits", 1))}
    images, logits = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in shapes.items()
    )
    weights = {"first": np.array([[1], [0], [0]]) / 50, "dark": np.array([-2.0])}
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["images", "first"], ["scaled"]),
            helper.make_node("Add", ["scaled", "dark"], ["logits"]),
        ],
        "brightness",
        [images],
        [logits],
        [numpy_helper.from_array(v.astype(np.float32), n) for n, v in weights.items()],
    )
    folder.mkdir(parents=True)
    opset = helper.make_opsetid("", 18)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=10), folder / "model.onnx")
    predictor(model_sha256=written_digest(folder)).card.write(folder / CARD_FILE)
    write_listing(folder, format="onnx")
    return folder


# Images, and their files.

SIZE = (96, 128)
DISCS = {"bright": (30, 30, 12, 220), "dull": (60, 90, 15, 150), "tiny": (15, 100, 2, 200)}
"""Row, column, radius and gray value of what is in `picture`; the first has a hole of 9 pixels."""


def disc(name):
    row, column, radius, _ = DISCS[name]
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    inside = (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
    if name == "bright":
        inside[row - 1 : row + 2, column - 1 : column + 2] = False
    return inside


def picture():
    image = np.full((*SIZE, 3), 30, np.uint8)
    for name, (*_, gray) in DISCS.items():
        image[disc(name)] = gray
    return image


def two_squares():
    """Two bright squares, of 100 and of 16 pixels, on black."""
    image = np.zeros((40, 60, 3), np.uint8)
    image[5:15, 5:15] = 200
    image[20:24, 40:44] = 120
    return image


def squares(shape=(60, 80), bright=(255, 160, 80), side=10, dtype=np.uint8, channels=3):
    """Squares of some brightness on black, side by side."""
    image = np.zeros((*shape, channels), dtype)
    for place, value in enumerate(bright):
        left = 8 + place * (side + 8)
        image[12 : 12 + side, left : left + side] = value * (257 if dtype == np.uint16 else 1)
    return image


def as_file(image, format="PNG"):
    """Content of a file."""
    file = io.BytesIO()
    if image.dtype == np.uint16:
        photometric = "rgb" if image.shape[2] == 3 else "minisblack"
        tifffile.imwrite(file, image, photometric=photometric)
    else:
        Image.fromarray(image.squeeze()).save(file, format)
    return file.getvalue()


def from_file(data):
    return np.array(Image.open(io.BytesIO(data)))
