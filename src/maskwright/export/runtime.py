"""Open a trained model as a plain function from a batch of images to logits."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from maskwright.card import CARD_FILE, MODEL_FILE, Card, checksum
from maskwright.errors import ModelError


def load_logits(path: Path) -> tuple[Callable[[np.ndarray], np.ndarray], Card]:
    """The model of a run as a function from images `(b, h, w, c)` to logits `(b, h, w, classes)`.

    Both arrays are float32, and `b`, `h` and `w` may change from call to call.

    Raises:
        ModelError: If the folder is not that of a finished run, the model is not the one that its
            card describes, or TensorFlow is not installed.
    """
    model_file = path / MODEL_FILE
    if not model_file.is_file():
        found = "there is no such folder" if not path.exists() else f"it has no {MODEL_FILE}"
        raise ModelError(
            f"Expected {path} to be the folder of a finished run, with {MODEL_FILE} and "
            f"{CARD_FILE}; {found}."
        )
    card = Card.read(path / CARD_FILE)
    if checksum(model_file) != card.model_sha256:
        raise ModelError(
            f"{model_file} is not the model that {CARD_FILE} beside it describes (their checksums "
            f"differ); copy both again from the run."
        )
    return _keras_logits(model_file, card), card


def _keras_logits(path: Path, card: Card) -> Callable[[np.ndarray], np.ndarray]:
    """Function of a `.keras` file; TensorFlow is imported here and not before."""
    try:
        import keras
        import tensorflow as tf

        import maskwright.models  # noqa: F401  # registers the layers that the file names
    except ImportError as error:
        raise ModelError(
            f"Running {path} needs TensorFlow, which cannot be imported ({error}); "
            f"install maskwright[cpu] or maskwright[gpu]."
        ) from error
    try:
        model = keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises almost anything on a damaged file
        raise ModelError(f"{path} cannot be loaded as a Keras model: {error}") from error
    channels = model.input_shape[-1]
    if channels != card.channels:
        raise ModelError(
            f"{path} takes images of {channels} channels, but its card says {card.channels}."
        )
    # One graph for all sizes: `predict` takes four times as long for a single image.
    signature = [tf.TensorSpec((None, None, None, channels), tf.float32)]
    graph = tf.function(lambda images: model(images, training=False), input_signature=signature)
    return lambda images: graph(tf.constant(images, tf.float32)).numpy()
