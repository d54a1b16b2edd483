"""From one image to labels in its own size, whatever the size that the model works at."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from maskwright.data.geometry import luminance, resize_channels, resize_image
from maskwright.errors import ConfigError, DataError, ModelError
from maskwright.export.engines import ALONE, Threads
from maskwright.export.logits import activate, load_logits
from maskwright.inference.postprocess import clean
from maskwright.inference.tiling import is_whole, padded, predict_tiled
from maskwright.instances import Instances
from maskwright.model_card import SemanticCard

Flips = bool | Literal["all"]
"""`True` averages the image and its mirror image, `"all"` also both of them upside down."""

_FLIPPED_AXES: dict[Flips, tuple[tuple[int, ...], ...]] = {
    False: ((),),
    True: ((), (2,)),
    "all": ((), (2,), (1,), (1, 2)),
}
_BAND_VALUES = 2**24  # probabilities resized at once: 64 MiB


@dataclass(frozen=True)
class Prediction:
    """What a model makes of one image.

    Args:
        labels: int32 `(h, w)`, in the size of the image, after cleaning.
        probabilities: float32 `(h, w, classes)` before threshold and cleaning, where they were
            asked for: they take four bytes per pixel and class.
        instances: Number of the object of each pixel, int32 `(h, w)`, 0 for none, where the model
            tells objects apart.
        objects: The same objects with their masks, classes and scores; they may overlap.
    """

    labels: np.ndarray
    probabilities: np.ndarray | None = None
    instances: np.ndarray | None = None
    objects: Instances | None = None


class Predictor:
    """A model and the card that says how to use it.

    Args:
        logits: From float32 images `(b, h, w, channels)`, of any size, to float32 logits
            `(b, h, w, classes)`, or `(b, h, w, 1)` with the logit of the second of two classes.
        card: Size or tile, threshold, cleaning and temperature.
    """

    def __init__(self, logits: Callable[[np.ndarray], np.ndarray], card: SemanticCard) -> None:
        self.logits = logits
        self.card = card

    @classmethod
    def load(cls, path: str | Path, threads: Threads = ALONE) -> "Predictor":
        """Predictor from the folder of a run; raises `ModelError` where there is none.

        Args:
            path: Folder of a run, an ensemble or an exported model.
            threads: Of an engine other than TensorFlow.
        """
        return cls(*load_logits(Path(path), threads))

    def adjusted(self, **changes: Any) -> "Predictor":
        """The same model with other values on its card; see `adjusted_card`."""
        return Predictor(self.logits, adjusted_card(self.card, **changes))

    def __call__(
        self,
        image: np.ndarray,
        *,
        flips: Flips = False,
        threshold: float | None = None,
        probabilities: bool = False,
    ) -> Prediction:
        """Labels of one image in its own size.

        Args:
            image: `(h, w, c)` as `read_image` gives it. Gray and RGB are turned into each other, a
                fourth (or second) channel is dropped as alpha where the model has no use for it.
                16 bits are scaled to 8 for a model trained on 8 and the other way round; float
                pixels are taken as they are.
            flips: Flipped copies of the image to average the probabilities of.
            threshold: In place of the one on the card, whose meaning it has.
            probabilities: Whether to keep the probabilities.

        Raises:
            DataError: If the image cannot be made into what the model takes.
        """
        if threshold is not None:
            adjusted = self.adjusted(threshold=threshold)
            return adjusted(image, flips=flips, probabilities=probabilities)
        size = image.shape[:2]
        return self.decide(self.strips(self.working(image), size, flips), size, probabilities)

    def working(self, image: np.ndarray) -> np.ndarray:
        """Image `(h, w, c)` checked and as the model will see it.

        With a `size` on the card it is stretched to that, float32, in the channels and the range
        of the model; without, it stays as it is, and `probabilities` converts tile after tile.
        """
        if image.ndim != 3 or 0 in image.shape:
            raise DataError(
                f"Expected an image of shape (height, width, channels), received {image.shape}."
            )
        image = known_pixels(image)
        if self.card.size is None:
            return image
        return self._pixels(resize_image(image, self.card.size)[None])[0]

    def whole(self, image: np.ndarray) -> np.ndarray | None:
        """Image `(h, w, c)` as `probabilities` takes it in one piece, float32, or `None`.

        With a `size` on the card it is stretched to that; without, it is padded to a size that
        suits the network, and `None` stands for an image that must be cut into tiles.
        """
        working = self.working(image)
        if self.card.size is not None:
            return working
        if not is_whole((image.shape[0], image.shape[1]), self.card.tile):
            return None
        return self._pixels(padded(working, self.card.tile)[None])[0]

    def spread(self, values: np.ndarray, size: tuple[int, int]) -> Iterator[np.ndarray]:
        """As `strips`, from the probabilities of what `whole` gave for an image of `size`."""
        if self.card.size is not None:
            return resized_strips(values, size)
        return iter([values[: size[0], : size[1]]])

    def probabilities(self, images: np.ndarray, flips: Flips = False) -> np.ndarray:
        """Probabilities float32 `(b, h, w, classes)` of images `(b, h, w, c)` as large as they are.

        Nothing is resized or cleaned; channels and range of the pixels may be as in `__call__`.
        """
        if flips not in _FLIPPED_AXES:
            raise ConfigError(f"`flips` must be False, True or 'all'; received {flips!r}.")
        pixels = self._pixels(images)
        shape = images.shape[:3]
        total = activate(self.logits(np.ascontiguousarray(pixels)), shape, self.card)
        _, *turned = _FLIPPED_AXES[flips]
        for axes in turned:
            logits = self.logits(np.ascontiguousarray(np.flip(pixels, axes)))
            total += np.flip(activate(logits, shape, self.card), axes)
        return total / np.float32(len(turned) + 1) if turned else total

    def strips(
        self, working: np.ndarray, size: tuple[int, int], flips: Flips = False
    ) -> Iterator[np.ndarray]:
        """Probabilities `(rows, w, classes)` of an image of `size`, from top to bottom.

        Args:
            working: From `working`.
            size: Height and width of the image itself, px.
            flips: As in `__call__`.
        """
        if self.card.size is not None:
            return resized_strips(self.probabilities(working[None], flips)[0], size)
        return predict_tiled(
            lambda tiles: self.probabilities(tiles, flips), working, self.card.tile
        )

    def decide(
        self, strips: Iterable[np.ndarray], size: tuple[int, int], probabilities: bool = False
    ) -> Prediction:
        """Labels of an image of `size` from its probabilities in strips `(rows, w, classes)`."""
        card = self.card
        labels = np.empty(size, np.uint8)
        kept = np.empty((*size, card.labels.num_classes), np.float32) if probabilities else None
        top = 0
        for strip in strips:
            rows = slice(top, top + len(strip))
            labels[rows] = most_probable(strip, card.threshold, card.background)
            if kept is not None:
                kept[rows] = strip
            top = rows.stop
        cleaned = clean(
            labels, card.min_area_px, card.fill_holes_px, card.keep_largest, card.background
        )
        return Prediction(cleaned.astype(np.int32), kept)

    def _pixels(self, images: np.ndarray) -> np.ndarray:
        return model_pixels(images, self.card.channels, self.card.dtype)


def adjusted_card(
    card: SemanticCard,
    *,
    tile: int | None = None,
    threshold: float | None = None,
    min_area_px: int | None = None,
    fill_holes_px: int | None = None,
    keep_largest: bool | None = None,
) -> SemanticCard:
    """The card with other values, where they are not `None`.

    Raises:
        ConfigError: If a value is out of its range or does not suit the classes.
    """
    if tile is not None and card.size is not None:
        height, width = card.size
        raise ConfigError(
            f"`tile` needs a model that works at the scale of the images; this one resizes "
            f"them to {height}x{width}."
        )
    changes = {
        "tile": tile,
        "threshold": threshold,
        "min_area_px": min_area_px,
        "fill_holes_px": fill_holes_px,
        "keep_largest": keep_largest,
    }
    given: dict[str, Any] = {name: new for name, new in changes.items() if new is not None}
    try:
        return replace(card, **given)
    except ModelError as error:
        raise ConfigError(str(error)) from None


def most_probable(
    probabilities: np.ndarray, threshold: float | None, background: int | None
) -> np.ndarray:
    """Labels uint8 `(h, w)` from probabilities `(h, w, classes)`.

    Args:
        probabilities: In [0, 1].
        threshold: With two classes, probability from which a pixel is foreground, the class that
            is not `background`; with more, probability below which the most probable class is
            too unsure and the pixel is background. `None` takes the most probable class.
        background: Label of the background; only needed with a threshold.
    """
    if threshold is not None and probabilities.shape[-1] == 2 and background is not None:
        foreground = 1 - background
        chosen = probabilities[..., foreground] >= threshold
        return np.where(chosen, np.uint8(foreground), np.uint8(background))
    labels = probabilities.argmax(axis=-1).astype(np.uint8)
    if threshold is not None and background is not None:
        best = reduce(np.maximum, np.moveaxis(probabilities, -1, 0))
        labels[best < threshold] = background
    return labels


def resized_strips(values: np.ndarray, size: tuple[int, int]) -> Iterator[np.ndarray]:
    """Stretch `(h, w, classes)` to `size` bilinearly, in strips of rows from top to bottom.

    The values are those of `cv2.resize` on the whole, with pixel centers at halves, but memory
    stays bounded for many classes in a large image.
    """
    height, width = size
    rows = max(1, _BAND_VALUES // (width * values.shape[2]))
    if rows >= height:
        same = values.shape[:2] == size
        yield values if same else resize_channels(values, size, cv2.INTER_LINEAR)
        return
    centers = (np.arange(height) + 0.5) * (len(values) / height) - 0.5
    centers = centers.clip(0, len(values) - 1).astype(np.float32)
    upper = centers.astype(np.intp)
    lower = np.minimum(upper + 1, len(values) - 1)
    share = (centers - upper)[:, None, None]
    for top in range(0, height, rows):
        part = slice(top, top + rows)
        mixed = values[upper[part]] * (1 - share[part]) + values[lower[part]] * share[part]
        yield resize_channels(mixed, (len(mixed), width), cv2.INTER_LINEAR)


def model_pixels(images: np.ndarray, channels: int, dtype: str) -> np.ndarray:
    """float32 images `(b, h, w, channels)` in the range of `dtype`; see `Predictor.__call__`."""
    kind = images.dtype.name
    pixels: np.ndarray = known_pixels(images).astype(np.float32, copy=False)
    if images.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise DataError("The image holds NaN or infinite pixels; expected finite numbers.")
    if (kind, dtype) == ("uint16", "uint8"):
        pixels = pixels / 257  # 65535 / 255
    elif (kind, dtype) == ("uint8", "uint16"):
        pixels = pixels * 257
    received = pixels.shape[-1]
    if received == channels:
        return pixels
    if channels == 1 and received in (3, 4):
        return luminance(pixels[..., :3])
    if channels in (1, 3) and received in (1, 2):
        return pixels[..., :1].repeat(channels, axis=-1)
    if channels == 3 and received == 4:
        return pixels[..., :3]
    raise DataError(
        f"The model takes images of {channels} channels; this one has {received}, which cannot be "
        f"turned into them."
    )


def known_pixels(images: np.ndarray) -> np.ndarray:
    """The same pixels as uint8, uint16 or float32; `DataError` for other integers."""
    if images.dtype.kind == "f":
        return images.astype(np.float32, copy=False)
    if images.dtype not in (np.uint8, np.uint16):
        raise DataError(f"Expected pixels of uint8, uint16 or float, received {images.dtype}.")
    return images
