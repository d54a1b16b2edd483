"""Open models of single objects as functions of images."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from maskwright.errors import ModelError
from maskwright.export.engines import ALONE, Threads
from maskwright.export.runtime import artifact_function, keras_function, open_model
from maskwright.model_card import InstanceCard
from maskwright.types import Format, InstanceMethod

DetectorFn = Callable[[np.ndarray], dict[str, np.ndarray]]
"""From images `(b, h, w, c)` to the outputs of a network by name; see `InstancePredictor`."""

keras_detector = keras_function
"""Function of a Keras model of objects, for images of any size."""

_OUTPUTS: Mapping[InstanceMethod, frozenset[str]] = {
    "centers": frozenset({"logits"}),
    "mask_rcnn": frozenset({"boxes", "scores", "labels", "masks"}),
}


def load_detector(path: Path, threads: Threads = ALONE) -> tuple[DetectorFn, InstanceCard]:
    """The model of a run or an artifact as a function; `ModelError` as `open_model`."""
    return open_model(path, InstanceCard, keras_detector, artifact_detector, threads)


def artifact_detector(
    folder: Path, engine: Format, card: InstanceCard, threads: Threads = ALONE
) -> DetectorFn:
    """The network of an artifact, in its engine, with the output names that its method has.

    Raises:
        ModelError: In the first call, if the network has other outputs.
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
