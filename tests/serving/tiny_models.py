"""Models of one line each, pictures for them, and an artifact that no training was needed for."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from maskwright.export.listing import write_listing, written_digest
from maskwright.inference.predictor import Predictor
from maskwright.labels import Labels
from maskwright.model_card import CARD_FILE, InstanceCard, RegionCard, SemanticCard
from maskwright.serving import Models, Served
from maskwright.tasks.instances import InstancePredictor
from maskwright.tasks.instances.learning.targets import distances
from maskwright.tasks.regions.classifier import Classifier
from maskwright.tasks.regions.pipeline import Pipeline

LABELS = Labels.create(("background", "cell"))
NAMED = {"dtype": "uint8", "model_sha256": "", "version": "", "data": ""}


def card(**changes):
    usual = {"labels": LABELS, "channels": 3, "size": None, "tile": 64, "threshold": None}
    return SemanticCard(**{**NAMED, **usual, **changes})


def brightness(images):
    """One logit: positive where the first channel is above 100."""
    return (images[..., :1] - 100) / 50


def discs(images):
    """A perfect head of centers, of an image whose first channel holds the numbers of objects."""
    said = []
    for image in images[..., 0]:
        inside = (image > 0) * 20.0 - 10
        said.append(np.dstack([-inside, inside, *distances(image.astype(int))]))
    return {"logits": np.stack(said).astype(np.float32)}


def bright_or_dull(inputs):
    """Decides on regions by the mean of their crops, above 150 or not."""
    logits = (inputs["images"].mean(axis=(1, 2, 3)) - 150) / 10
    bags = inputs["bags"]
    weights = bags / bags.sum(axis=1, keepdims=True)
    return {
        "logits": weights @ logits[:, None],
        "weights": weights,
        "region_logits": logits[:, None],
    }


def finder():
    return InstancePredictor(
        discs,
        InstanceCard(labels=LABELS, method="centers", size=None, tile=None, channels=1, **NAMED),
    )


def classifier(unit="region"):
    return Classifier(
        bright_or_dull,
        RegionCard(
            names=("dull", "bright"),
            unit=unit,
            regions="components",
            channels=3,
            size=8,
            context=0.0,
            outside="removed",
            value_range=(0.0, 255.0),
            measures=(),
            **NAMED,
        ),
    )


def models(**given):
    """Models that answer at once; the usual one is called `cells`."""
    served = Models({})
    given = given or {"cells": Predictor(brightness, card())}
    for name, model in given.items():
        kinds = {Predictor: "segmentation", InstancePredictor: "objects", Pipeline: "regions"}
        served.places[name] = Path("models") / name
        served.add(Served(name, kinds[type(model)], model))
    return served


def every_kind():
    drawing = Predictor(brightness, card())
    return models(
        cells=drawing,
        discs=finder(),
        verdicts=Pipeline(classifier(), drawing),
        cases=Pipeline(classifier("case"), finder()),
    )


def two_squares(size=(40, 60)):
    """Two bright squares, of 100 and of 16 pixels, on black."""
    image = np.zeros((*size, 3), np.uint8)
    image[5:15, 5:15] = 200
    image[20:24, 40:44] = 120
    return image


def packed(image, kind="PNG"):
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind)
    return file.getvalue()


def unpacked(data):
    return np.array(Image.open(io.BytesIO(data)))


def write_artifact(folder):
    """An ONNX artifact whose logits are those of `brightness`, written by hand."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    shapes = {name: ["b", "h", "w", channels] for name, channels in (("images", 3), ("logits", 1))}
    given, said = (
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
        [given],
        [said],
        [numpy_helper.from_array(v.astype(np.float32), n) for n, v in weights.items()],
    )
    folder.mkdir(parents=True)
    opset = helper.make_opsetid("", 18)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=10), folder / "model.onnx")
    card(model_sha256=written_digest(folder)).write(folder / CARD_FILE)
    write_listing(folder, format="onnx")
    return folder
