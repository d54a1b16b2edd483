"""Maskwright with the defaults of `maskwright train`, as a racer; called by race.py."""

import sys
from pathlib import Path

import keras
import numpy as np

from exchange import Settings, read_task, write_result
from maskwright.config import TrainConfig, read_config
from maskwright.data.pipeline.arrays import Arrays
from maskwright.losses import loss
from maskwright.tasks.semantic.network import describe_model
from maskwright.tasks.semantic.training import mask_scoring, segmentation
from maskwright.tasks.settings import make_augmentation
from maskwright.training import Batching, Recipe
from maskwright.training.checkpoint import State
from maskwright.training.loop import TrainingLoop

MODELS = {
    "default": {},
    # Separable, as the peer's is: TensorFlow's dilated plain convolutions take seven times as long.
    "deeplab_v3_plus": {"decoder": "deeplab_v3_plus", "output_stride": 16, "separable": True},
}


def run_ours(train: Arrays, settings: Settings, encoder: str | None) -> tuple[keras.Model, State]:
    """Train on arrays for the seconds of the task; the model and where its training ended.

    Another `encoder` than that of the others starts from its own ImageNet weights.
    """
    keras.utils.set_random_seed(settings.seed)
    weights = {"encoder": "mobilenet_v2", "encoder_weights": settings.encoder_weights}
    if encoder is not None:
        weights = {"encoder": encoder, "encoder_weights": "imagenet"}
    changes = {**weights, "seed": settings.seed, **MODELS[settings.model]}
    config = read_config(None, changes, TrainConfig)
    model = describe_model(config, train, settings.num_classes).build()
    work = TrainingLoop(
        model,
        segmentation(
            loss(config.loss),
            train,
            scoring=mask_scoring(settings.num_classes, background=0),
            batching=Batching(
                batch_size=config.batch_size,
                augmentation=make_augmentation(config),
                seed=settings.seed,
            ),
        ),
        recipe=Recipe(**config.recipe()),
        seconds=settings.seconds,
    )
    return model, work.run()


def main(folder: Path, encoder: str | None = None) -> None:
    """Train, predict and hand in, as `ours` or, with an encoder of its own, `ours_ENCODER`."""
    task = read_task(folder)
    train = Arrays.from_numpy(task.train_images, task.train_labels)
    model, state = run_ours(train, task.settings, encoder)
    images = task.test_images.astype(np.float32)
    labels = [
        np.argmax(model.predict_on_batch(images[i : i + 8]), axis=-1)
        for i in range(0, len(images), 8)
    ]
    name = "ours" if encoder is None else f"ours_{encoder}"
    write_result(folder, name, np.concatenate(labels), state.step, state.seconds)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
