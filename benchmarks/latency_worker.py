"""Writes our networks for latency.py, and times them: engines in one process, Keras in another.

Called with what to do (`write`, `engines` or `keras`), the folder of the networks and the side of
the images in px, and then with a run and a data set, or empty words, to write; or with the number
of images, to time.
"""

import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from latency_turns import take_turns

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ENGINES = ("onnx", "openvino", "litert")
EIGHT_BITS = ("onnx", "openvino")
_CLASSES = ("background", "object", "border")
_DRAWN = 24  # images to calibrate on where there is no data set
_REAL = 64


def write(folder: Path, size: int, run: str, data: str) -> None:
    """Write the network for every engine, in float and in eight bits, and facts about it."""
    from counting import multiply_adds
    from maskwright.export.export_task import INT8, ParityLimits, drawn_image
    from maskwright.export.formats.table import write_network
    from maskwright.export.int8 import write_int8
    from maskwright.export.runtime import artifact_logits, keras_logits, load_run
    from maskwright.model_card import SemanticCard
    from maskwright.tasks.image_examples import of_one_size
    from maskwright.tasks.semantic.export import compare_masks

    sides = (size, size)
    model, card = load_run(Path(run), SemanticCard) if run else _fresh()
    fixed = of_one_size(model, sides)
    fixed.save(folder / "model.keras")
    if data:
        train, val = _images(run, data, sides, "train"), _images(run, data, sides, "val")
    else:
        train = [{"image": drawn_image(card, sides, seed)} for seed in range(_DRAWN)]
        val = train[:1]
    reference = keras_logits(fixed)
    changes = {}
    for engine in ENGINES:
        plain, eight = folder / engine, folder / f"{engine}_int8"
        for there in (plain, eight) if engine in EIGHT_BITS else (plain,):
            there.mkdir()
            write_network(fixed, there, engine, "")
        if engine not in EIGHT_BITS:
            continue
        parity, _ = write_int8(
            engine,
            fixed,
            eight,
            [example["image"] for example in train],
            partial(artifact_logits, eight, engine, card),
            lambda opened: compare_masks(reference, opened, card, val),
            INT8 if data else ParityLimits(1, 0, 1),
        )
        changes[engine] = round(parity.dice_change, 5)
    shape = (1, *sides, card.channels)
    facts = {
        "size": size,
        "multiply_adds": multiply_adds(fixed, shape),
        "dice_change": changes if data else None,
    }
    (folder / "facts.json").write_text(json.dumps(facts))


def _fresh() -> tuple[Any, Any]:
    """The network of `maskwright train` on MobileNetV2, untrained, and a card for it."""
    import keras

    from maskwright.labels import Labels
    from maskwright.model_card import SemanticCard
    from maskwright.models import encoder, light, segmenter

    keras.utils.set_random_seed(0)
    labels = Labels.create(_CLASSES)
    model = segmenter(encoder("mobilenet_v2"), light, len(_CLASSES))
    facts = {"model_sha256": "", "version": "", "data": "", "threshold": None}
    return model, SemanticCard(
        labels=labels, channels=3, dtype="uint8", size=None, tile=None, **facts
    )


def _images(run: str, data: str, size: tuple[int, int], split: str) -> list[dict[str, np.ndarray]]:
    """Images of a split as the network takes them, with their labels."""
    from maskwright.data import open_dataset
    from maskwright.data.geometry import resize_image, resize_labels
    from maskwright.tasks.provenance import division_of

    dataset = open_dataset(data, **division_of(Path(run)))
    found = []
    for sample in list(dataset.of(split))[:_REAL]:
        image, labels = dataset.read(sample)
        small = resize_image(image, size).astype(np.float32)
        found.append({"image": small, "labels": resize_labels(labels, size)})
    return found


def time_engines(folder: Path, size: int, batch: int) -> None:
    """Ours in every engine, without TensorFlow."""
    from maskwright.export.formats.table import open_engine

    images = _noise(size, batch)
    take_turns(
        {
            name: partial(open_engine(folder / name, engine), {"images": images})
            for engine in ENGINES
            for name in (engine, f"{engine}_int8")
            if (folder / name).is_dir()
        }
    )


def time_keras(folder: Path, size: int, batch: int) -> None:
    """The same network as Keras has it."""
    import keras
    import tensorflow as tf

    import maskwright.models  # noqa: F401  # registers the layers that the file names

    model = keras.saving.load_model(folder / "model.keras", compile=False)
    images = _noise(size, batch)
    graph = tf.function(lambda x: model(x, training=False), autograph=False)
    ways: dict[str, Callable[[], object]] = {
        "predict": lambda: model.predict(images, verbose=0),
        "function": lambda: graph(tf.constant(images)).numpy(),
    }
    take_turns(ways)


def _noise(size: int, batch: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (batch, size, size, 3)).astype(np.float32)


if __name__ == "__main__":
    what, folder, size, *rest = sys.argv[1:]
    if what == "write":
        write(Path(folder), int(size), *rest)
    elif what == "engines":
        time_engines(Path(folder), int(size), int(rest[0]))
    else:
        time_keras(Path(folder), int(size), int(rest[0]))
