"""From one image to its objects, in its own size, by either kind of head of a run or artifact."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Unpack

import numpy as np

from maskwright.data.geometry import cut_image, resize_image
from maskwright.errors import ConfigError, ModelError
from maskwright.export.engines import ALONE, Threads
from maskwright.export.runtime import artifact_function, keras_function, open_model
from maskwright.inference.adjustments import Adjustments, adjusted_card
from maskwright.inference.pixels import checked_image, model_pixels
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

_OUTPUTS: Mapping[InstanceMethod, frozenset[str]] = {
    "centers": frozenset({"logits"}),
    "mask_rcnn": frozenset({"boxes", "scores", "labels", "masks"}),
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
        """Finder from the folder of a run; raises `ModelError` where there is none."""
        opened = open_model(Path(path), InstanceCard, keras_detector, artifact_detector, threads)
        return cls(*opened)

    def adjusted(self, **changes: Unpack[Adjustments]) -> "InstancePredictor":
        """The same model with other values on its card; see `adjusted_instance_card`."""
        return InstancePredictor(self.detector, adjusted_instance_card(self.card, changes))

    def __call__(self, image: np.ndarray, *, flips: Flips = False) -> Prediction:
        """Objects of an image `(h, w, c)`, as `read_image` gives it, with scores.

        Raises:
            DataError: If the image cannot be made into what the model takes.
            ConfigError: If `flips` are requested, which objects do not support.
        """
        if flips:
            raise ConfigError("Objects are predicted without flips; leave them out.")
        objects = self.confident(self.predict_all(image))
        return Prediction(objects.classes(), instances=objects.ids(), objects=objects)

    def predict_all(self, image: np.ndarray) -> Instances:
        """Objects of an image with scores down to the least that the model gives."""
        return self.decide(self.output(image))

    def output(self, image: np.ndarray) -> Output:
        """`maps` or `detections` of an image, as the method of the card is."""
        return self.maps(image) if self.card.method == "centers" else self.detections(image)

    def decide(self, output: Output) -> Instances:
        """Objects from `output`, with scores down to the least that the model gives."""
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
        """What a head of centers says of an image, in its size, whatever the thresholds.

        Returns:
            Probabilities of the classes `(h, w, classes)`, depth and nearness to a center `(h, w)`.
        """
        size = image.shape[:2]
        if self.card.size is not None:
            working = self._working(image)
            joined = np.concatenate(list(resized_strips(self._maps(working[None])[0], size)))
        else:
            pixels = checked_image(image)
            joined = np.concatenate(list(predict_tiled(self._maps, pixels, self.card.tile)))
        return joined[..., :-2], joined[..., -2], joined[..., -1]

    def detections(self, image: np.ndarray) -> Instances:
        """Objects that a Mask R-CNN detects in an image, in its size, whatever the thresholds."""
        size = image.shape[:2]
        if self.card.size is not None:
            outputs = self.detector(self._working(image)[None])
            return paste_detections(outputs, size, self.card.size)
        pixels = checked_image(image)
        tile = self.card.tile or max(size)
        side = [min(-(-length // PAD_MULTIPLE) * PAD_MULTIPLE, tile) for length in size]
        shown = cut_image(pixels, 0, 0, (max(size[0], side[0]), max(size[1], side[1])))
        tops, lefts = (
            starts(length, tall, _OVERLAP)
            for length, tall in zip(shown.shape[:2], side, strict=True)
        )
        parts = []
        for top in tops:
            for left in lefts:
                window = shown[top : top + side[0], left : left + side[1]]
                outputs = self.detector(self._pixels(window[None]))
                objects = paste_detections(outputs, (side[0], side[1]), (side[0], side[1]))
                parts.append(to_image(objects, top, left, size))
        return parts[0] if len(parts) == 1 else join_tiles(parts, size)

    def _maps(self, images: np.ndarray) -> np.ndarray:
        logits = self.detector(self._pixels(images))["logits"]
        classes = logits[..., :-2] / self.card.temperature
        classes = np.exp(classes - classes.max(axis=-1, keepdims=True))
        classes /= classes.sum(axis=-1, keepdims=True)
        return np.concatenate([classes, logits[..., -2:].clip(0, 1)], axis=-1)

    def _working(self, image: np.ndarray) -> np.ndarray:
        """Image stretched to the size on the card, float32, as the model takes it."""
        checked = checked_image(image)
        return self._pixels(resize_image(checked, self.card.size or checked.shape[:2])[None])[0]

    def _pixels(self, images: np.ndarray) -> np.ndarray:
        return model_pixels(images, self.card.channels, self.card.dtype)


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
    """Card with other values, where they are not `None`.

    `threshold` is the foreground probability threshold of pixels, or the least score of a detected
    object, as the method of the card is.

    Raises:
        ConfigError: If a value is out of its range, or has no meaning for objects.
    """
    name = "foreground" if card.method == "centers" else "score"
    named = {name if key == "threshold" else key: value for key, value in changes.items()}
    return adjusted_card(card, named)
