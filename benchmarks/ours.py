"""Maskwright with the defaults of `maskwright train`, as a racer; called by race.py."""

import sys
from pathlib import Path

import keras
import numpy as np

from exchange import Settings, read_task, write_result
from maskwright.data.arrays import Arrays
from maskwright.data.augment import Augmentation
from maskwright.losses import loss
from maskwright.models import encoder, light, segmenter
from maskwright.training.fit import Recipe, State, fit


def run_ours(train: Arrays, settings: Settings) -> tuple[keras.Model, State]:
    """Train on arrays for the seconds of the task; the model and where its training ended."""
    keras.utils.set_random_seed(settings.seed)
    encode = encoder("mobilenet_v2", weights=settings.encoder_weights)
    model = segmenter(encode, light, settings.num_classes)
    state = fit(
        model,
        loss("ce+dice"),
        train,
        num_classes=settings.num_classes,
        recipe=Recipe(fix_statistics=settings.encoder_weights is not None),
        augmentation=Augmentation.named("light"),
        seconds=settings.seconds,
        seed=settings.seed,
    )
    return model, state


def main(folder: Path) -> None:
    """Train, predict and hand in."""
    task = read_task(folder)
    train = Arrays.from_numpy(task.train_images, task.train_labels)
    model, state = run_ours(train, task.settings)
    images = task.test_images.astype(np.float32)
    labels = [
        np.argmax(model.predict_on_batch(images[i : i + 8]), axis=-1)
        for i in range(0, len(images), 8)
    ]
    write_result(folder, "ours", np.concatenate(labels), state.step, state.seconds)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
