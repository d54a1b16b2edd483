"""The verb `demo`: the main job on drawn data, from training to a report, for masks or regions."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.api.models import evaluate, load, predict
from maskwright.api.train import train, train_regions
from maskwright.arguments import checked
from maskwright.data import DataSet, open_dataset
from maskwright.data.readers.description import write_description
from maskwright.data.synthetic.datasets import write_dataset
from maskwright.data.synthetic.people_dataset import write_people
from maskwright.display.objects import draw_objects
from maskwright.imageio import check_start, write_image
from maskwright.tasks.regions.drawing import draw_decisions
from maskwright.types import InstanceMethod, OnMessage, show_alert

_SHOWN, _SHOWN_REGIONS = 5, 4
# There are no pretrained weights to download on a closed machine, so the demo learns from nothing.
_SETTINGS: dict[str, Any] = {
    "encoder": "plain",
    "encoder_widths": (16, 32, 64, 96),
    "batch_size": 8,
    "augmentation": {"flip_vertical": 0.5},  # up and down are alike under a microscope
}
_REGION_SETTINGS: dict[str, Any] = {
    "encoder": "plain",
    "encoder_widths": (16, 32, 64),
    "size": 48,
    "batch_size": 32,
    "positive": "spindle",
    "augmentation": {"flip_vertical": 0.5, "rotate_degrees": 180},
}
_OBJECT_SETTINGS: dict[InstanceMethod, dict[str, Any]] = {
    "condinst": {
        "encoder": "plain",
        "encoder_widths": (16, 32, 64, 96, 128),
        "detector": {"strides": (8, 16, 32), "pyramid_width": 64, "mask_width": 32},
    },
    "centers": {"encoder": "plain", "encoder_widths": (16, 32, 64, 96)},
}
_CELLS = {
    "images": "images",
    "masks": "instances",
    "encoding": "objects",
    "objects": "instances",
    "classes": ["background", "cell"],
    "group_by": "(slide_[0-9]+)",
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


@checked
def demo(out: str | Path, *, minutes: float = 2.0, on_message: OnMessage = show_alert) -> Demo:
    """Draw a data set, or use the one in `out` again, train on it, evaluate, predict."""
    folder = Path(out)
    data, run, masks = folder / "data", folder / "run", folder / "masks"
    check_start(run, {"plan.yaml": "run"})
    if not (data / "data.yaml").exists():
        on_message("Drawing microscope-like scenes …")
        write_dataset(data)
    on_message(f"Training from random weights for {minutes:g} minutes …")
    train(data, run, minutes=minutes, **_SETTINGS)
    on_message("Scoring images it was not trained on …")
    evaluation = evaluate(run, data)
    on_message("Predicting masks of the test images …")
    dataset = open_dataset(data)
    predict(run, _copy_images(dataset, folder / "test_images"), masks)
    predictor, labels = load(run), dataset.labels
    columns = []
    for sample in dataset.of("test")[:_SHOWN]:
        image, truth = dataset.read(sample)
        predicted = predictor(image).labels
        columns.append([image, labels.overlay(image, truth), labels.overlay(image, predicted)])
    places = {
        "images and masks": data,
        "curves and previews": run,
        "report": run / "evaluation" / "test" / "report.html",
        "predicted masks": masks,
        "picture": _write_columns(folder / "demo.png", columns),
    }
    return Demo(run, evaluation, places)


@checked
def demo_regions(
    out: str | Path, *, minutes: float = 3.0, on_message: OnMessage = show_alert
) -> Demo:
    """Draw cells, train a segmenter and a classifier, evaluate both as one, predict.

    Args:
        out: Folder for everything; data that is there already is used again.
    """
    folder = Path(out)
    data, segmenter, run = folder / "cells", folder / "segmenter", folder / "run"
    for model in (segmenter, run):
        check_start(model, {"plan.yaml": "run"})
    described = data / "cells.yaml"
    if not described.exists():
        on_message("Drawing microscope-like scenes of round and spindle-shaped cells …")
        write_dataset(data, apart=True)
        write_description(described, _CELLS, ["Every cell by itself; what it is says cells.csv."])
    half = minutes / 2
    on_message(f"Training a segmenter that finds cells for {half:g} minutes …")
    train(described, segmenter, minutes=half, **_SETTINGS)
    on_message(f"Training a classifier of what it finds for {half:g} minutes …")
    train_regions(described, run, minutes=half, segmenter=str(segmenter), **_REGION_SETTINGS)
    on_message("Scoring images that neither was trained on …")
    evaluation = evaluate(run, described)
    on_message("Deciding on the cells of the test images …")
    dataset = open_dataset(described)
    answers = folder / "answers"
    predict(run, _copy_images(dataset, folder / "test_images"), answers, masks=False)
    pipeline = load(run)
    columns = []
    for sample in dataset.of("test")[:_SHOWN_REGIONS]:
        image = dataset.read_image(sample)
        results = pipeline({sample.id: image})
        regions = [region for result in results for region in result.regions]
        scores = [float(result.probability or 0) for result in results][: len(regions)]
        overlay = draw_decisions(image, regions, scores, scale=2)
        columns.append([draw_decisions(image, [], [], scale=2), overlay])
    places = {
        "images and cells": data,
        "segmenter": segmenter,
        "pipeline": run,
        "report": run / "evaluation" / "test" / "report.html",
        "decisions": answers / "cases.csv",
        "picture": _write_columns(folder / "demo.png", columns),
    }
    return Demo(run, evaluation, places)


@checked
def demo_objects(
    out: str | Path, *, minutes: float = 4.0, on_message: OnMessage = show_alert
) -> Demo:
    """Draw people in streets, train a CondInst and centers with a watershed, evaluate, predict.

    Args:
        out: Folder for everything; data that is there already is used again.
        minutes: Training budget of both together.

    Returns:
        Run and scores of the CondInst; the picture has a column for each image: the image, true
        people, those of the CondInst and those of the watershed.
    """
    folder = Path(out)
    data, runs = folder / "people", {name: folder / name for name in _OBJECT_SETTINGS}
    for run in runs.values():
        check_start(run, {"plan.yaml": "run"})
    if not (data / "data.yaml").exists():
        on_message("Drawing people in streets …")
        write_people(data, num_images=80, size=192)
    evaluations = {}
    for method, run in runs.items():
        on_message(f"Training {method} from random weights for {minutes / 2:g} minutes …")
        train(data, run, minutes=minutes / 2, objects=method, **_OBJECT_SETTINGS[method])
        on_message("Scoring images it was not trained on …")
        evaluations[method] = evaluate(run, data)
    on_message("Predicting the people of the test images …")
    dataset = open_dataset(data)
    predict(runs["condinst"], _copy_images(dataset, folder / "test_images"), folder / "objects")
    predictors = [load(run) for run in runs.values()]
    columns = []
    for sample in dataset.of("test")[:_SHOWN]:
        image = dataset.read_image(sample)
        known = [dataset.read_objects(sample)]
        predictions = [predictor(image).objects for predictor in predictors]
        columns.append([image, *(draw_objects(image, objects) for objects in known + predictions)])
    places = {
        "images and people": data,
        "report": runs["condinst"] / "evaluation" / "test" / "report.html",
        "watershed": runs["centers"] / "evaluation" / "test" / "report.html",
        "predicted people": folder / "objects",
        "picture": _write_columns(folder / "demo.png", columns),
    }
    return Demo(runs["condinst"], evaluations["condinst"], places)


def _copy_images(dataset: DataSet, folder: Path) -> Path:
    """Copies of the test images in a folder of their own, as new images come to a user."""
    folder.mkdir(parents=True, exist_ok=True)
    for sample in dataset.of("test"):
        shutil.copyfile(sample.image, folder / sample.image.name)
    return folder


def _write_columns(path: Path, columns: Sequence[Sequence[np.ndarray]]) -> Path:
    """Write columns of pictures of one size side by side, with a margin around each."""
    margin = ((2, 2), (2, 2), (0, 0))
    stacks = [np.vstack([np.pad(picture, margin) for picture in column]) for column in columns]
    write_image(path, np.hstack(stacks))
    return path
