"""From one image to its objects, in its own size, by either kind of head of a run or artifact."""

from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path
from typing import Unpack

import numpy as np

from maskwright.data.geometry import cut_image, resize_image
from maskwright.errors import ConfigError, ModelError
from maskwright.export.engines import ALONE, Threads
from maskwright.export.runtime import artifact_function, keras_function, open_model
from maskwright.inference.adjustments import Adjustments, adjusted_card
from maskwright.inference.pixels import checked_image, fit_range, model_pixels
from maskwright.inference.predictor import Flips, Prediction
from maskwright.inference.tiling import PAD_MULTIPLE, predict_tiled, resized_strips, starts
from maskwright.instances import Instances
from maskwright.model_card import InstanceCard
from maskwright.tasks.instances.detections import join_tiles, paste_detections, to_image
from maskwright.tasks.instances.watershed import WatershedParams, watershed_instances
from maskwright.types import Format, InstanceMethod

_OVERLAP = 0.25  # of neighboring tiles, in which an object that one cuts off is whole in the other

DetectorFn = Callable[[np.ndarray], dict[str, np.ndarray]]
"""From images `(b, h, w, c)` to the outputs of a network by name; see `InstancePredictor`."""

keras_detector = keras_function
"""Function of a Keras model of objects, for images of any size."""

_OUTPUTS: Mapping[InstanceMethod, set[str]] = {
    "centers": {"logits"},
    "mask_rcnn": {"boxes", "scores", "labels", "masks"},
}

Output = tuple[np.ndarray, np.ndarray, np.ndarray] | Instances
"""From `InstancePredictor.maps` or `InstancePredictor.detections`."""


class InstancePredictor:
    """A model of single objects and the card that says how to use it.

    Args:
        detector: From float32 images `(b, h, w, c)` to `logits` `(b, h, w, classes + 2)` for the
            method `"centers"`, or to the outputs of `models.rcnn.mask_rcnn`, by name.
    """

    def __init__(self, detector: DetectorFn, card: InstanceCard) -> None:
        self.detector = detector
        self.card = card

    @classmethod
    def load(cls, path: str | Path, threads: Threads = ALONE) -> "InstancePredictor":
        """A run or an exported model; raises `ModelError` where there is none."""
        return cls(
            *open_model(Path(path), InstanceCard, keras_detector, artifact_detector, threads)
        )

    def adjusted(self, **changes: Unpack[Adjustments]) -> "InstancePredictor":
        """The same model with other values on its card; see `adjusted_instance_card`."""
        return InstancePredictor(self.detector, adjusted_instance_card(self.card, changes))

    def __call__(self, image: np.ndarray, *, flips: Flips = False) -> Prediction:
        """Objects of an image `(h, w, c)`, as `read_image` gives it, with scores.

        Raises `DataError` if the model cannot take the image, `ConfigError` for `flips`, which
        objects do not support.
        """
        if flips:
            raise ConfigError("Objects are predicted without flips; leave them out.")
        objects = self.confident(self.predict_all(checked_image(image)))
        return Prediction(objects.classes(), instances=objects.ids(), objects=objects)

    def predict_all(self, image: np.ndarray) -> Instances:
        """Objects of an image, whatever their scores."""
        return self.decide(self.output(image))

    def output(self, image: np.ndarray) -> Output:
        """`maps` or `detections` of an image, as the method of the card is."""
        image = fit_range(image, self.card)
        return self.maps(image) if self.card.method == "centers" else self.detections(image)

    def decide(self, output: Output) -> Instances:
        """Objects from `output`, whatever their scores."""
        if isinstance(output, Instances):
            return output
        card = self.card
        return watershed_instances(
            *output, WatershedParams(card.foreground, card.marker, card.min_area_px)
        )

    def confident(self, objects: Instances) -> Instances:
        """Objects with the score and the area that the card requires."""
        return objects.at_least(self.card.score, max(self.card.min_area_px, 1))

    def maps(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Class probabilities `(h, w, classes)`, depth and nearness to a center `(h, w)`."""
        if self.card.size is not None:
            maps = self._maps(self._working(image))[0]
            strips = resized_strips(maps, image.shape[:2])
        else:
            strips = predict_tiled(self._maps, checked_image(image), self.card.tile)
        joined = np.concatenate(list(strips))
        return joined[..., :-2], joined[..., -2], joined[..., -1]

    def detections(self, image: np.ndarray) -> Instances:
        """Objects that a Mask R-CNN detects in an image, in its size, whatever the thresholds."""
        size = image.shape[:2]
        if self.card.size is not None:
            return paste_detections(self.detector(self._working(image)), size, self.card.size)
        pixels = checked_image(image)
        tile = self.card.tile or max(size)
        side = [min(-(-length // PAD_MULTIPLE) * PAD_MULTIPLE, tile) for length in size]
        shown = cut_image(pixels, 0, 0, (max(size[0], side[0]), max(size[1], side[1])))
        tops, lefts = (
            starts(length, tall, _OVERLAP)
            for length, tall in zip(shown.shape[:2], side, strict=True)
        )
        parts = []
        for top, left in product(tops, lefts):
            window = shown[top : top + side[0], left : left + side[1]]
            outputs = self.detector(self._pixels(window[None]))
            objects = paste_detections(outputs, window.shape[:2], window.shape[:2])
            parts.append(to_image(objects, top, left, size))
        return parts[0] if len(parts) == 1 else join_tiles(parts, size)

    def _maps(self, images: np.ndarray) -> np.ndarray:
        logits = self.detector(self._pixels(images))["logits"]
        classes = logits[..., :-2] / self.card.temperature
        classes = np.exp(classes - classes.max(axis=-1, keepdims=True))
        classes /= classes.sum(axis=-1, keepdims=True)
        return np.concatenate([classes, logits[..., -2:].clip(0, 1)], axis=-1)

    def _working(self, image: np.ndarray) -> np.ndarray:
        """A batch of the image, stretched to the size on the card, as the model takes it."""
        checked = checked_image(image)
        return self._pixels(resize_image(checked, self.card.size or checked.shape[:2])[None])

    def _pixels(self, images: np.ndarray) -> np.ndarray:
        return model_pixels(images, self.card)


def artifact_detector(
    folder: Path, engine: Format, card: InstanceCard, threads: Threads = ALONE
) -> DetectorFn:
    """The network of an artifact, in its engine, with the output names that its method has.

    Raises `ModelError` in the first call, if the network has other outputs.
    """
    run = artifact_function(folder, engine, threads)
    expected = _OUTPUTS[card.method]

    def detect(images: np.ndarray) -> dict[str, np.ndarray]:
        outputs = run(images)
        if len(outputs) == len(expected) == 1:
            return dict(zip(expected, outputs.values(), strict=True))
        if outputs.keys() != expected:
            raise ModelError(
                f"The network in {folder} gives {', '.join(sorted(outputs))}; one of {card.method} "
                f"gives {', '.join(sorted(expected))}: export the model again."
            )
        return outputs

    return detect


def adjusted_instance_card(card: InstanceCard, changes: Adjustments) -> InstanceCard:
    """Card with other values, where they are not `None`; raises as `adjusted_card`.

    `threshold` is the foreground probability threshold of pixels, or the minimum score of a
    detected object, as the method of the card is.
    """
    name = "foreground" if card.method == "centers" else "score"
    named = {name if key == "threshold" else key: value for key, value in changes.items()}
    return adjusted_card(card, named)
