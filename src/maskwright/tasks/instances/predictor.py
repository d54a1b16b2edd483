"""From one image to its objects, in its own size, by either kind of head of a run or artifact."""

from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path
from typing import Unpack

import numpy as np

from maskwright.data.geometry import cut_image, longer_side_size, resize_image
from maskwright.errors import ConfigError, ModelError
from maskwright.export.engines import ALONE, Threads
from maskwright.export.runtime import artifact_function, keras_function, open_model
from maskwright.inference.adjustments import Adjustments, adjusted_card
from maskwright.inference.pixels import checked_image, fit_range, model_pixels
from maskwright.inference.prediction import Prediction
from maskwright.inference.predictor import Flips
from maskwright.inference.tiling import PAD_MULTIPLE, predict_tiled, resized_strips, starts
from maskwright.instances import Instances
from maskwright.model_card import InstanceCard
from maskwright.tasks.instances.detections import (
    best_candidates,
    paste_detections,
    suppress_objects,
    to_image,
)
from maskwright.tasks.instances.merging import merge_tiles
from maskwright.tasks.instances.watershed import WatershedParams, watershed_instances
from maskwright.types import Format, InstanceMethod

_OVERLAP = 0.25  # least share of neighboring tiles
_MARGIN = 1.1  # by which the overlap of tiles exceeds the largest objects of training
_MOST_OVERLAP = 0.6
_WHOLE_PX = 1536 * 1152  # of an image that goes through a detector as it is; larger ones are tiled
_TILE_PX = 1024

DetectorFn = Callable[[np.ndarray], dict[str, np.ndarray]]
"""From images `(b, h, w, c)` to the outputs of a network by name; see `InstancePredictor`."""

keras_detector = keras_function
"""Function of a Keras model of objects, for images of any size."""

_OUTPUTS: Mapping[InstanceMethod, set[str]] = {
    "centers": {"logits"},
    "condinst": {"scores", "labels", "masks", "pixels"},
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
        return Prediction(objects.classes(), None, objects.ids(), objects, image, self.card.labels)

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
        if self.card.size is not None or self.card.longer_side is not None:
            maps = self._maps(self._working(image))[0]
            strips = resized_strips(maps, image.shape[:2])
        else:
            strips = predict_tiled(self._maps, checked_image(image), self.card.tile)
        joined = np.concatenate(list(strips))
        return joined[..., :-2], joined[..., -2], joined[..., -1]

    def detections(self, image: np.ndarray) -> Instances:
        """Objects that a detector sees in an image, in its size, whatever the thresholds.

        An image goes through the network as a whole where it fits the memory, or has the working
        size of the card; larger ones are divided into tiles that share more than the largest
        objects of training, and what they divided is merged, see `merge_tiles`.
        """
        size = image.shape[:2]
        if self.card.size is not None or self.card.longer_side is not None:
            shown = self._working(image)
            return self._objects(shown, size, shown.shape[1:3])
        pixels = checked_image(image)
        tile = tile_side(self.card, size) or max(size)
        side = [min(-(-length // PAD_MULTIPLE) * PAD_MULTIPLE, tile) for length in size]
        shown = cut_image(
            pixels, 0, 0, (max(size[0], side[0]), max(size[1], side[1])), reflect=False
        )
        wanted = _MARGIN * (self.card.object_px or 0) / tile
        overlap = min(max(wanted, _OVERLAP), _MOST_OVERLAP)
        tops, lefts = (
            starts(length, tall, overlap)
            for length, tall in zip(shown.shape[:2], side, strict=True)
        )
        parts, tiles = [], []
        for top, left in product(tops, lefts):
            window = shown[top : top + side[0], left : left + side[1]]
            window_size = window.shape[:2]
            parts.append(self._objects(self._pixels(window[None]), window_size, window_size))
            tiles.append((top, left, top + window_size[0], left + window_size[1]))
        if len(parts) == 1:
            return to_image(parts[0], 0, 0, size)
        return merge_tiles(parts, tiles, size, self.card.mask_iou)

    def _objects(
        self, images: np.ndarray, size: tuple[int, int], working: tuple[int, int]
    ) -> Instances:
        """Objects of one image `(1, h, w, c)` as the model takes it, in `size`."""
        outputs = self.detector(images)
        if self.card.method == "condinst":
            return paste_detections(best_candidates(outputs, self.card.mask_iou), size, working)
        return suppress_objects(paste_detections(outputs, size, working), self.card.mask_iou)

    def _maps(self, images: np.ndarray) -> np.ndarray:
        logits = self.detector(self._pixels(images))["logits"]
        classes = logits[..., :-2] / self.card.temperature
        classes = np.exp(classes - classes.max(axis=-1, keepdims=True))
        classes /= classes.sum(axis=-1, keepdims=True)
        return np.concatenate([classes, logits[..., -2:].clip(0, 1)], axis=-1)

    def _working(self, image: np.ndarray) -> np.ndarray:
        """A batch of the image, resized as the card says, as the model takes it."""
        checked = checked_image(image)
        size = self.card.size or checked.shape[:2]
        if self.card.longer_side is not None:
            size = longer_side_size(size, self.card.longer_side)
        return self._pixels(resize_image(checked, size)[None])

    def _pixels(self, images: np.ndarray) -> np.ndarray:
        return model_pixels(images, self.card)


def tile_side(card: InstanceCard, size: tuple[int, int]) -> int | None:
    """Side of the tiles that divide an image of `size`, px; `None` where it is predicted whole."""
    if card.size is not None or card.longer_side is not None:
        return None
    tile = card.tile
    if tile is None and card.method != "centers" and size[0] * size[1] > _WHOLE_PX:
        tile = _TILE_PX
    return tile if tile is not None and max(size) > tile else None


def tile_warning(card: InstanceCard) -> str | None:
    """What to say of tiles that are smaller than the largest objects of training; or `None`."""
    tile = tile_side(card, (2**16, 2**16))
    if tile is None or card.object_px is None or card.object_px <= tile:
        return None
    return (
        f"Large images are predicted in tiles of {tile:,} px, smaller than the largest objects of "
        f"training, {card.object_px:,} px: such objects may come out in pieces. Predict with a "
        f"larger --tile, or train with longer_side."
    )


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
    if changes.get("tile") is not None and card.longer_side is not None:
        raise ConfigError(
            f"`tile` needs a model that works at the scale of the images; this one resizes them to "
            f"a longer side of {card.longer_side} px."
        )
    name = "foreground" if card.method == "centers" else "score"
    named = {name if key == "threshold" else key: value for key, value in changes.items()}
    return adjusted_card(card, named)
