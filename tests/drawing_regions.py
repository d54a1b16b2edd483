"""Drawn data to decide on: discs in the images, bright ones in those of the positive label."""

from pathlib import Path

import numpy as np

from maskwright.imageio import write_image
from maskwright.inference.prediction import Prediction
from maskwright.labels import Labels
from maskwright.model_card import RegionCard, SemanticCard
from maskwright.tasks.regions.case_model import case_model
from maskwright.tasks.regions.classifier import Classifier
from maskwright.tasks.regions.folder import find_masks, plan_cases

QUICK = {
    "positive": "bright",
    "encoder": "plain",
    "encoder_widths": (4, 8),
    "size": 32,
    "batch_size": 8,
    "epochs": 3,
    "variants": 1,
    "previews": 1,
    "augmentation": "light",
}
"""Settings that train a classifier in seconds."""
MEASURES = {"positive": "bright", "pixels": False, "batch_size": 8, "variants": 1, "previews": 0}
"""The same without pixels."""


def disc_image(bright: bool, side: int = 48, discs: int = 1, seed: int = 0):
    """Image uint8 `(side, side, 3)` and labels `(side, side)`: discs side by side, from 1."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side]
    image = rng.uniform(45, 75, (side, side, 3))
    labels = np.zeros((side, side), np.uint8)
    across = side / discs
    for disc in range(discs):
        y = rng.uniform(side * 0.35, side * 0.65)
        inside = np.hypot(rows - y, columns - across * (disc + 0.5)) < across * 0.3
        image[inside] += 130 if bright else 60
        labels[inside] = disc + 1
    return image.astype(np.uint8), labels


def draw_discs(folder: Path, count: int, side: int = 48, discs: int = 1) -> Path:
    """Folders dull/ and bright/ of images, with a mask file for each disc."""
    for number in range(count):
        name = ("dull", "bright")[number % 2]
        image, labels = disc_image(name == "bright", side, discs, seed=number)
        write_image(folder / name / "images" / f"{number}.png", image)
        for disc in range(discs):
            mask = np.uint8(255) * (labels == disc + 1)[..., None]
            file = f"{number}_mask_{disc}.png" if disc else f"{number}_mask.png"
            write_image(folder / name / "mask" / file, mask)
    return folder


_KNOWN = {"channels": 3, "dtype": "uint8", "model_sha256": "", "version": "0", "data": ""}


class Brighter:
    """A segmenter of one line: what is brighter than the ground is a disc."""

    card = SemanticCard(
        labels=Labels.create(["background", "disc"]),
        size=None,
        tile=None,
        threshold=None,
        **_KNOWN,
    )

    def __call__(self, image, *, flips=False):
        return Prediction((image[..., 0] > 95).astype(np.int32))


def by_brightness(unit: str = "image", regions: str = "components") -> Classifier:
    """A classifier that nobody trained: a region is bright above 150, a bag by its mean."""
    card = RegionCard(
        names=("dull", "bright"),
        unit=unit,
        regions=regions,
        size=32,
        context=0.2,
        outside="kept",
        value_range=(0.0, 255.0),
        measures=(),
        **_KNOWN,
    )

    def decide(inputs):
        inside, bags = inputs["masks"][..., None], inputs["bags"]
        means = (inputs["images"] * inside).sum((1, 2, 3)) / (3 * inside.sum((1, 2, 3)))
        alone = ((means - 150) / 10)[:, None].astype(np.float32)
        weights = bags / bags.sum(1, keepdims=True)
        return {"logits": weights @ alone, "weights": weights, "region_logits": alone}

    return Classifier(decide, card)


def plan_pipeline(pipeline, images, out, options):
    """Plan of a folder with a pipeline that is open, without heat maps."""
    segmenter = None if pipeline.segmenter is None else pipeline.segmenter.card.to_json()
    source = find_masks(images, segmenter is not None, options)
    opened = case_model(pipeline, out, options, source)
    return plan_cases(pipeline.classifier.card, segmenter, source, out, options, lambda _: opened)
