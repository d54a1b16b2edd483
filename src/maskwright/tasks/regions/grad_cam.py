"""Grad-CAM heat maps of decisions on regions, as values and as a picture."""

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from maskwright.data.to_rgb import as_picture
from maskwright.errors import ModelError
from maskwright.model_card import RegionCard
from maskwright.tasks.regions import Region
from maskwright.tasks.regions.learning.bags import region_inputs, row

_OUTLINE = (255, 255, 255)
_MAX_OPACITY = 0.75  # of the color where heat is 1, so that the image remains visible


def heat_map(model: Any, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """Evidence for the positive class at each pixel of a region, 0 to 1, float32 `(n, h, w)`.

    Each channel of the finer of the features that a classifier pools is weighted by the mean
    gradient of the logit of the region's bag; the sum, where positive, is resized to the crop, set
    to 0 outside the mask, and divided by its maximum. A region without evidence for the positive
    class is 0 throughout. `inputs` are as in `models.classifiers`, `masks` included.

    Raises:
        ModelError: If the model takes no pixels.

    Source: Selvaraju et al., Grad-CAM, 2017, with the mask, and normalized to 1.
    """
    import keras
    import tensorflow as tf

    feature, cell = _feature(model)
    masks = np.asarray(inputs["masks"]) > 0
    size = (masks.shape[1], masks.shape[2])
    features_and_logits = keras.Model(model.inputs, [feature, model.outputs[0]])
    tensors = {t.name: tf.constant(inputs[t.name], tf.float32) for t in model.inputs}
    with tf.GradientTape() as tape:
        # Without trainable weights, a gradient exists only from a watched tensor on.
        tape.watch(tensors["images"])
        features, logits = features_and_logits(tensors, training=False)
    gradient = tape.gradient(logits, features)
    weights = tf.reduce_mean(gradient, (1, 2), keepdims=True)
    coarse = tf.nn.relu(tf.reduce_sum(features * weights, -1))
    fine = [_enlarge(heat, cell, size) for heat in tf.cast(coarse, tf.float32).numpy()]
    heat = np.stack(fine) * masks
    highest = heat.max((1, 2), keepdims=True)
    return np.divide(heat, highest, out=np.zeros_like(heat), where=highest > 0)


def heat_pictures(model: Any, regions: Sequence[Region], card: RegionCard) -> list[np.ndarray]:
    """Heat map of each region of one bag, drawn on its crop; uint8 RGB `(size, size, 3)`."""
    heats = heat_map(model, region_inputs([regions], card))
    rows = [row(region) for region in regions]
    return [
        draw_heat(as_picture(crop), heat, mask.astype(bool))
        for (crop, mask, _), heat in zip(rows, heats, strict=True)
    ]


def draw_heat(crop: np.ndarray, heat: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Color a crop by heat inside the mask, and outline the mask; uint8 RGB `(h, w, 3)`.

    Opacity grows with heat, 0 to 1, `(h, w)`. The outline lies on the outermost pixels of the mask,
    bool `(h, w)`, so that pixels outside are unchanged.
    """
    inside = np.asarray(mask, bool)
    steps = (np.clip(heat, 0, 1) * 255).round().astype(np.uint8)
    colors = cv2.applyColorMap(steps, cv2.COLORMAP_INFERNO)[..., ::-1]
    opacity = (_MAX_OPACITY * np.clip(heat, 0, 1) * inside)[..., None]
    canvas = (crop * (1 - opacity) + colors * opacity).round().astype(np.uint8)
    kernel = np.ones((3, 3), np.uint8)
    core = cv2.erode(inside.astype(np.uint8), kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    canvas[inside & (core == 0)] = _OUTLINE
    return canvas


def _feature(model: Any) -> tuple[Any, int | None]:
    """Symbolic feature `(n, h, w, c)` of a classifier, and the side of its cells in pixels.

    `None` for a network without padding, whose cells divide the whole crop evenly.
    """
    from maskwright.models import PoolInside

    if pooled := {la.stride: la.input[0] for la in model.layers if isinstance(la, PoolInside)}:
        return pooled[min(pooled)], min(pooled)
    for layer in model.layers:
        if layer.name == "flatten":
            return layer.input, None
    raise ModelError(
        "A classifier on measures alone has no heat map; expected a model that takes pixels."
    )


def _enlarge(coarse: np.ndarray, cell: int | None, size: tuple[int, int]) -> np.ndarray:
    height, width = size
    rows, columns = coarse.shape
    full = (width, height) if cell is None else (columns * cell, rows * cell)
    return cv2.resize(coarse, full, interpolation=cv2.INTER_LINEAR)[:height, :width]
