"""Predictions with all that promises and doubts are made from, and networks that run once."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np

from maskwright.errors import DataError
from maskwright.export.artifact import model_folder
from maskwright.export.engines import ALONE, Threads
from maskwright.export.ensemble import is_ensemble
from maskwright.export.formats.keras import read_keras
from maskwright.export.formats.table import FORMATS
from maskwright.export.runtime import (
    ImageFunction,
    artifact_function,
    card_and_members,
    keras_function,
    mean_logits,
    open_model,
)
from maskwright.inference.prediction import Prediction
from maskwright.inference.predictor import Flips, Predictor
from maskwright.model_card import SemanticCard
from maskwright.reliability.observations import MOST_VALUES, ObservedPrediction

FEATURES = "features"
"""Output of a network that holds the channel means of its encoder, `(b, d)`."""

_MIRROR = "horizontal_flip"
_MOST_BYTES = 2**32  # of outputs that are kept on disk


def load_observed(
    path: Path, threads: Threads = ALONE, card_type: type[SemanticCard] = SemanticCard
) -> tuple[ImageFunction, SemanticCard]:
    """The model of a run, an ensemble or an artifact as a function from images to outputs.

    These are `"logits"` and, of networks of ours, or artifacts that have it, `FEATURES`; of an
    ensemble, those of its members side by side. Raises `ModelError` as `load_logits`.
    """
    folder = model_folder(path)
    if not is_ensemble(folder):
        return open_model(folder, card_type, _with_features, artifact_outputs, threads)
    card, members = card_and_members(folder, card_type)
    return _joined([load_observed(member, threads) for member in members]), card


def _joined(members: Sequence[tuple[ImageFunction, SemanticCard]]) -> ImageFunction:
    """Outputs of an ensemble from those of its members."""

    def run(images: np.ndarray) -> dict[str, np.ndarray]:
        outputs = [network(images) for network, _ in members]
        logits = [
            (partial(_given, each["logits"]), card)
            for each, (_, card) in zip(outputs, members, strict=True)
        ]
        joined = {"logits": mean_logits(logits)(images)}
        if all(FEATURES in each for each in outputs):
            joined[FEATURES] = np.concatenate([each[FEATURES] for each in outputs], axis=-1)
        return joined

    return run


def _given(logits: np.ndarray, images: np.ndarray) -> np.ndarray:
    return logits


def artifact_outputs(
    folder: Path, engine: Any, card: SemanticCard, threads: Threads = ALONE
) -> ImageFunction:
    """Outputs of the network of an artifact, by name; one that is built again has all of them."""
    if FORMATS[engine].described:
        return _with_features(read_keras(folder))
    run = artifact_function(folder, engine, threads)

    def outputs(images: np.ndarray) -> dict[str, np.ndarray]:
        given = run(images)
        # Engines may name a single output otherwise.
        return given if "logits" in given else {"logits": next(iter(given.values()))}

    return outputs


def _with_features(model: Any) -> ImageFunction:
    from maskwright.models.encoders.channel_means import with_channel_means

    return keras_function(with_channel_means(model))


class ObservingPredictor:
    """A predictor whose predictions are `ObservedPrediction`s.

    The mirror image is predicted too, without further flips, where the model was trained with
    horizontal flips. Channel means are those of all that the network saw in predicting the image
    itself: of the whole image, or the mean over its tiles, with flips also over these.
    """

    def __init__(self, network: ImageFunction, card: SemanticCard) -> None:
        self.network, self.card = network, card
        self.predictor = Predictor(self._logits, card)
        self._seen: list[np.ndarray] = []

    def __call__(self, image: np.ndarray, *, flips: Flips = False) -> ObservedPrediction:
        """Prediction for an image `(h, w, c)`; `DataError` if it is too large or does not suit."""
        values = image.shape[0] * image.shape[1] * self.card.labels.num_classes
        if values > MOST_VALUES:
            raise DataError(
                f"The image has {values:,} probabilities, more than the {MOST_VALUES:,} that "
                f"promises are made from; cut it into parts."
            )
        self.start()
        prediction = self._predict(image, flips)
        seen = self.seen()
        mirrored = prediction
        if self.sees_mirrored:
            other = self._predict(np.ascontiguousarray(image[:, ::-1]), False)
            mirrored = Prediction(*(_mirror(each) for each in (other.labels, other.probabilities)))
        return ObservedPrediction(
            prediction.labels, prediction.probabilities, mirrored=mirrored, channel_means=seen
        )

    @property
    def sees_mirrored(self) -> bool:
        """Whether the mirror image is predicted too."""
        return _MIRROR in self.card.symmetries

    def _predict(self, image: np.ndarray, flips: Flips) -> Prediction:
        """Prediction with probabilities that are at most 1; blended tiles sum to a little more."""
        prediction = self.predictor(image, flips=flips, probabilities=True)
        values = np.asarray(prediction.probabilities)
        np.minimum(values, 1, out=values)
        return prediction

    def channel_means(self, image: np.ndarray, flips: Flips = False) -> np.ndarray | None:
        """Channel means `(d,)` alone; `None` where the network does not give them."""
        self.start()
        for _ in self.predictor.strips(self.predictor.working(image), image.shape[:2], flips):
            pass
        return self.seen()

    def start(self) -> None:
        """From now on, `seen` is that of another image."""
        self._seen = []

    def seen(self) -> np.ndarray | None:
        """Channel means `(d,)` of all that `predictor` has run since `start`, or `None`."""
        return np.concatenate(self._seen).mean(axis=0) if self._seen else None

    def _logits(self, images: np.ndarray) -> np.ndarray:
        outputs = self.network(images)
        if FEATURES in outputs:
            self._seen.append(outputs[FEATURES])
        return outputs["logits"]


def _mirror(values: np.ndarray | None) -> Any:
    return None if values is None else values[:, ::-1]


class NetworkTape:
    """A network whose outputs are kept on disk, so that the same images can be predicted again.

    `file` is an empty one. What comes after 4 GiB is not kept: for that, the network runs again.
    """

    def __init__(self, network: ImageFunction, file: IO[bytes]) -> None:
        self._network, self._file = network, file
        self._kept: list[tuple[str, ...]] = []
        self._next: int | None = None

    def __call__(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Outputs for images; after `rewind`, those of the same call before."""
        if self._next is not None:
            place = self._next
            self._next += 1
            if place < len(self._kept):
                return {name: np.load(self._file) for name in self._kept[place]}
            return self._network(images)
        outputs = self._network(images)
        if self._file.tell() < _MOST_BYTES:
            for values in outputs.values():
                np.save(self._file, values)
            self._kept.append(tuple(outputs))
        return outputs

    def rewind(self) -> None:
        """From now on, calls are the same as before, in the same order."""
        self._file.seek(0)
        self._next = 0
