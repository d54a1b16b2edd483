"""Masks of classes that overlap as PNG, TIFF, COCO JSON and GeoJSON."""

import io
import json

import numpy as np
from PIL import Image

from maskwright.instances import Instances
from maskwright.labels import Labels, layer_values
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
        return "application/json", layers_coco(name, layers, labels)
    if output == "polygons":
        return "application/json", polygons(layers, labels, None)
    if shown is not None:
        return "image/png", layer_png(layers[..., class_place(labels, shown)])
    first, *others = (Image.fromarray(layer_values(layer)) for layer in np.moveaxis(layers, -1, 0))
    file = io.BytesIO()
    first.save(file, "TIFF", save_all=True, append_images=others, compression="tiff_adobe_deflate")
    return "image/tiff", file.getvalue()


def layer_png(layer: np.ndarray) -> bytes:
    """PNG of a layer `(h, w)`, as `layer_values`."""
    return as_png(Image.fromarray(layer_values(layer)))


def layers_coco(name: str, layers: np.ndarray, labels: Labels) -> bytes:
    """COCO JSON of one image: an annotation for each component of each class."""
    masks, classes = [], []
    for label, layer in enumerate(np.moveaxis(layers, -1, 0)):
        components = mask_components(layer, 0)
        masks += [components.mask(place) for place in range(len(components))]
        classes += [label] * len(components)
    objects = Instances.from_masks(masks, layers.shape[:2], classes)
    return json.dumps(to_coco([(name, objects)], labels, None)).encode()
