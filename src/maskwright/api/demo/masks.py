"""The demonstration on masks: data that is drawn, a run, its scores, masks of the test images."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.api.evaluate import evaluate
from maskwright.api.predict import load, predict
from maskwright.api.train import train
from maskwright.data import DataSet, open_dataset
from maskwright.errors import TrainingError
from maskwright.imageio import write_image
from maskwright.types import OnMessage, ignore_message

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
    """What a demonstration made.

    Args:
        run: Folder of the model whose scores `evaluation` holds.
        places: Folders and files by what they hold, for people.
    """

    run: Path
    evaluation: Any
    places: dict[str, Path]


def demo(out: str | Path, *, minutes: float = 2.0, on_message: OnMessage = ignore_message) -> Demo:
    """Draw a data set, or use the one in `out` again, train on it, evaluate, predict."""
    from maskwright.data.synthetic.datasets import write_dataset

    folder = Path(out)
    data, run, masks = folder / "data", folder / "run", folder / "masks"
    require_no_run(run)
    if not (data / "data.yaml").exists():
        on_message("Drawing microscope-like scenes …")
        write_dataset(data)
    on_message(f"Training from random weights for {minutes:g} minutes …")
    train(data, run, minutes=minutes, **DEMO_SETTINGS)
    on_message("Scoring images it was not trained on …")
    evaluation = evaluate(run, data)
    on_message("Predicting masks of the test images …")
    dataset = open_dataset(data)
    predict(run, copy_images(dataset, folder / "test_images"), masks)
    predictor, labels = load(run), dataset.labels
    columns = []
    for sample in dataset.of("test")[:_DEMO_SHOWN]:
        image, truth = dataset.read(sample)
        predicted = predictor(image).labels
        columns.append([image, labels.overlay(image, truth), labels.overlay(image, predicted)])
    places = {
        "images and masks": data,
        "curves and previews": run,
        "report": run / "evaluation" / "test" / "report.html",
        "predicted masks": masks,
        "picture": write_columns(folder / "demo.png", columns),
    }
    return Demo(run, evaluation, places)


def require_no_run(folder: Path) -> None:
    """Raise `TrainingError` where a folder holds a run already."""
    if (folder / "plan.yaml").exists():
        raise TrainingError(f"{folder} holds a run already; name another folder with -o.")


def copy_images(dataset: DataSet, folder: Path) -> Path:
    """Copies of the test images in a folder of their own, as new images come to a user."""
    folder.mkdir(parents=True, exist_ok=True)
    for sample in dataset.of("test"):
        shutil.copyfile(sample.image, folder / sample.image.name)
    return folder


def write_columns(path: Path, columns: Sequence[Sequence[np.ndarray]]) -> Path:
    """Write columns of pictures of one size side by side, with a margin around each."""
    margin = ((2, 2), (2, 2), (0, 0))
    stacks = [np.vstack([np.pad(picture, margin) for picture in column]) for column in columns]
    write_image(path, np.hstack(stacks))
    return path
