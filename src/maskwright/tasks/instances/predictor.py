"""From one image to its objects, in its own size, by either kind of head."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from maskwright.data.geometry import cut_image, resize_image
from maskwright.errors import ConfigError, DataError, ModelError
from maskwright.export.engines import ALONE, Threads
from maskwright.inference.predictor import known_pixels, model_pixels, resized_strips
from maskwright.inference.tiling import PAD_MULTIPLE, predict_tiled, starts
from maskwright.instances import Instances, mask_overlaps
from maskwright.model_card import InstanceCard
from maskwright.tasks.instances.open_detector import DetectorFn, load_detector
from maskwright.tasks.instances.watershed import WatershedParams, watershed_instances

_OVERLAP = 0.25  # of neighboring tiles, in which an object that one cuts off is whole in the other
_SAME = 0.5  # share of the smaller of two objects in the other, from which they are one
_MASK = 0.5  # probability from which a pixel belongs to the mask of a detection


class InstancePredictor:
    """A model of single objects and the card that says how to use it.

    Args:
        say: From float32 images `(b, h, w, c)` to `logits` `(b, h, w, classes + 2)` of `"centers"`,
            or what `models.rcnn.mask_rcnn` gives of `"mask_rcnn"`, by name.
        card: Size or tile, and thresholds.
    """

    def __init__(self, say: DetectorFn, card: InstanceCard) -> None:
        self.say = say
        self.card = card

    @classmethod
    def load(cls, path: str | Path, threads: Threads = ALONE) -> "InstancePredictor":
        """Finder from the folder of a run; raises `ModelError` where there is none.

        Args:
            path: Folder of a run, or an exported model.
            threads: Of an engine other than TensorFlow.
        """
        return cls(*load_detector(Path(path), threads))

    def adjusted(self, **changes: Any) -> "InstancePredictor":
        """The same model with other values on its card, where they are not `None`.

        Raises:
            ConfigError: If a value is out of its range.
        """
        if changes.get("tile") is not None and self.card.size is not None:
            height, width = self.card.size
            raise ConfigError(
                f"`tile` needs a model that works at the scale of the images; this one resizes "
                f"them to {height}x{width}."
            )
        given = {name: value for name, value in changes.items() if value is not None}
        try:
            return InstancePredictor(self.say, replace(self.card, **given))
        except (ModelError, TypeError) as error:
            raise ConfigError(str(error)) from None

    def __call__(self, image: np.ndarray) -> Instances:
        """Objects of an image `(h, w, c)`, as `read_image` gives it, with scores.

        Raises:
            DataError: If the image cannot be made into what the model takes.
        """
        return self.kept(self.every(image))

    def every(self, image: np.ndarray) -> Instances:
        """Objects of an image with scores down to the least that the model gives."""
        card = self.card
        if card.method == "centers":
            by = WatershedParams(card.foreground, card.marker, card.min_area_px)
            return watershed_instances(*self.maps(image), by)
        return self.detections(image)

    def kept(self, objects: Instances) -> Instances:
        """Those that the card asks for."""
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
            pixels = self._checked(image)
            joined = np.concatenate(list(predict_tiled(self._maps, pixels, self.card.tile)))
        return joined[..., :-2], joined[..., -2], joined[..., -1]

    def detections(self, image: np.ndarray) -> Instances:
        """Objects that a Mask R-CNN detects in an image, in its size, whatever the thresholds."""
        size = image.shape[:2]
        if self.card.size is not None:
            said = self.say(self._working(image)[None])
            return pasted(said, size, self.card.size)
        pixels = self._checked(image)
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
                said = self.say(self._pixels(window[None]))
                found = pasted(said, (side[0], side[1]), (side[0], side[1]))
                parts.append(moved(found, top, left, size))
        return parts[0] if len(parts) == 1 else joined_tiles(parts, size)

    def _maps(self, images: np.ndarray) -> np.ndarray:
        logits = self.say(self._pixels(images))["logits"]
        classes = logits[..., :-2] / self.card.temperature
        classes = np.exp(classes - classes.max(axis=-1, keepdims=True))
        classes /= classes.sum(axis=-1, keepdims=True)
        return np.concatenate([classes, logits[..., -2:].clip(0, 1)], axis=-1)

    def _working(self, image: np.ndarray) -> np.ndarray:
        """Image stretched to the size on the card, float32, as the model takes it."""
        checked = self._checked(image)
        return self._pixels(resize_image(checked, self.card.size or checked.shape[:2])[None])[0]

    def _checked(self, image: np.ndarray) -> np.ndarray:
        if image.ndim != 3 or 0 in image.shape:
            raise DataError(
                f"Expected an image of shape (height, width, channels), received {image.shape}."
            )
        return known_pixels(image)

    def _pixels(self, images: np.ndarray) -> np.ndarray:
        return model_pixels(images, self.card.channels, self.card.dtype)


def pasted(
    said: Mapping[str, np.ndarray], size: tuple[int, int], working: tuple[int, int]
) -> Instances:
    """Objects of one image from what a Mask R-CNN gives for it.

    Masks are stretched to their boxes bilinearly, and cut at a probability of 0.5.

    Args:
        said: `boxes` `(1, n, 4)`, `scores`, `labels` `(1, n)`, `masks` `(1, n, s, s)`.
        size: Height and width of the image that objects are wanted in.
        working: Of the image that the model was given.
    """
    scale = np.array([size[0] / working[0], size[1] / working[1]] * 2)
    some = said["scores"][0] > 0
    boxes = said["boxes"][0][some] * scale
    corners, masks, kept = [], [], []
    for place, (box, drawn) in enumerate(zip(boxes, said["masks"][0][some], strict=True)):
        top, left = np.floor(box[:2]).astype(int).clip(0)
        bottom, right = np.minimum(np.ceil(box[2:]).astype(int), size)
        if bottom <= top or right <= left:
            continue
        # Middles of pixels in cells of the small mask, whose own middles lie at halves.
        rows, columns = (
            (np.arange(first, last) + 0.5 - low) / max(high - low, 1e-6) * side - 0.5
            for first, last, low, high, side in (
                (top, bottom, box[0], box[2], drawn.shape[0]),
                (left, right, box[1], box[3], drawn.shape[1]),
            )
        )
        x, y = np.meshgrid(columns.astype(np.float32), rows.astype(np.float32))
        large = cv2.remap(drawn, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        inside = large >= _MASK
        tall, wide = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        if not tall.size:
            continue
        masks.append(inside[tall[0] : tall[-1] + 1, wide[0] : wide[-1] + 1])
        corners.append((top + tall[0], left + wide[0], top + tall[-1] + 1, left + wide[-1] + 1))
        kept.append(place)
    return Instances(
        size,
        said["labels"][0][some][kept].astype(np.int32),
        np.array(corners, np.int32).reshape(-1, 4),
        tuple(masks),
        np.zeros(len(kept), bool),
        said["scores"][0][some][kept].astype(np.float32),
    )


def moved(objects: Instances, top: int, left: int, size: tuple[int, int]) -> Instances:
    """Objects of a window as objects of the whole image; what lies beyond it is cut off."""
    shift = np.array([top, left, top, left])
    whole = replace(objects, size=size, boxes=objects.boxes + shift)
    limits = np.array([*size, *size])
    if (whole.boxes <= limits).all():
        return replace(whole, boxes=whole.boxes.astype(np.int32))
    boxes = np.minimum(whole.boxes, limits).astype(np.int32)
    masks = tuple(
        mask[: b - t, : r - l_]
        for mask, (t, l_, b, r) in zip(whole.masks, boxes.tolist(), strict=True)
    )
    cut = replace(whole, boxes=boxes, masks=masks)
    return cut.at_least()


def joined_tiles(parts: list[Instances], size: tuple[int, int]) -> Instances:
    """Objects of overlapping tiles as those of one image, each once.

    Of two of a class, from different tiles, of which the smaller lies in the other by half, the
    larger stays: the smaller is what a tile has cut off, or the same again.
    """
    everything = Instances(
        size,
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.boxes for part in parts]),
        tuple(mask for part in parts for mask in part.masks),
        np.concatenate([part.crowd for part in parts]),
        np.concatenate([part.scores for part in parts]),
    )
    tile = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    areas = everything.areas
    shared = mask_overlaps(everything, everything)
    smaller = np.minimum(areas[:, None], areas[None])
    same = (shared > _SAME * smaller) & (tile[:, None] != tile[None])
    same &= everything.labels[:, None] == everything.labels[None]
    kept = np.ones(len(everything), bool)
    for place in np.argsort(-areas, kind="stable"):
        if kept[place]:
            kept[same[place] & (areas <= areas[place])] = False
            kept[place] = True
    return everything.take(kept)
