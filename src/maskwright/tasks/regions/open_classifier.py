"""Open classifiers of regions as functions of the inputs that `models.classifiers` describes."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.export.engines import ALONE, Network, Threads
from maskwright.export.formats.keras import keras_network, read_keras
from maskwright.export.formats.table import FORMATS, open_engine
from maskwright.export.runtime import open_model
from maskwright.model_card import RegionCard
from maskwright.types import Format

ClassifierFn = Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]
"""From the inputs of a classifier to `logits (b, 1)`, `weights (b, n)`, `region_logits (n, 1)`."""

CLASSIFIER_PARTS = ("look", "join")
"""Folders of the two networks of a classifier, as `models.parts` gives them, in an artifact."""

_REGIONS_AT_ONCE = 64  # embedded; a bag may hold any number


def load_classifier(path: Path, threads: Threads = ALONE) -> tuple[ClassifierFn, RegionCard]:
    """The classifier of a run or an artifact as a function; `ModelError` as `open_model`."""
    return open_model(path, RegionCard, keras_classifier, artifact_classifier, threads)


def keras_classifier(model: Any) -> ClassifierFn:
    """Function of a Keras classifier."""
    from maskwright.models import parts

    return _joined(*map(keras_network, parts(model)))


def artifact_classifier(
    folder: Path, engine: Format, card: RegionCard, threads: Threads = ALONE
) -> ClassifierFn:
    """The classifier of an artifact, in its engine."""
    if FORMATS[engine].described:
        return keras_classifier(read_keras(folder, classifier=True))
    return _joined(*(open_engine(folder / part, engine, threads) for part in CLASSIFIER_PARTS))


def _joined(look: Network, join: Network) -> ClassifierFn:
    """Function of the two parts of a classifier; regions are embedded a few at a time, so that
    bags of any number fit into memory.
    """

    def decide(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        number = inputs["bags"].shape[1]
        chunks: list[dict[str, np.ndarray]] = []
        for first in range(0, number, _REGIONS_AT_ONCE):
            part = slice(first, first + _REGIONS_AT_ONCE)
            chunks.append(look({n: inputs[n][part] for n in inputs if n != "bags"}))
        regions = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}
        outputs = join({**regions, "bags": inputs["bags"]})
        return {**outputs, "region_logits": regions["region_logits"]}

    return decide
