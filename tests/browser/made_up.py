"""Models made by hand, and an image on which each has something to find."""

from pathlib import Path

import numpy as np

from maskwright.inference import Predictor
from maskwright.instances import Instances
from maskwright.labels import Labels
from maskwright.model_card import InstanceCard, RegionCard, SemanticCard
from maskwright.serving.jobs.models import Models, Served
from maskwright.tasks.instances import InstancePredictor
from maskwright.tasks.regions.classifier import Classifier
from maskwright.tasks.regions.pipeline import Pipeline

FROM = {"channels": 3, "dtype": "uint8", "model_sha256": "", "version": "", "data": ""}
SIZE = (96, 128)
BACK = 30  # of pixels that are nothing
DISCS = {"bright": (30, 30, 12, 220), "dull": (60, 90, 15, 150), "tiny": (15, 100, 2, 200)}
"""Row, column, radius and gray value of what is in `picture`; the first has a hole of 9 pixels."""


def disc(name: str) -> np.ndarray:
    row, column, radius, _ = DISCS[name]
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    inside = (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
    if name == "bright":
        inside[row - 1 : row + 2, column - 1 : column + 2] = False
    return inside


def picture() -> np.ndarray:
    image = np.full((*SIZE, 3), BACK, np.uint8)
    for name, (*_, gray) in DISCS.items():
        image[disc(name)] = gray
    return image


def brightness(images: np.ndarray) -> np.ndarray:
    """Logits of nothing and something: even odds at a gray value of 100."""
    odds = (images.mean(axis=-1, dtype=np.float32) - 100) / 40
    return np.stack([np.zeros_like(odds), odds], axis=-1)


def three(images: np.ndarray) -> np.ndarray:
    """Logits of nothing, dull and bright."""
    gray = images.mean(axis=-1, dtype=np.float32)
    return np.stack([(100 - gray) / 20, -abs(gray - 150) / 20 + 2, (gray - 180) / 20], axis=-1)


def one_each(images: np.ndarray) -> dict[str, np.ndarray]:
    """A perfect Mask R-CNN of `picture`, surer of what is brighter; two of its objects touch."""
    assert images.shape[1:3] == SIZE
    ids = np.zeros(SIZE, int)
    for number, name in enumerate(DISCS, 1):
        ids[disc(name)] = number
    ids[disc("dull") & (np.arange(SIZE[1]) > DISCS["dull"][1])] = 4
    found = Instances.from_ids(ids)
    steps = (np.arange(28) + 0.5) / 28
    small = [
        mask[(steps[:, None] * mask.shape[0]).astype(int), (steps * mask.shape[1]).astype(int)]
        for mask in found.masks
    ]
    return {
        "boxes": found.boxes[None].astype(np.float32),
        "scores": np.array([[0.9, 0.6, 0.8, 0.7]], np.float32),
        "labels": np.ones((1, 4), np.int32),
        "masks": np.stack(small)[None].astype(np.float32),
    }


def by_brightness(given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A classifier: the brighter a region, the likelier."""
    inside = given["masks"][..., None]
    gray = (given["images"] * inside).sum(axis=(1, 2, 3)) / (3 * inside.sum(axis=(1, 2, 3)))
    logits = ((gray - 170) / 20)[:, None].astype(np.float32)
    weights = given["bags"] / given["bags"].sum(axis=1, keepdims=True)
    return {"logits": weights @ logits, "weights": weights, "region_logits": logits}


CELL = Labels.create(("background", "cell"))
MASKS = Predictor(
    brightness, SemanticCard(labels=CELL, size=None, tile=None, threshold=None, **FROM)
)
COLORS = Predictor(
    three,
    SemanticCard(
        labels=Labels.create(("background", "dull", "bright")),
        size=None,
        tile=None,
        threshold=0.6,
        min_area_px=20,
        **FROM,
    ),
)
OBJECTS = InstancePredictor(
    one_each, InstanceCard(labels=CELL, method="mask_rcnn", size=None, tile=None, **FROM)
)
ANSWERS = RegionCard(
    names=("benign", "malignant"),
    unit="image",
    regions="components",
    size=32,
    context=0.1,
    outside="kept",
    value_range=(0.0, 255.0),
    measures=(),
    **FROM,
)
REGIONS = Pipeline(Classifier(by_brightness, ANSWERS), MASKS)


def made_up_models(runs: dict[str, Path] | None = None) -> Models:
    """All of them, and folders of runs beside them."""
    made = [
        Served("masks", "segmentation", MASKS),
        Served("colors", "segmentation", COLORS),
        Served("objects", "objects", OBJECTS),
        Served("regions", "regions", REGIONS),
    ]
    models = Models({served.name: Path() for served in made} | (runs or {}))
    for served in made:
        models.add(served)
    return models
