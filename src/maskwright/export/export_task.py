"""What a task gives so that its models can be exported."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.data import DataSet
from maskwright.export.engines import Threads
from maskwright.export.parity import Parity, ParityLimits
from maskwright.export.runtime import open_model
from maskwright.export.smoke_test import Example
from maskwright.model_card import ModelCard
from maskwright.types import Format

PixelRange = tuple[float, float] | None
"""Pixel values that stand for black and white; `None` where the network does not say."""


@dataclass(frozen=True, kw_only=True)
class ExportTask:
    """How the models of a task are exported.

    A function below is the model as a function of arrays, of the kind that the task defines.

    Args:
        card: Card of such models.
        limits: Largest allowed difference of an exported model.
        from_keras: Function of a Keras model.
        from_artifact: Function of the network in the folder of an artifact, from its format, the
            card and the threads of its engine.
        networks: From a Keras model and its card to the models to be written, by their folders in
            the artifact; the folder of a single one is `""`.
        examples: From the card, the pixels of black and white, and the Keras model (`None` for an
            ensemble) to drawn examples in two sizes; the first becomes the self-test.
        samples: From the card, a data set and a split to examples with labels; `None` where models
            are compared on drawn examples alone.
        compare: Parity of two functions on examples, with their card.
        answer: From a function, the card and an example to labels or probabilities.
        int8: Whether weights and activations may be written in eight bits.
        join: From the functions and cards of the members of an ensemble to the function of it;
            `None` where a task has no ensembles.
    """

    card: type[ModelCard]
    limits: ParityLimits
    from_keras: Callable[[Any], Any]
    from_artifact: Callable[[Path, Format, Any, Threads], Any]
    networks: Callable[[Any, Any], Mapping[str, Any]]
    examples: Callable[[Any, PixelRange, Any], Sequence[Example]]
    samples: Callable[[Any, DataSet, str], Iterator[Example]] | None
    compare: Callable[[Any, Any, Any, Sequence[Example]], Parity]
    answer: Callable[[Any, Any, Example], np.ndarray]
    int8: bool = False
    join: Callable[[Sequence[tuple[Any, Any]]], Any] | None = None

    def load(self, path: Path) -> tuple[Any, Any]:
        """Function and card of a single model, of a run or exported, as `open_model` opens it."""
        return open_model(path, self.card, self.from_keras, self.from_artifact)
