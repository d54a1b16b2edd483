"""A model of single objects in the place of one of masks, and either opened by its card."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from maskwright.errors import ConfigError
from maskwright.export.artifact import model_folder
from maskwright.export.engines import ALONE, Threads
from maskwright.inference.predictor import Flips, Prediction, Predictor
from maskwright.model_card import CARD_FILE, InstanceCard, read_task
from maskwright.tasks.instances.predictor import InstancePredictor


class Segmenter(Protocol):
    """What draws masks: `Predictor`, or `ObjectSegmenter`."""

    @property
    def card(self) -> Any:
        """With `labels` and `background`."""

    def __call__(self, image: np.ndarray, *, flips: Flips = False) -> Prediction:
        """What is in an image `(h, w, c)`, in its own size."""

    @property
    def adjusted(self) -> Callable[..., "Segmenter"]:
        """From values for the card to the same model with them."""


class ObjectSegmenter:
    """A finder of objects as a predictor: classes of pixels, and numbers of objects beside them.

    Args:
        finder: Model and card.
    """

    def __init__(self, finder: InstancePredictor) -> None:
        self.finder = finder

    @property
    def card(self) -> InstanceCard:
        """That of the finder."""
        return self.finder.card

    def adjusted(self, **changes: Any) -> "ObjectSegmenter":
        """As `ObjectFinder.adjusted`; `threshold` is what it asks of pixels, or of objects.

        Raises:
            ConfigError: If a value is out of its range, or of no use to objects.
        """
        name = "foreground" if self.card.method == "centers" else "score"
        given = {name if key == "threshold" else key: value for key, value in changes.items()}
        for unfit in ("fill_holes_px", "keep_largest"):
            if given.pop(unfit, None):
                raise ConfigError(f"`{unfit}` is of no use to single objects; leave it out.")
        return ObjectSegmenter(self.finder.adjusted(**given))

    def __call__(self, image: np.ndarray, *, flips: Flips = False) -> Prediction:
        """Classes of the pixels of an image, and the object that each belongs to."""
        if flips:
            raise ConfigError("Objects are found without flips; leave them out.")
        found = self.finder(image)
        return Prediction(found.classes(), instances=found.ids(), objects=found)


def load_segmenter(path: str | Path, threads: Threads = ALONE) -> Segmenter:
    """What draws masks, from a run, an ensemble, or one that was exported.

    Args:
        path: Folder of a run, or an exported model.
        threads: Of an engine other than TensorFlow.

    Raises:
        ModelError: If there is none.
    """
    folder = model_folder(path)
    card = folder / CARD_FILE
    if card.is_file() and read_task(card) == InstanceCard.task:
        return ObjectSegmenter(InstancePredictor.load(folder, threads))
    return Predictor.load(folder, threads)
