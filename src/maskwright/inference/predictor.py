"""From one image to labels in its own size, whatever the size that the model works at."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial, reduce
from pathlib import Path
from typing import Any, Literal, Protocol, Self, Unpack

import numpy as np

from maskwright.data.geometry import resize_image
from maskwright.errors import ConfigError
from maskwright.export.engines import ALONE, Threads
from maskwright.export.runtime import activate, load_logits
from maskwright.inference.adjustments import Adjustments, adjusted_card
from maskwright.inference.pixels import checked_image, fit_range, model_pixels
from maskwright.inference.postprocess import clean, clean_layers, cleaning_of
from maskwright.inference.prediction import Prediction
from maskwright.inference.tiling import is_whole, padded, predict_tiled, resized_strips
from maskwright.model_card import ModelCard, SemanticCard

Flips = bool | Literal["all"]
"""`True` averages the image and its mirror image, `"all"` also both of them upside down."""

_FLIPPED_AXES: dict[Flips, tuple[tuple[int, ...], ...]] = {
    False: ((),),
    True: ((), (2,)),
    "all": ((), (2,), (1,), (1, 2)),
}


def check_flips(card: ModelCard, flips: Flips) -> None:
    """Raise `ConfigError` for flips that do not exist, or that a model was not trained with."""
    if not isinstance(flips, bool | str) or flips not in _FLIPPED_AXES:
        raise ConfigError(f"`flips` must be False, True or 'all'; received {flips!r}.")
    wanted = {False: (), True: ("horizontal",), "all": ("horizontal", "vertical")}[flips]
    if missing := [name for name in wanted if f"{name}_flip" not in card.symmetries]:
        settings = " and ".join(f"augmentation.flip_{name}=0.5" for name in missing)
        raise ConfigError(
            f"The model was trained without {' and '.join(missing)} flips, so that predictions of "
            f"flipped images would be wrong; leave out the flips, or train with {settings}."
        )


class Segmenter(Protocol):
    """A model that predicts masks, whatever its task."""

    @property
    def card(self) -> Any:
        """Model card, with `labels` and `background`."""

    def __call__(self, image: np.ndarray, *, flips: Flips = False) -> Prediction:
        """Prediction for an image `(h, w, c)`, in its size."""

    def adjusted(self, **changes: Unpack[Adjustments]) -> Self:
        """The same model with other values on its card; `ConfigError` where one does not fit."""


class Predictor:
    """A model and the card that says how to use it.

    `logits` are a function from float32 images `(b, h, w, channels)`, of any size, to float32
    `(b, h, w, classes)`, or `(b, h, w, 1)` with the logit of the second of two classes.
    """

    def __init__(self, logits: Callable[[np.ndarray], np.ndarray], card: SemanticCard) -> None:
        self.logits = logits
        self.card = card

    @classmethod
    def load(
        cls,
        path: str | Path,
        threads: Threads = ALONE,
        card_type: type[SemanticCard] = SemanticCard,
    ) -> "Predictor":
        """Predictor of a run, an ensemble or an exported model; `ModelError` where there is none.

        `threads` are those of an engine other than TensorFlow, `card_type` that of the task.
        """
        return cls(*load_logits(Path(path), threads, card_type))

    def adjusted(self, **changes: Unpack[Adjustments]) -> "Predictor":
        """The same model with other values on its card; see `adjusted_card`."""
        return Predictor(self.logits, adjusted_card(self.card, changes))

    def __call__(
        self,
        image: np.ndarray,
        *,
        flips: Flips = False,
        threshold: float | None = None,
        probabilities: bool = False,
    ) -> Prediction:
        """Labels of one image in its own size; `DataError` if it does not suit the model.

        Args:
            image: `(h, w, c)` as `read_image` gives it. Gray and RGB are turned into each other, a
                fourth (or second) channel is dropped as alpha where the model has no use for it.
                16 bits are scaled to 8 for a model trained on 8 and the other way round; float
                pixels are taken as they are.
            threshold: In place of the one on the card, whose meaning it has.
            probabilities: Whether to keep the probabilities.
        """
        if threshold is not None:
            adjusted = self.adjusted(threshold=threshold)
            return adjusted(image, flips=flips, probabilities=probabilities)
        size = checked_image(image).shape[:2]
        made = self.decide(self.strips(self.working(image), size, flips), size, probabilities)
        return replace(made, image=image, classes=self.card.labels)

    def working(self, image: np.ndarray) -> np.ndarray:
        """Image `(h, w, c)` checked and as the model will see it.

        With a `size` on the card it is stretched to that, float32, in the channels and the range
        of the model; without, it stays as it is, and `probabilities` converts tile after tile.
        """
        image = fit_range(image, self.card)
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
        check_flips(self.card, flips)
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
        """Probabilities `(rows, w, classes)` of an image of `size`, px, from top to bottom."""
        if self.card.size is not None:
            return resized_strips(self.probabilities(working[None], flips)[0], size)
        return predict_tiled(partial(self.probabilities, flips=flips), working, self.card.tile)

    def decide(
        self, strips: Iterable[np.ndarray], size: tuple[int, int], probabilities: bool = False
    ) -> Prediction:
        """Labels of an image of `size` from its probabilities in strips `(rows, w, classes)`."""
        card = self.card
        layers = (card.labels.num_classes,) if card.overlapping else ()
        labels = np.empty((*size, *layers), np.uint8)
        values = np.empty((*size, card.labels.num_classes), np.float32) if probabilities else None
        top = 0
        for strip in strips:
            rows = slice(top, top + len(strip))
            labels[rows] = decide_pixels(strip, card)
            if values is not None:
                values[rows] = strip
            top = rows.stop
        if card.overlapping:
            return Prediction(clean_layers(labels, card), values)
        cleaned = clean(labels, **cleaning_of(card))
        return Prediction(cleaned.astype(np.int32), values)

    def _pixels(self, images: np.ndarray) -> np.ndarray:
        return model_pixels(images, self.card)


def decide_pixels(probabilities: np.ndarray, card: Any) -> np.ndarray:
    """Labels uint8 `(h, w)`, or layers `(h, w, classes)` of overlapping classes, as cards say."""
    if card.overlapping:
        return above_thresholds(probabilities, card)
    return most_probable(probabilities, card.threshold, card.background)


def above_thresholds(probabilities: np.ndarray, card: Any) -> np.ndarray:
    """Layers uint8 `(h, w, classes)`, 1 from the thresholds on a `MultilabelCard` on."""
    thresholds = card.thresholds if card.threshold is None else card.threshold
    return (probabilities >= np.asarray(thresholds, np.float32)).astype(np.uint8)


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
