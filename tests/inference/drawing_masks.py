"""Small models and images, whose masks are known: what is above 100 is a cell."""

import numpy as np
from PIL import Image

from maskwright.inference.folder import run_plan
from maskwright.inference.folder_plan import FolderOptions
from maskwright.inference.predictor import Predictor
from maskwright.labels import Labels
from maskwright.model_card import SemanticCard
from maskwright.tasks.semantic.folder import plan_predictor


def brightness(images):
    """One logit: positive where the image is above 100."""
    return images.mean(axis=-1, keepdims=True) - 100


def card(size=(8, 8), **changes):
    labels = Labels.create(["background", "cell"])
    facts = {"channels": 3, "dtype": "uint8", "tile": 64, "threshold": None}
    facts["symmetries"] = ("horizontal_flip",)
    unknown = {"model_sha256": "", "version": "", "data": ""}
    return SemanticCard(labels=labels, size=size, **{**facts, **unknown, **changes})


def predictor(size=(8, 8), logits=brightness, **changes):
    return Predictor(logits, card(size, **changes))


def draw(path, size=(8, 6), bright=1, mode="RGB"):
    """Image of `size`, width and height; its left `bright` columns are white."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((size[1], size[0]), np.uint8)
    pixels[:, :bright] = 255
    Image.fromarray(pixels).convert(mode).save(path)


def predict_folder(model, images, out, overlays=False, **options):
    """Folder predicted with an open predictor."""
    asked = FolderOptions(overlays=overlays, **options)
    return run_plan(plan_predictor(model, images, out, asked), out, asked)
