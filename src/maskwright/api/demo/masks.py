"""The demonstration on masks: data that is drawn, a run, its scores, masks of the test images."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from maskwright.api.evaluate import evaluate
from maskwright.api.predict import load, predict
from maskwright.api.train import train
from maskwright.data import DataSet, open_dataset
from maskwright.errors import TrainingError
from maskwright.imageio import write_image
from maskwright.types import OnMessage, ignore_message

if TYPE_CHECKING:
    from maskwright.inference.predictor import Predictor
    from maskwright.tasks.semantic.evaluation.scores import SemanticEvaluation

_DEMO_SHOWN = 5
# There are no pretrained weights to download on a closed machine, so the demo learns from nothing.
DEMO_SETTINGS: dict[str, Any] = {
    "encoder": "plain",
    "encoder_widths": (16, 32, 64, 96),
    "batch_size": 8,
    "augmentation": {"flip_vertical": 0.5},  # up and down are alike under a microscope
}


@dataclass(frozen=True)
class Demo:
    """Where the demonstration left what it made.

    Args:
        masks: Folder of the masks predicted for the test images.
        picture: Test images, their true masks and the predicted ones.
    """

    data: Path
    run: Path
    masks: Path
    picture: Path
    evaluation: "SemanticEvaluation"


def demo(out: str | Path, *, minutes: float = 2.0, on_message: OnMessage = ignore_message) -> Demo:
    """Draw a data set, train on it, evaluate, predict.

    Args:
        out: Folder for everything; data that is there already is used again.
    """
    from maskwright.data.synthetic.datasets import write_dataset

    folder = Path(out)
    data, run, masks = folder / "data", folder / "run", folder / "masks"
    if (run / "plan.yaml").exists():
        raise TrainingError(f"{run} holds a run already; name another folder with -o.")
    if not (data / "data.yaml").exists():
        on_message("Drawing microscope-like scenes …")
        write_dataset(data)
    on_message(f"Training from random weights for {minutes:g} minutes …")
    train(data, run, minutes=minutes, **DEMO_SETTINGS)
    on_message("Scoring images it was not trained on …")
    found = evaluate(run, data)
    on_message("Predicting masks of the test images …")
    dataset = open_dataset(data)
    predict(run, copy_images(dataset, folder / "test_images"), masks)
    picture = folder / "demo.png"
    _draw_demo(dataset, load(run), picture)
    return Demo(data, run, masks, picture, found)


def copy_images(dataset: DataSet, folder: Path) -> Path:
    """Copies of the test images in a folder of their own, as new images come to a user."""
    folder.mkdir(parents=True, exist_ok=True)
    for sample in dataset.of("test"):
        shutil.copyfile(sample.image, folder / sample.image.name)
    return folder


def _draw_demo(dataset: DataSet, predictor: "Predictor", path: Path) -> None:
    labels = dataset.labels
    columns = []
    for sample in dataset.of("test")[:_DEMO_SHOWN]:
        image, truth = dataset.read(sample)
        found = predictor(image).labels
        drawn = [image, labels.overlay(image, truth), labels.overlay(image, found)]
        columns.append(np.vstack([np.pad(row, ((2, 2), (2, 2), (0, 0))) for row in drawn]))
    write_image(path, np.hstack(columns))
