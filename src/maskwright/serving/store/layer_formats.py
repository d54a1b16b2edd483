"""Masks of classes that overlap as PNG, TIFF, COCO JSON and GeoJSON."""

import io
import json

import numpy as np
from PIL import Image

from maskwright.instances import Instances
from maskwright.labels import IGNORE_LABEL, Labels
from maskwright.serving.store.mask_formats import as_png, class_place, mask_components, polygons
from maskwright.tasks.instances.tables import to_coco


def encode_layers(
    name: str, layers: np.ndarray, output: str, labels: Labels, shown: str | None
) -> tuple[str, bytes]:
    """Media type and file of layers `(h, w, classes)`, as `/predict` answers an `output`.

    `labels` are a TIFF with a page for each class, 255 in its pixels, or a PNG of the class
    `shown`; `DataError` if there is no such class.
    """
    if output == "coco":
        return "application/json", json.dumps(_coco(name, layers, labels)).encode()
    if output == "polygons":
        return "application/json", json.dumps(_polygons(layers, labels)).encode()
    if shown is not None:
        return "image/png", as_png(_picture(layers[..., class_place(labels, shown)]))
    first, *others = (_picture(layer) for layer in np.moveaxis(layers, -1, 0))
    file = io.BytesIO()
    first.save(file, "TIFF", save_all=True, append_images=others, compression="tiff_adobe_deflate")
    return "image/tiff", file.getvalue()


def _picture(layer: np.ndarray) -> Image.Image:
    return Image.fromarray(np.where(layer == 1, 255, 0).astype(np.uint8))


def _coco(name: str, layers: np.ndarray, labels: Labels) -> object:
    """Annotations of the components of each class."""
    masks, classes = [], []
    for label, layer in enumerate(np.moveaxis(layers, -1, 0)):
        components = mask_components(layer, 0)
        masks += [components.mask(place) for place in range(len(components))]
        classes += [label] * len(components)
    return to_coco([(name, Instances.from_masks(masks, layers.shape[:2], classes))], labels, None)


def _polygons(layers: np.ndarray, labels: Labels) -> dict[str, object]:
    """Features of the components of each class."""
    features = []
    for label, layer in enumerate(np.moveaxis(layers, -1, 0)):
        alone = np.where(layer == 1, label, IGNORE_LABEL)
        features += json.loads(polygons(alone, labels, None))["features"]
    return {"type": "FeatureCollection", "features": features}
