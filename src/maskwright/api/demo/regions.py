"""The demonstration of regions: draw cells, find them, decide of which kind each one is."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from maskwright.api.demo.masks import (
    DEMO_SETTINGS,
    Demo,
    copy_images,
    require_no_run,
    write_columns,
)
from maskwright.api.evaluate import evaluate
from maskwright.api.predict import load, predict
from maskwright.api.train import train, train_regions
from maskwright.data import open_dataset
from maskwright.types import OnMessage, ignore_message

if TYPE_CHECKING:
    from maskwright.tasks.regions.pipeline import Pipeline

_SHOWN = 4
_ENLARGED = 2
_CELLS = {
    "images": "images",
    "masks": "instances",
    "encoding": "objects",
    "objects": "instances",
    "classes": ["background", "cell"],
    "group_by": "(slide_[0-9]+)",
}
_SETTINGS: dict[str, Any] = {
    "encoder": "plain",
    "encoder_widths": (16, 32, 64),
    "size": 48,
    "batch_size": 32,
    "positive": "spindle",
    "augmentation": {"flip_vertical": 0.5, "rotate_degrees": 180},
}


def demo_regions(
    out: str | Path, *, minutes: float = 3.0, on_message: OnMessage = ignore_message
) -> Demo:
    """Draw cells, train a segmenter and a classifier, evaluate both as one, predict.

    Args:
        out: Folder for everything; data that is there already is used again.
    """
    from maskwright.data.readers.description import write_description
    from maskwright.data.synthetic.datasets import write_dataset

    folder = Path(out)
    data, segmenter, run = folder / "cells", folder / "segmenter", folder / "run"
    require_no_run(segmenter)
    require_no_run(run)
    described = data / "cells.yaml"
    if not described.exists():
        on_message("Drawing microscope-like scenes of round and spindle-shaped cells …")
        write_dataset(data, apart=True)
        write_description(described, _CELLS, ["Every cell by itself; what it is says cells.csv."])
    half = minutes / 2
    on_message(f"Training a segmenter that finds cells for {half:g} minutes …")
    train(described, segmenter, minutes=half, **DEMO_SETTINGS)
    on_message(f"Training a classifier of what it finds for {half:g} minutes …")
    train_regions(described, run, minutes=half, segmenter=str(segmenter), **_SETTINGS)
    on_message("Scoring images that neither was trained on …")
    evaluation = evaluate(run, described)
    on_message("Deciding on the cells of the test images …")
    dataset = open_dataset(described)
    answers = folder / "answers"
    predict(run, copy_images(dataset, folder / "test_images"), answers, masks=False)
    pipeline = load(run)
    shown = dataset.of("test")[:_SHOWN]
    columns = [_column(pipeline, sample.id, dataset.read_image(sample)) for sample in shown]
    places = {
        "images and cells": data,
        "segmenter": segmenter,
        "pipeline": run,
        "report": run / "evaluation" / "test" / "report.html",
        "decisions": answers / "cases.csv",
        "picture": write_columns(folder / "demo.png", columns),
    }
    return Demo(run, evaluation, places)


def _column(pipeline: "Pipeline", name: str, image: np.ndarray) -> list[np.ndarray]:
    """An image, and below it its cells as found, with the probability beside each."""
    from maskwright.tasks.regions.drawing import draw_decisions

    results = pipeline({name: image})
    regions = [region for result in results for region in result.regions]
    scores = [float(result.probability or 0) for result in results]
    below = draw_decisions(image, regions, scores[: len(regions)], scale=_ENLARGED)
    return [draw_decisions(image, [], [], scale=_ENLARGED), below]
