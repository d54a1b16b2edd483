"""Models that are plain functions of brightness, and a server of them."""

import io
import time
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import tifffile
from fastapi.testclient import TestClient
from PIL import Image

from maskwright.inference.predictor import Predictor
from maskwright.labels import Labels
from maskwright.model_card import InstanceCard, RegionCard, SemanticCard
from maskwright.serving.jobs.models import Models, Served
from maskwright.serving.routes.app import create_app
from maskwright.tasks.instances import InstancePredictor
from maskwright.tasks.regions.classifier import Classifier
from maskwright.tasks.regions.pipeline import Pipeline

UNKNOWN = {"model_sha256": "", "version": "", "data": ""}
TWO = ("background", "cell")
THREE = ("background", "cell", "nucleus")


def smooth(images):
    """Mean brightness, blurred a little, `(b, h, w)` of images in the range of 8 bits."""
    return np.stack([cv2.GaussianBlur(one.mean(axis=-1), (0, 0), 2) for one in images])


def one_logit(images):
    return ((smooth(images) - 128) / 20)[..., None]


def some_logits(number):
    """Each class has a brightness of its own, at which it is most probable."""

    def logits(images):
        middles = np.linspace(0, 255, number)
        return (-(((smooth(images)[..., None] - middles) / 50) ** 2)).astype(np.float32)

    return logits


def predictor(names=TWO, logits=None, **changes):
    logits = logits or (one_logit if len(names) == 2 else some_logits(len(names)))
    values = {"size": None, "tile": 64, "threshold": None, "channels": 3, "dtype": "uint8"}
    return Predictor(
        logits, SemanticCard(labels=Labels.create(names), **UNKNOWN, **{**values, **changes})
    )


def detector(images):
    """What a Mask R-CNN says of squares: each as sure as it is bright; nothing is dark."""
    _, numbers = cv2.connectedComponents((images[0].max(axis=-1) > 50).astype(np.uint8))
    found = range(1, numbers.max() + 1)
    places = [np.argwhere(numbers == number) for number in found]
    scores = [images[0][tuple(place[0])].max() / 255 for place in places]
    boxes = [[*place.min(axis=0), *(place.max(axis=0) + 1)] for place in places]
    return {
        "boxes": np.array(boxes, np.float32).reshape(1, -1, 4),
        "scores": np.array(scores, np.float32)[None],
        "labels": np.ones((1, len(boxes)), np.int32),
        "masks": np.ones((1, len(boxes), 28, 28), np.float32),
    }


def finder(**changes):
    values = {"size": None, "tile": None, "channels": 3, "dtype": "uint8", "score": 0.5}
    own = {**values, **changes}
    card = InstanceCard(labels=Labels.create(TWO), method="mask_rcnn", **UNKNOWN, **own)
    return InstancePredictor(detector, card)


def by_brightness(inputs):
    """Regions are bad as far as they are bright; a bag is as bad as its mean."""
    inside = inputs["masks"]
    sums = (inputs["images"].mean(axis=-1) * inside).sum(axis=(1, 2))
    regions = (sums / inside.sum(axis=(1, 2)) - 150) / 10
    weights = inputs["bags"] / inputs["bags"].sum(axis=1, keepdims=True)
    return {
        "region_logits": regions[:, None],
        "weights": weights,
        "logits": (weights @ regions)[:, None],
    }


def pipeline(segmenter):
    card = RegionCard(
        names=("good", "bad"),
        unit="region",
        regions="components",
        size=16,
        context=0.2,
        outside="kept",
        value_range=(0.0, 255.0),
        measures=(),
        min_area_px=1,
        min_predicted_px=1,
        full_scale=None,
        threshold=0.5,
        channels=3,
        dtype="uint8",
        **UNKNOWN,
    )
    return Pipeline(Classifier(by_brightness, card), segmenter)


def served(*models):
    """Models of a server."""
    opened = Models({one.name: Path("models") / one.name for one in models})
    for one in models:
        opened.add(one)
    return opened


def usual_models():
    return served(
        Served("cells", "segmentation", predictor()),
        Served("parts", "segmentation", predictor(THREE)),
        Served("squares", "objects", finder()),
        Served("lesions", "regions", pipeline(predictor())),
        Served("marked", "regions", pipeline(finder())),
        Served("given", "regions", pipeline(None)),
    )


@contextmanager
def client_of(models, **options):
    app = create_app(models, on_message=lambda _: None, **options)
    with TestClient(app, base_url="http://localhost") as client:
        yield client


def squares(shape=(60, 80), bright=(255, 160, 80), side=10, dtype=np.uint8, channels=3):
    """Squares of some brightness on black, side by side."""
    image = np.zeros((*shape, channels), dtype)
    for place, value in enumerate(bright):
        left = 8 + place * (side + 8)
        image[12 : 12 + side, left : left + side] = value * (257 if dtype == np.uint16 else 1)
    return image


def as_file(image, kind="PNG"):
    """Content of a file."""
    file = io.BytesIO()
    if kind == "TIFF":
        tifffile.imwrite(file, image, photometric="rgb" if image.shape[2] == 3 else "minisblack")
    else:
        Image.fromarray(image.squeeze()).save(file, kind)
    return file.getvalue()


def send(client, model, image, name="cells.png", kind="PNG"):
    """State of an image that was sent."""
    content = image if isinstance(image, bytes) else as_file(image, kind)
    answer = client.post(f"/api/images?model={model}", files={"image": (name, content)})
    assert answer.status_code == 202, answer.text
    return answer.json()


def finished(client, state):
    """State when the model has done, or has failed."""
    ends = time.monotonic() + 20
    while state["status"] not in ("done", "failed"):
        assert time.monotonic() < ends, state
        state = client.get(f"/api/images/{state['id']}?wait=5").json()
    return state


def planes_of(client, state):
    """Evidence by name."""
    data = client.get(f"/api/images/{state['id']}/evidence").content
    size = state["grid"]["height"], state["grid"]["width"]
    planes, first = {}, 0
    for name in state["planes"]:
        kind = np.dtype("<u2" if name == "objects" else "u1")
        count = size[0] * size[1]
        planes[name] = np.frombuffer(data, kind, count, first).reshape(size)
        first += count * kind.itemsize
    assert first == len(data)
    return planes
